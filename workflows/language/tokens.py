"""Tokens of CEL, and the expressions in a template.

split_template("Hello ${ input.name }!") -> [(False, "Hello "), (True, "input.name"), (False, "!")]
"""

import re
from functools import lru_cache
from typing import NamedTuple

MAX_LENGTH = 2000
TOO_LONG = f"Shorten the expression to {MAX_LENGTH} characters."
TOKEN = re.compile(
    r"""
    (?P<text>
        [bB]?[rR][bB]?(?:'''[\s\S]*?'''|\"\"\"[\s\S]*?\"\"\"|'[^'\n]*'|"[^"\n]*")
        | [bB]?(?:'''(?:\\[\s\S]|[^\\])*?'''|\"\"\"(?:\\[\s\S]|[^\\])*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")
    )
    | (?P<comment>//[^\n]*)
    | (?P<name>[A-Za-z_]\w*|`[^`\n]*`)
    | (?P<number>\d[\w.]*)
    | (?P<space>\s+)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.ASCII,
)


class Token(NamedTuple):
    """A token of an expression: `text`, `name`, `number` or `mark`, and where it ends."""

    kind: str
    text: str
    end: int


def tokenize(source: str) -> list[Token]:
    """Return the tokens of an expression, without spaces and comments.

    Raises:
        ValueError: the expression is too long.
    """
    if len(source) > MAX_LENGTH:
        raise ValueError(TOO_LONG)
    return list(_tokenize(source))


@lru_cache(maxsize=4096)
def _tokenize(source: str) -> tuple[Token, ...]:
    found = (Token(match.lastgroup or "", match.group(), match.end()) for match in TOKEN.finditer(source))
    return tuple(each for each in found if each.kind not in ("space", "comment"))


def split_template(text: str) -> list[tuple[bool, str]]:
    """Return the parts of a template: expressions (True) and other text. `$${` is the text `${`.

    Raises:
        ValueError: an expression is not closed or too long.
    """
    parts: list[tuple[bool, str]] = []
    plain, place = "", 0
    while (start := text.find("${", place)) >= 0:
        if start and text[start - 1] == "$" and start > place:
            plain, place = plain + text[place : start - 1] + "${", start + 2
            continue
        plain += text[place:start]
        if plain:
            parts.append((False, plain))
        plain, end = "", _find_end(text, start + 2)
        parts.append((True, text[start + 2 : end].strip()))
        place = end + 1
    plain += text[place:]
    return [*parts, (False, plain)] if plain or not parts else parts


def _find_end(text: str, start: int) -> int:
    depth = 0
    # A little longer, so that braces and spaces around an expression of the maximum length fit.
    limit = start + MAX_LENGTH + 10
    for match in TOKEN.finditer(text, start, limit):
        mark = match.group() if match.lastgroup == "mark" else ""
        if mark == "}" and not depth:
            return match.start()
        depth += (mark == "{") - (mark == "}")
    raise ValueError(TOO_LONG if len(text) > limit else "Close the expression with }.")
