"""`python -m benchmarks.docstrings FOLDER`: build a `rag_eval` dataset from Python's docstrings.

A question is the first sentence of a docstring, and its answer is the rest of the same docstring; the corpus contains
all answers. Without manual judgements, it serves to choose parameters independently of the project's judged questions.
"""

import argparse
import ast
import json
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LEAST_WORDS, LEAST_REST, MOST_REST = 5, 200, 3000
QUESTIONS = 400


@dataclass(frozen=True)
class Documented:
    """Name of a function or class, the first sentence of its docstring, and the rest."""

    name: str
    first: str
    rest: str


def documented(folder: Path) -> Iterator[Documented]:
    """Yield all docstrings with more than one sentence, in file order."""
    for path in sorted(folder.rglob("*.py")):
        if {"site-packages", "test", "tests", "idlelib"} & set(path.parts):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
                first, _, rest = text.partition("\n\n")
                if len(first.split()) >= LEAST_WORDS and LEAST_REST <= len(rest) <= MOST_REST:
                    name = f"{path.relative_to(folder)}:{node.lineno}"
                    yield Documented(name, " ".join(first.split()), rest)


def write(target: Path, source: Path) -> tuple[int, int]:
    """Write the dataset in the BEIR format; return the numbers of passages and questions."""
    found = list({each.rest: each for each in documented(source)}.values())
    asked = found[:: max(1, len(found) // QUESTIONS)]
    (target / "qrels").mkdir(parents=True, exist_ok=True)
    passages = [{"_id": each.name, "title": "", "text": each.rest} for each in found]
    queries = [{"_id": each.name, "text": each.first} for each in asked]
    for name, rows in (("corpus.jsonl", passages), ("queries.jsonl", queries)):
        (target / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = [f"{each.name}\t{each.name}\t1\n" for each in asked]
    (target / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return len(found), len(asked)


def main(arguments: list[str]) -> int:
    """Write the dataset and print its size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.docstrings", description=__doc__)
    parser.add_argument("folder", type=Path, help="output folder of the dataset")
    passages, questions = write(parser.parse_args(arguments).folder, Path(sysconfig.get_path("stdlib")))
    print(f"{passages} passages, {questions} questions")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
