"""Readers for text with light markup: plain text, Markdown, reStructuredText and Python source."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from knowledge.parsing.document import ReaderResult, TextBlock, decode

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})\s+(.*)")
_UNDERLINE = re.compile(r"([=\-~^\"'`:.*+#_])\1{2,}\s*$")


def read_plain(data: bytes, name: str) -> ReaderResult:
    return ReaderResult([TextBlock(decode(data, name))])


def read_markdown(data: bytes, name: str) -> ReaderResult:
    lines = decode(data, name).split("\n")
    lines, metadata = _front_matter(lines)
    pieces = list(split_markdown(lines))
    title = metadata.get("title") or next((piece.path[0] for piece in pieces if piece.path), "")
    return ReaderResult(pieces, title, metadata)


def split_markdown(lines: list[str]) -> Iterator[TextBlock]:
    """Yield the text under each heading of Markdown."""
    return _by_headings(lines, _markdown_headings(lines))


def _front_matter(lines: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Split off a leading block between two `---` lines; only its flat `key: value` lines are kept."""
    if lines[0].strip() != "---" or "---" not in (line.strip() for line in lines[1:50]):
        return lines, {}
    end = next(number for number, line in enumerate(lines[1:], 1) if line.strip() == "---")
    pairs = (line.partition(":") for line in lines[1:end] if re.match(r"\w[\w-]*:\s*\S", line))
    return lines[end + 1 :], {key.strip().lower(): value.strip().strip("\"'") for key, _, value in pairs}


def _markdown_headings(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yield each heading outside code fences as (line number, level, text)."""
    fence = ""
    for number, line in enumerate(lines):
        if mark := _FENCE.match(line):
            if not fence:
                fence = mark[1]
            elif line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif not fence and (heading := _ATX.match(line)) and (words := _strip_closing(heading[2])):
            yield number, len(heading[1]), words
        elif (
            not fence
            and re.match(r"(=+|-{3,})\s*$", line)
            and number
            and re.match(r" {0,3}[^\s>#|*-]", lines[number - 1])
        ):
            yield number - 1, 1 if line.startswith("=") else 2, lines[number - 1].strip()


def _strip_closing(heading: str) -> str:
    """Return the text of a heading without its closing `#` characters."""
    return heading.rstrip().rstrip("#").rstrip()


def read_rst(data: bytes, name: str) -> ReaderResult:
    lines = decode(data, name).split("\n")
    pieces = list(_by_headings(lines, _rst_headings(lines)))
    return ReaderResult(pieces, next((piece.path[0] for piece in pieces if piece.path), ""))


def _rst_headings(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Underlined headings; as in docutils, the order in which adornments appear gives their levels."""
    styles: list[str] = []
    for number in range(1, len(lines)):
        words, mark = lines[number - 1].rstrip(), _UNDERLINE.match(lines[number])
        if (
            not mark
            or not words
            or words[0].isspace()
            or _UNDERLINE.match(words)
            or len(mark[0].rstrip()) < len(words)
        ):
            continue
        over = number > 1 and lines[number - 2].rstrip() == mark[0].rstrip()
        style = mark[1] * 2 if over else mark[1]
        if style not in styles:
            styles.append(style)
        yield number - 2 if over else number - 1, styles.index(style) + 1, words.strip()


def _by_headings(lines: list[str], headings: Iterable[tuple[int, int, str]]) -> Iterator[TextBlock]:
    """Cut `lines` at each heading; the path of a piece holds the headings above it, outermost first."""
    stack: list[tuple[int, str]] = []
    begin = 0
    for number, level, words in headings:
        yield TextBlock("\n".join(lines[begin:number]), tuple(name for _, name in stack))
        stack = [entry for entry in stack if entry[0] < level] + [(level, words)]
        begin = number
    yield TextBlock("\n".join(lines[begin:]), tuple(name for _, name in stack))


def read_python(data: bytes, name: str) -> ReaderResult:
    text = decode(data, name)
    module = PurePath(name).stem
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ReaderResult([TextBlock(text, (module,))], module)
    lines = text.split("\n")
    starts = [(0, 1, module), *sorted(_definitions(tree, 2))]
    return ReaderResult(list(_by_headings(lines, starts)), module)


def _definitions(parent: ast.AST, level: int) -> Iterator[tuple[int, int, str]]:
    """Top-level functions and classes, and the methods of the classes, as headings."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield first - 1, level, node.name
            if isinstance(node, ast.ClassDef):
                yield from _definitions(node, level + 1)
