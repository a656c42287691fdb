"""Reader for subtitles (SRT, WebVTT): cues joined into paragraphs, with the time of their start."""

import re
from collections.abc import Iterator

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock, decode

# A paragraph ends after a pause, or at the end of a sentence once it is long.
MAX_PAUSE, MIN_LENGTH, MAX_LENGTH = 4.0, 400, 1_200
_TIMES = re.compile(
    r"\s*((?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3})\s+-->\s+((?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3})"
)
_VOICE = re.compile(r"<v(?:\.[^>\s]{0,100})?\s([^>]{1,100})>")
_TAG = re.compile(r"</?[a-zA-Z0-9][^<>]{0,200}>|\{\\[^{}]{0,100}\}")


def read_subtitles(data: bytes, name: str) -> ReaderResult:
    """Return the spoken text.

    Raises:
        ParseError: If the file does not contain a cue.
    """
    cues = list(_iter_cues(decode(data, name).split("\n")))
    if not cues:
        raise ParseError(f"{name}: damaged subtitles (no line has times)")
    return ReaderResult(list(_join_cues(cues)), "", {"duration": _format_time(cues[-1][1])})


def _iter_cues(lines: list[str]) -> Iterator[tuple[float, float, str]]:
    """Yield start, end and text of each cue; the lines before the times and notes are left out."""
    times: tuple[float, float] | None = None
    words: list[str] = []
    for line in [*lines, ""]:
        if found := _TIMES.match(line):
            if times and words[:-1]:
                yield *times, " ".join(words[:-1])  # the line above is the number of this cue
            times, words = (_parse_time(found[1]), _parse_time(found[2])), []
        elif line.strip():
            words.append(_clean_line(line))
        else:
            if times and any(words):
                yield *times, " ".join(filter(None, words))
            times, words = None, []


def _clean_line(line: str) -> str:
    text = _TAG.sub("", _VOICE.sub(lambda found: f"{found[1]}: ", line))
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&amp;", "&")):
        text = text.replace(entity, character)
    return " ".join(text.split())


def _join_cues(cues: list[tuple[float, float, str]]) -> Iterator[TextBlock]:
    start, end, size = cues[0][0], cues[0][0], 0
    parts: list[str] = []
    last = ""
    for begin, finish, text in cues:
        is_over = size >= MAX_LENGTH or (size >= MIN_LENGTH and last.endswith((".", "!", "?", "…", "。")))
        if parts and (begin - end > MAX_PAUSE or is_over):
            yield TextBlock(" ".join(parts), (_format_time(start),))
            parts, size, start = [], 0, begin
        # Live captions repeat the line above.
        if text != last:
            parts.append(text)
            size += len(text) + 1
        end, last = finish, text
    yield TextBlock(" ".join(parts), (_format_time(start),))


def _parse_time(text: str) -> float:
    seconds = 0.0
    for part in text.replace(",", ".").split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _format_time(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
