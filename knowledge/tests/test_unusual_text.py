"""Scripts from right to left, emoji, combining and invisible characters, and words without end."""

import pytest
from docx import Document

from knowledge.chunking import chunk_document
from knowledge.parsing import parse_bytes
from knowledge.tests.open_files import open_file, paragraph
from knowledge.tests.test_formats import make_xlsx, saved

TEXTS = {
    "hebrew": ("שלום עולם, 123", "שלום עולם, 123"),
    "arabic": ("مرحبا بالعالم", "مرحبا بالعالم"),
    "emoji": ("👩‍👩‍👧 🇫🇷 👍🏽", "👩‍👩‍👧 🇫🇷 👍🏽"),
    "combining": ("cafe\u0301 A\u030a", "café Å"),
    "invisible": ("High\u200b water\u2060 fol\u00adlows\ufeff", "High water follows"),
    "khmer": ("ក\u200bខ", "ក\u200bខ"),
    "persian": ("می\u200cخواهم", "می\u200cخواهم"),
}


def write_docx(text):
    document = Document()
    document.add_paragraph(text)
    return saved(document)


WRITERS = {
    "a.txt": str.encode,
    "a.html": lambda text: f"<p>{text}</p>".encode(),
    "a.docx": write_docx,
    "a.xlsx": lambda text: make_xlsx([[text]]),
    "a.odt": lambda text: open_file("text", paragraph(text)),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("name", WRITERS)
def test_text_keeps_its_order_and_characters(name, kind):
    text, expected = TEXTS[kind]
    parsed = parse_bytes(WRITERS[name](text), name)
    assert (parsed.text, parsed.sections[0].end) == (expected, len(expected))


@pytest.mark.parametrize("unit", ["a", "😀", "ab "], ids=["word", "emoji", "sentence"])
def test_words_without_end_are_cut(unit):
    text = (unit * (450_000 // len(unit))).strip()
    chunks = chunk_document(parse_bytes(text.encode(), "a.txt"), size=256, overlap=0)
    assert "".join(chunk.text for chunk in chunks).replace(" ", "") == text.replace(" ", "")
    assert max(chunk.tokens for chunk in chunks) <= 256
