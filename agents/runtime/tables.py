"""Header rows of tables in passages."""

import re
from collections.abc import Sequence

from knowledge.sentences import Span

_ROW = re.compile(r"\|.*\||[^\n]*\S\s\|\s\S[^\n]*")
_SEPARATOR = re.compile(r"[\s|:+-]+")


def find_headers(text: str, spans: Sequence[Span]) -> dict[int, str]:
    """Return the header row of each table row, by the row's start; the header itself has none."""
    headers: dict[int, str] = {}
    header, end = "", -1
    for span in spans:
        if "|" not in span.text or not _ROW.fullmatch(span.text):
            header, end = "", -1
            continue
        if end < 0 or text.count("\n", end, span.start) > 1:
            header = span.text.strip("| \t")
        elif not _SEPARATOR.fullmatch(span.text):
            headers[span.start] = header
        end = span.end
    return headers
