"""Text and words of PDF pages as PDFium reads them, which knows right-to-left scripts and `ActualText`."""

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 200_000
RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_BRAHMIC = re.compile("[\u0900-\u0dff]")
_ALEFS, _LAM = ("\u0622", "\u0623", "\u0625", "\u0627"), "\u0644"
# Marks of a hyphen at the end of a line, which belongs to a divided word.
_HYPHENS = "\x02\ufffe\uffff"


@dataclass(frozen=True, slots=True)
class Character:
    """A character and its box in points from the top left corner; the program may have added the spaces."""

    text: str
    is_added: bool
    left: float
    top: float
    right: float
    bottom: float


def read_characters(page: Any) -> list[Character]:
    """Return the characters of a PDFium page in reading order."""
    import pypdfium2.raw as pdfium

    text_page, height = page.get_textpage(), page.get_height()
    box, found = pdfium.FS_RECTF(), []
    try:
        for index in range(min(pdfium.FPDFText_CountChars(text_page), MAX_CHARACTERS)):
            code = pdfium.FPDFText_GetUnicode(text_page, index)
            pdfium.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(box))
            is_added = pdfium.FPDFText_IsGenerated(text_page, index) == 1
            text = chr(code) if code and code <= 0x10FFFF else ""
            found.append(
                Character(text, is_added, box.left, height - box.top, box.right, height - box.bottom)
            )
    finally:
        text_page.close()
    return list(repair_ligatures(found))


def repair_ligatures(characters: list[Character]) -> Iterator[Character]:
    """Yield the characters without hyphens of divided words, and with the letters of Arabic ligatures in order."""
    previous: Character | None = None
    for character in characters:
        if character.text in _HYPHENS:
            continue
        if previous is not None and _is_ligature(previous, character):
            yield character
            continue
        if previous is not None:
            yield previous
        previous = character
    if previous is not None:
        yield previous


def _is_ligature(first: Character, second: Character) -> bool:
    """Return whether two characters are lam and alef from one glyph."""
    is_one_glyph = (first.left, first.right) == (second.left, second.right) and first.left < first.right
    return is_one_glyph and first.text in _ALEFS and second.text == _LAM


def join_text(characters: list[Character]) -> str:
    """Return the characters as lines."""
    return "".join(each.text for each in characters).replace("\r\n", "\n")


def has_guessed_spaces(characters: list[Character]) -> bool:
    """Return whether a page in a Brahmic script stores no spaces.

    PDFium guesses them from the boxes of letters, which miss the vowel signs.
    """
    letters = sum(1 for each in characters if _BRAHMIC.match(each.text))
    spaces = sum(1 for each in characters if each.text == " " and not each.is_added)
    return letters > len(characters) / 3 and spaces < letters / 50


def list_words(characters: list[Character]) -> list[dict[str, Any]]:
    """Return the words with their boxes, as `extract_words` of pdfplumber does."""
    words: list[list[Character]] = [[]]
    for character in characters:
        if not character.text.strip():
            words.append([])
            continue
        if words[-1] and _is_apart(words[-1][-1], character):
            words.append([])
        words[-1].append(character)
    return list(map(_build_word, filter(None, words)))


def _is_apart(before: Character, after: Character) -> bool:
    """Return whether two characters are on different lines, or have a gap between them."""
    height = max(before.bottom - before.top, after.bottom - after.top, 1.0)
    middle = (after.top + after.bottom) / 2
    gap = max(after.left - before.right, before.left - after.right)
    return not before.top - height / 2 <= middle <= before.bottom + height / 2 or gap > height


def _build_word(word: list[Character]) -> dict[str, Any]:
    """Return a word; PDFium reverses codes such as "P01" in a line from right to left."""
    if all(each.text.isascii() for each in word):
        word = sorted(word, key=lambda each: each.left)
    return {
        "text": "".join(each.text for each in word),
        "x0": min(each.left for each in word),
        "x1": max(each.right for each in word),
        "top": min(each.top for each in word),
        "bottom": max(each.bottom for each in word),
    }
