"""Numbers and bullets of DOCX paragraphs, from `numbering.xml` and the styles."""

import re
from typing import Any

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
LEVELS = 9
MAX_STYLES, MAX_NUMBER = 50, 100_000
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


def get_value(element: Any, path: str) -> str:
    """Return the `w:val` of the element at `path` ("a/b"), or an empty string."""
    found = element.find("/".join(WORD + name for name in path.split("/"))) if element is not None else None
    return "" if found is None else found.get(f"{WORD}val") or ""


class StyleSheet:
    """Names, outline levels and numbering of paragraph styles, with those that they are based on."""

    def __init__(self, root: Any) -> None:
        styles = root.iterchildren(f"{WORD}style") if root is not None else ()
        self._styles = {style.get(f"{WORD}styleId") or "": style for style in styles}
        default = (
            key
            for key, style in self._styles.items()
            if style.get(f"{WORD}default") in ("1", "true") and style.get(f"{WORD}type") == "paragraph"
        )
        self._default = next(default, "")

    def get_style_id(self, properties: Any) -> str:
        """Return the style of a paragraph by its properties."""
        return get_value(properties, "pStyle") or self._default

    def find_value(self, style_id: str, path: str) -> str:
        """Return the first value at `path` of the style and those that it is based on."""
        for _ in range(MAX_STYLES):
            style = self._styles.get(style_id)
            if style is None:
                break
            if value := get_value(style, path):
                return value
            style_id = get_value(style, "basedOn")
        return ""

    def get_heading_level(self, properties: Any) -> int | None:
        """Return the outline level of a paragraph from 1, 0 for a title, None for body text."""
        style_id = self.get_style_id(properties)
        name = get_value(self._styles.get(style_id), "name").lower() or style_id.lower()
        if name == "title":
            return 0
        if found := re.fullmatch(r"heading ?([1-9])", name):
            return int(found[1])
        level = get_value(properties, "outlineLvl") or self.find_value(style_id, "pPr/outlineLvl")
        return int(level) + 1 if level.isdecimal() and int(level) < LEVELS else None


class Numbering:
    """Counters of all lists of a document."""

    def __init__(self, root: Any, styles: StyleSheet) -> None:
        self._styles = styles
        self._abstract: dict[str, dict[int, Any]] = {}
        self._style_levels: dict[str, dict[str, int]] = {}
        self._numbers: dict[str, tuple[str, dict[int, Any], dict[int, int]]] = {}
        self._counters: dict[str, list[int]] = {}
        self._restarted: set[tuple[str, int]] = set()
        for element in root.iterchildren(f"{WORD}abstractNum") if root is not None else ():
            key = element.get(f"{WORD}abstractNumId") or ""
            self._abstract[key] = _list_levels(element)
            named = {get_value(level, "pStyle"): number for number, level in self._abstract[key].items()}
            self._style_levels[key] = {name: number for name, number in named.items() if name}
        for element in root.iterchildren(f"{WORD}num") if root is not None else ():
            self._add_number(element)

    def _add_number(self, element: Any) -> None:
        levels, starts = {}, {}
        for override in element.iterchildren(f"{WORD}lvlOverride"):
            number = _parse_number(override.get(f"{WORD}ilvl"), 0)
            if (level := override.find(f"{WORD}lvl")) is not None:
                levels[number] = level
            if start := get_value(override, "startOverride"):
                starts[number] = _parse_number(start, 1)
        key = element.get(f"{WORD}numId") or ""
        self._numbers[key] = (get_value(element, "abstractNumId"), levels, starts)

    def number_paragraph(self, properties: Any) -> str | None:
        """Return the number or bullet of the next paragraph with its indentation; None if it is in no list."""
        style_id = self._styles.get_style_id(properties)
        number_id = get_value(properties, "numPr/numId") or self._styles.find_value(
            style_id, "pPr/numPr/numId"
        )
        if number_id not in self._numbers:
            return None
        abstract_id, overrides, starts = self._numbers[number_id]
        given = get_value(properties, "numPr/ilvl")
        level = (
            _parse_number(given, -1) if given else self._style_levels.get(abstract_id, {}).get(style_id, -1)
        )
        if level < 0:
            level = _parse_number(self._styles.find_value(style_id, "pPr/numPr/ilvl"), 0)
        level = min(level, LEVELS - 1)
        levels = {**self._abstract.get(abstract_id, {}), **overrides}
        if level not in levels:
            return None
        self._count(number_id, abstract_id, level, levels, starts)
        return self._format(abstract_id, level, levels)

    def _count(
        self, number_id: str, abstract_id: str, level: int, levels: dict[int, Any], starts: dict[int, int]
    ) -> None:
        counters = self._counters.setdefault(abstract_id, [-1] * LEVELS)
        start = starts.get(level, _parse_number(get_value(levels[level], "start"), 1))
        restart = level in starts and (number_id, level) not in self._restarted
        self._restarted.add((number_id, level))
        counters[level] = start if restart or counters[level] < 0 else min(counters[level] + 1, MAX_NUMBER)
        counters[level + 1 :] = [-1] * (LEVELS - level - 1)
        for above in range(level):
            if counters[above] < 0:
                counters[above] = _parse_number(get_value(levels.get(above), "start"), 1)

    def _format(self, abstract_id: str, level: int, levels: dict[int, Any]) -> str:
        kind, text = get_value(levels[level], "numFmt"), get_value(levels[level], "lvlText")
        if kind == "bullet":
            return "  " * level + "- "
        if kind == "none" or not text:
            return ""
        counters = self._counters[abstract_id]

        def replace(found: re.Match[str]) -> str:
            number = int(found[1]) - 1
            return format_number(counters[number], get_value(levels.get(number), "numFmt"))

        return "  " * level + re.sub(r"%([1-9])", replace, text) + " "


def _list_levels(element: Any) -> dict[int, Any]:
    levels = element.iterchildren(f"{WORD}lvl")
    return {_parse_number(level.get(f"{WORD}ilvl"), 0): level for level in levels}


def _parse_number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 7 else default


def format_number(number: int, kind: str) -> str:
    """Return a counter in a format of Word, such as `lowerRoman`; unknown formats are decimal."""
    if kind in ("lowerLetter", "upperLetter") and number > 0:
        text = chr(ord("a") + (number - 1) % 26) * min((number - 1) // 26 + 1, 50)
    elif kind in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        text = ""
        for value, letters in _ROMAN:
            text += letters * (number // value)
            number %= value
    else:
        return f"{number:02}" if kind == "decimalZero" else str(number)
    return text.upper() if kind.startswith("upper") else text
