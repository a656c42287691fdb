"""`python -m benchmarks size [REVISION]`: files, lines and long functions by kind of module."""

import ast
import io
import subprocess
import tarfile
import tempfile
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("files", "lines", "code", "docstring", "comment", "long functions")
LONG = 40
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def main(revisions: list[str]) -> int:
    """Print the size of the tracked modules and, with a revision, its size and the difference."""
    now = measure(ROOT)
    print_table("working tree", now)
    for revision in revisions[:1]:
        with tempfile.TemporaryDirectory() as folder:
            export(revision, Path(folder))
            before = measure(Path(folder))
        print_table(revision, before)
        difference = {kind: Counter(now[kind]) for kind in now}
        for kind, size in difference.items():
            size.subtract(before[kind])
        print_table("difference", difference, sign="+")
    return 0


def export(revision: str, folder: Path) -> None:
    """Extract the files of a git revision."""
    command = ["git", "archive", revision]
    archive = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def measure(root: Path) -> dict[str, Counter[str]]:
    """Return the sums of `COLUMNS` over the modules of each kind."""
    sizes: dict[str, Counter[str]] = {kind: Counter() for kind in ("source", "tests", "migrations")}
    for path in list_modules(root):
        sizes[get_kind(path)] += measure_module((root / path).read_text())
    return sizes


def list_modules(root: Path) -> list[Path]:
    """Return the relative paths of the modules: tracked ones in a work tree, else all."""
    if root != ROOT:
        return [path.relative_to(root) for path in root.rglob("*.py")]
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    output = subprocess.run(listing, cwd=root, capture_output=True, check=True, text=True).stdout
    return [Path(line) for line in output.splitlines() if (root / line).exists()]


def get_kind(path: Path) -> str:
    """Classify a module by its folders; `config/testing` is source."""
    if "migrations" in path.parts:
        return "migrations"
    return "tests" if "tests" in path.parts or path.name == "conftest.py" else "source"


def measure_module(text: str) -> Counter[str]:
    """Return the values of `COLUMNS` of one module."""
    nodes = list(ast.walk(ast.parse(text)))
    documented = [node for node in nodes if isinstance(node, DOCUMENTED) and ast.get_docstring(node)]
    docstring = {line for node in documented for line in get_lines(node.body[0])}
    code, comments = set(), set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in LAYOUT:
            code |= set(range(token.start[0], token.end[0] + 1))
    functions = [node for node in nodes if isinstance(node, DOCUMENTED[2:])]
    values = (1, text.count("\n"), len(code - docstring), len(docstring), len(comments))
    long = sum(len(get_lines(function)) > LONG for function in functions)
    return Counter(dict(zip(COLUMNS, (*values, long), strict=True)))


def get_lines(node: ast.stmt) -> range:
    """Return the line numbers of a statement."""
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def print_table(title: str, sizes: dict[str, Counter[str]], sign: str = "") -> None:
    """Print one line per kind, and the share of lines with a comment."""
    print(f"{title:<14}" + "".join(f"{column:>16}" for column in COLUMNS) + f"{'comment share':>16}")
    for kind, size in sizes.items():
        values = "".join(f"{size[column]:>{sign}16,}" for column in COLUMNS)
        share = "" if sign else f"{size['comment'] / max(size['lines'], 1):>16.1%}"
        print(f"{kind:<14}{values}{share}")
