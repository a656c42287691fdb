"""Readers for vCard and iCalendar files: a section for each person or event."""

import quopri
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock, decode

MAX_ENTRIES = 50_000
_LINE = re.compile(
    r"(?:[\w-]{1,50}\.)?([A-Za-z][\w-]{0,60})((?:;[^:;\"]{0,500}(?:\"[^\"]{0,500}\")?){0,20}):(.*)", re.DOTALL
)
_TYPE = re.compile(r"type=\"?([^;:\"]{1,100})", re.IGNORECASE)
_LABELS = {
    "ORG": "Organization", "TITLE": "Title", "ROLE": "Role", "TEL": "Phone", "EMAIL": "E-mail", "ADR": "Address",
    "URL": "URL", "BDAY": "Birthday", "NOTE": "Note", "NICKNAME": "Nickname", "IMPP": "Chat",
    "CATEGORIES": "Categories",
    "LANG": "Language", "RELATED": "Related", "DTSTART": "Start", "DTEND": "End", "DUE": "Due", "LOCATION": "Location",
    "DESCRIPTION": "Description", "ORGANIZER": "Organizer", "ATTENDEE": "Attendee", "RRULE": "Repeats",
    "STATUS": "Status", "COMMENT": "Comment",
}  # fmt: skip
_STRUCTURED = frozenset(("ADR", "ORG", "N", "CATEGORIES", "NICKNAME"))
_TYPES = frozenset(("home", "work", "cell", "mobile", "fax", "main", "pager", "iphone"))
_TIMES = frozenset(("DTSTART", "DTEND", "DUE", "BDAY"))


@dataclass(frozen=True, slots=True)
class ContentLine:
    """A line of RFC 6350 or 5545: name in capitals, parameters, value."""

    name: str
    parameters: str
    value: str

    def get_text(self) -> str:
        """Return the value without escapes; parts of structured values are separated by commas."""
        value = self.value
        if "quoted-printable" in self.parameters.lower():
            value = quopri.decodestring(value.encode()).decode(errors="replace")
        if self.name in _TIMES:
            return _format_time(value)
        if self.name in _STRUCTURED:
            value = re.sub(r"(?<!\\)[;,]", ", ", value)
            value = ", ".join(part.strip() for part in value.split(", ") if part.strip())
        for escape, character in (("\\n", "\n"), ("\\N", "\n"), ("\\,", ","), ("\\;", ";"), ("\\\\", "\\")):
            value = value.replace(escape, character)
        return value.removeprefix("mailto:").removeprefix("MAILTO:").removeprefix("tel:").strip()

    def get_label(self) -> str:
        """Return the label with the kind of a number or address: "Phone (work)"."""
        types = {t for found in _TYPE.findall(self.parameters) for t in found.lower().split(",")}
        kinds = sorted(
            types & _TYPES | {p.lower() for p in self.parameters.split(";") if p.lower() in _TYPES}
        )
        label = _LABELS[self.name]
        return f"{label} ({', '.join(kinds)})" if kinds else label


def read_vcard(data: bytes, name: str) -> ReaderResult:
    """Return a section for each person.

    Raises:
        ParseError: If there is none, or too many.
    """
    return _read_entries(data, name, "vCard", {"VCARD": ("FN", "N", "ORG", "EMAIL")})


def read_icalendar(data: bytes, name: str) -> ReaderResult:
    """Return a section for each event, task and journal entry.

    Raises:
        ParseError: If there is none, or too many.
    """
    return _read_entries(
        data, name, "iCalendar", dict.fromkeys(("VEVENT", "VTODO", "VJOURNAL"), ("SUMMARY",))
    )


def _read_entries(data: bytes, name: str, kind: str, titles: dict[str, tuple[str, ...]]) -> ReaderResult:
    warnings: Counter[str] = Counter()
    pieces: list[TextBlock] = []
    for component, lines in _iter_components(_iter_lines(decode(data, name)), frozenset(titles)):
        warnings["images_without_text"] += sum(1 for line in lines if line.name in ("PHOTO", "LOGO"))
        pieces.append(_build_block(lines, titles[component]))
        if len(pieces) > MAX_ENTRIES:
            raise ParseError(f"{name}: more than {MAX_ENTRIES:,} entries")
    if not pieces:
        raise ParseError(f"{name}: damaged {kind} (it has no entry)")
    return ReaderResult(pieces, "", {"entries": len(pieces)}, warnings)


def _iter_lines(text: str) -> Iterator[ContentLine]:
    """Yield the content lines; a line that begins with white space continues the one above."""
    collected: list[str] = []
    for line in [*text.split("\n"), ""]:
        if line[:1] in (" ", "\t") and collected:
            collected.append(line[1:])
        elif collected and collected[-1].endswith("=") and "QUOTED-PRINTABLE" in collected[0][:200].upper():
            collected[-1] = collected[-1][:-1]
            collected.append(line)
        else:
            if found := _LINE.fullmatch("".join(collected)):
                yield ContentLine(found[1].upper(), found[2], found[3])
            collected = [line]


def _iter_components(
    lines: Iterator[ContentLine], wanted: frozenset[str]
) -> Iterator[tuple[str, list[ContentLine]]]:
    """Yield the lines of the wanted components, without those of alarms in them."""
    component, inner = "", 0
    collected: list[ContentLine] = []
    for line in lines:
        value = line.value.strip().upper()
        if line.name == "BEGIN":
            if value in wanted:
                component, inner, collected = value, 0, []
            else:
                inner += 1
        elif line.name == "END" and component and value == component:
            yield component, collected
            component, collected = "", []
        elif line.name == "END":
            inner = max(0, inner - 1)
        elif component and not inner:
            collected.append(line)


def _build_block(lines: list[ContentLine], titles: tuple[str, ...]) -> TextBlock:
    title = next((t for key in titles for line in lines if line.name == key and (t := line.get_text())), "")
    texts = [
        f"{line.get_label()}: {text}" for line in lines if line.name in _LABELS and (text := line.get_text())
    ]
    return TextBlock("\n".join(filter(None, [title, *texts])), (" ".join(title.split()),) if title else ())


def _format_time(value: str) -> str:
    """Return "20260706T080000Z" as "2026-07-06 08:00 UTC"."""
    found = re.fullmatch(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})\d{2}(Z?))?", value.strip())
    if not found:
        return value.strip()
    year, month, day, hour, minute, zone = found.groups()
    return f"{year}-{month}-{day}" + (f" {hour}:{minute}" if hour else "") + (" UTC" if zone else "")
