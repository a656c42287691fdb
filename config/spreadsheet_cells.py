"""Text in cells of spreadsheets, protected from evaluation as a formula.

Spreadsheet programs evaluate cells that begin with certain characters (OWASP: CSV injection). Such a text is exported
with a leading apostrophe, which an import removes. Numbers stay numbers. This module does not import Django.
"""

from typing import Any

# The last four are the full-width forms, which some programs convert.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def neutralize_cell(value: Any) -> Any:
    """Return `value`, with a leading apostrophe if a program could evaluate it."""
    if isinstance(value, str) and _is_formula(value) and not _is_number(value):
        return f"'{value}"
    return value


def restore_cell(value: str) -> str:
    """Return the text that `neutralize_cell` changed."""
    return value[1:] if value.startswith("'") and _is_formula(value[1:]) else value


def _is_formula(text: str) -> bool:
    # Texts that look already neutralized get one more apostrophe, so that an import gives back each text.
    return text.lstrip(" '").startswith(FORMULA_STARTS)


def _is_number(text: str) -> bool:
    return text[0] in "+-" and text.isascii() and text[1:].replace(".", "", 1).isdecimal()
