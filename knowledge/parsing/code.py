"""Reader for source code, split at unindented definitions."""

import re
from collections.abc import Iterator
from pathlib import PurePath

from knowledge.parsing.document import ReaderResult, TextBlock, decode

SUFFIXES = frozenset(
    (  # noqa: SIM905
        ".js .mjs .cjs .jsx .ts .tsx .java .kt .scala .groovy .c .h .cc .cpp .hpp .cs .go .rs .rb .php .swift .m "
        ".sh .bash .zsh .ps1 .sql .r .jl .lua .pl .ex .exs .erl .hs .clj .dart .proto .graphql .tf .css .scss "
        ".yaml .yml .toml .ini .cfg .conf .xml .vue .svelte"
    ).split()
)
_WORDS = (
    "function|class|interface|struct|enum|trait|impl|type|module|namespace|package|object|record|protocol|extension"
    "|func|fn|def|defmodule|defp|sub|proc|procedure|message|service|resource|macro_rules!"
)
_BEFORE = (
    "export|default|public|private|protected|internal|static|final|abstract|async|pub|pub\\(\\w+\\)|unsafe"
    "|extern|open"
)
_DEFINITION = re.compile(rf"(?:(?:{_BEFORE})\s+)*(?:{_WORDS})\s+(?P<name>[\w.:<>\[\]]+)", re.ASCII)
_SQL = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:\w+\s+){1,3}(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>[\w.\"]+)", re.IGNORECASE
)
_ARROW = re.compile(
    r"(?:export\s+)?(?:const|let|var|val)\s+(?P<name>\w+)\s*=\s*(?:async\s*)?(?:\(|function|\w+\s*=>)"
)


def read_code(data: bytes, name: str) -> ReaderResult:
    """Split at definitions, keeping the comment above each; the title is the file name."""
    lines = decode(data, name).split("\n")
    title = PurePath(name).name
    pieces, begin, path = [], 0, (title,)
    for number, found in _definitions(lines):
        start = _with_comment(lines, number, begin)
        pieces.append(TextBlock("\n".join(lines[begin:start]), path))
        begin, path = start, (title, found)
    pieces.append(TextBlock("\n".join(lines[begin:]), path))
    return ReaderResult(pieces, title)


def _definitions(lines: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines):
        if line[:1].isspace() or len(line) > 500:
            continue
        for pattern in (_DEFINITION, _SQL, _ARROW):
            if found := pattern.match(line):
                yield number, found["name"]
                break


def _with_comment(lines: list[str], number: int, floor: int) -> int:
    """Return the first line of the comment or attributes above a definition."""
    while number > floor and lines[number - 1].lstrip().startswith(("//", "#", "/*", "*", "--", "@", ";")):
        number -= 1
    return number
