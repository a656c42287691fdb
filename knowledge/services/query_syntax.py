"""Operators of search queries: `"exact phrase"`, `-excluded` and `title:word`.

The conditions are regular expressions of PostgreSQL in which the user's text is escaped.
"""

import re
from dataclasses import dataclass
from typing import Any

_TERM = re.compile(
    r"(?<!\S)(-?)(title:)?(?:[\"“”„]([^\"“”„]{1,200})[\"“”](?!\w)|([^\s\"“”„]{2,100}))", re.IGNORECASE
)
_WORDS = re.compile(r"\w+")
# Command options such as `-v` and `--help`, and negative numbers, are text.
_EXCLUDED = re.compile(r"[^\W\d_][\w'’-]{2,}")
MAX_OPERATORS = 10


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """The words of a query, and the regular expressions of its operators."""

    text: str
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()

    def build_conditions(self) -> dict[str, Any]:
        """Return the conditions of `search_sql.OPERATORS` with their values, without empty ones."""
        conditions = {"phrases": self.phrases, "excluded": self.excluded, "titles": self.titles}
        return {name: list(patterns) for name, patterns in conditions.items() if patterns}


def parse_query(query: str) -> ParsedQuery:
    """Separate the words of `query` from its operators; at most ten operators count.

    The words of phrases and titles are searched too; excluded words are not.
    """
    found: dict[str, list[str]] = {"phrases": [], "excluded": [], "titles": []}

    def take_operator(term: re.Match[str]) -> str:
        minus, title, phrase, word = term.groups()
        value = phrase if phrase is not None else word
        kind = _classify(minus, title, phrase, word)
        pattern = _build_pattern(value)
        if not kind or not pattern or sum(map(len, found.values())) >= MAX_OPERATORS:
            return term[0]
        found[kind].append(pattern)
        return "" if kind == "excluded" else value

    text = _TERM.sub(take_operator, query)
    return ParsedQuery(text, *(tuple(found[kind]) for kind in ("phrases", "excluded", "titles")))


def _classify(minus: str, title: str | None, phrase: str | None, word: str | None) -> str:
    if title:
        return "" if minus else "titles"
    if minus:
        return "excluded" if phrase is not None or _EXCLUDED.fullmatch(word or "") else ""
    return "phrases" if phrase is not None else ""


def _build_pattern(text: str) -> str:
    """Return a regular expression of the words of `text`, with any separators between them."""
    words = _WORDS.findall(text)
    if not words:
        return ""
    pattern = r"[^[:alnum:]]+".join(map(re.escape, words))
    # Word boundaries of PostgreSQL. Scripts without spaces between words have none.
    start, end = (r"\m" if words[0][0].isascii() else ""), (r"\M" if words[-1][-1].isascii() else "")
    return f"{start}{pattern}{end}"
