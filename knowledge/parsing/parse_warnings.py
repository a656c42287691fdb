"""Warnings about the content of a file that its reader did not read, with counts."""

from collections import Counter
from typing import Any

# Message for one and for several, by code. A code is part of the API.
MESSAGES = {
    "needs_ocr": (
        "1 page has no text layer. It needs OCR.",
        "{count:,} pages have no text layer. They need OCR.",
    ),
    "ocr_uncertain": (
        "1 page was read by OCR with low confidence. Compare it with the original.",
        "{count:,} pages were read by OCR with low confidence. Compare them with the original.",
    ),
    "images_without_text": ("1 image was not read.", "{count:,} images were not read."),
    "fonts_without_unicode": (
        "1 page was not read or only in part, because its fonts do not map to Unicode characters. It needs OCR.",
        (
            "{count:,} pages were not read or only in part, because their fonts do not map to Unicode characters. "
            "They need OCR."
        ),
    ),
    "pages_not_read": (
        "1 page is damaged and was not read.",
        "{count:,} pages are damaged and were not read.",
    ),
    "tables_not_detected": (
        "1 page with a table was read as plain text.",
        "{count:,} pages with tables were read as plain text.",
    ),
    "formulas_without_value": (
        "1 formula has no stored value and was not read. Open the file in a spreadsheet program and save it.",
        (
            "{count:,} formulas have no stored value and were not read. "
            "Open the file in a spreadsheet program and save it."
        ),
    ),
    "hidden_sheets": ("1 hidden sheet was not read.", "{count:,} hidden sheets were not read."),
    "charts_without_data": (
        "1 chart stores no data and was not read.",
        "{count:,} charts store no data and were not read.",
    ),
    "embedded_files": ("1 embedded file was not read.", "{count:,} embedded files were not read."),
    "attachments_not_read": ("1 attachment was not read.", "{count:,} attachments were not read."),
    "parts_not_read": (
        "1 part of the file is damaged and was not read.",
        "{count:,} parts of the file are damaged and were not read.",
    ),
    "values_shortened": (
        "1 long value was shortened.",
        "{count:,} long values were shortened.",
    ),
    "outputs_not_read": (
        "1 output without text was not read.",
        "{count:,} outputs without text were not read.",
    ),
}


def build_warnings(counts: Counter[str]) -> list[dict[str, Any]]:
    """Return the counted codes as warnings, in the order of `MESSAGES`."""
    return [
        {
            "code": code,
            "count": counts[code],
            "message": (one if counts[code] == 1 else many).format(count=counts[code]),
        }
        for code, (one, many) in MESSAGES.items()
        if counts[code] > 0
    ]
