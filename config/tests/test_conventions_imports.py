"""No import circles: not at import time, and not by imports inside functions."""

import ast
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)


def read_modules():
    """Return dotted name -> path for every module of the import-linter's root packages."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    paths = [path for package in options["root_packages"] for path in (ROOT / package).rglob("*.py")]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def walk(tree):
    """Yield every node except those below `if TYPE_CHECKING:`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def read_imports(name, path, modules):
    """Return the modules that a module imports; `from package import module` counts as the module alone."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*start, *([node.module] if node.module else [])])
            names = {f"{source}.{alias.name}" for alias in node.names}
            found |= {each if each in modules else source for each in names}
    return (found & modules.keys()) - {name}


def read_graph(modules):
    return {name: read_imports(name, path, modules) for name, path in modules.items()}


def find_circle(graph):
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def test_no_import_circles():
    modules = read_modules()

    assert len(modules) > 500
    assert find_circle(read_graph(modules)) is None


@pytest.mark.parametrize("source", ["from b import f\n", "def g():\n    from b import f\n", "import b\n"])
def test_a_circle_is_found(source, tmp_path):
    (tmp_path / "a.py").write_text(source)
    (tmp_path / "b.py").write_text("def f():\n    import a\n")
    modules = {"a": tmp_path / "a.py", "b": tmp_path / "b.py"}

    assert set(find_circle(read_graph(modules))) == {"a", "b"}
