"""PDF pages: tables, columns, headings, labels, and pages that cannot be read."""

import pytest
from pypdf.constants import PageLabelStyle
from pypdf.generic import ArrayObject, NameObject, NumberObject

from knowledge.parsing import ParseError, parse_bytes, pdf
from knowledge.parsing.pdf_scan import is_unmapped
from knowledge.tests.pdf_files import UNMAPPED, cells, draw, grid, name_dict, text
from knowledge.tests.test_parsing import pdf_with

ROWS = [
    ("Quay", "Depth", "Owner"),
    ("Fish quay", "4.5 m", "Le Goff"),
    ("Coal quay", "7 m", ""),
    ("Mole", "9 m", "X"),
]
LINES = "Quay | Depth | Owner\nFish quay | 4.5 m | Le Goff\nCoal quay | 7 m\nMole | 9 m | X"
PLACE = (50, 600, (120, 80, 100))
PROSE = "".join(
    text(50, 700 - 12 * number, f"Line {number} of the text is longer than a cell.") for number in range(4)
)
SCAN = "q 500 0 0 700 50 50 cm /Im Do Q"


def codes(parsed):
    return {each["code"]: each["count"] for each in parsed.warnings}


@pytest.mark.parametrize("rules", [grid(*PLACE, 4), ""], ids=["ruled", "aligned"])
def test_tables_become_rows(rules):
    parsed = parse_bytes(draw(PROSE + rules + cells(*PLACE, ROWS)), "a.pdf")
    assert parsed.text.endswith("Line 3 of the text is longer than a cell.\n\n" + LINES)
    assert parsed.warnings == []


def test_wrapped_cells_continue_their_row():
    rows = [
        ("Quay", "Depth", "Owner"),
        ("Fish quay", "4 m", "Port of"),
        ("", "", "Brest"),
        ("Mole", "9 m", "X"),
    ]
    parsed = parse_bytes(draw(cells(*PLACE, rows, height=14)), "a.pdf")
    assert parsed.text == "Quay | Depth | Owner\nFish quay | 4 m | Port of Brest\nMole | 9 m | X"


def test_columns_are_read_one_after_the_other():
    sides = [(50, "Left {} with several words in it"), (320, "Right {} with several words in it")]
    lines = [text(x, 700 - 12 * n, words.format(n)) for n in range(8) for x, words in sides]
    wide = text(
        50,
        720,
        "A line above the columns that is as wide as the page, from the left to the right margin of it.",
    )
    words = parse_bytes(draw(wide + "".join(lines)), "a.pdf").text.split()
    places = [words.index("above"), *(i for i, w in enumerate(words) if w == "Left"), words.index("Right")]
    assert places == sorted(places)


@pytest.mark.parametrize("limit", ["seconds", "characters"])
def test_tables_beyond_the_limits_are_read_as_text_with_a_warning(monkeypatch, limit):
    if limit == "seconds":
        monkeypatch.setattr(pdf, "get_layout_seconds", lambda: 0)
    else:
        monkeypatch.setattr("knowledge.parsing.pdf_layout.MAX_CHARS", 5)
    parsed = parse_bytes(draw(grid(*PLACE, 4) + cells(*PLACE, ROWS)), "a.pdf")
    assert ("Fish quay" in parsed.text, "|" in parsed.text) == (True, False)
    assert codes(parsed) == {"tables_not_detected": 1}


def test_larger_lines_are_headings():
    pages = [
        text(50, 750, "Harbour", 24) + text(50, 720, "Depths", 16) + PROSE,
        text(50, 720, "Owners", 16) + PROSE + text(50, 640, "Taxes", 16) + text(50, 600, "None at all."),
    ]
    parsed = parse_bytes(draw(*pages), "a.pdf")
    assert [(section.title, section.page) for section in parsed.sections] == [
        ("Harbour", 1),
        ("Harbour > Depths", 1),
        ("Harbour > Owners", 2),
        ("Harbour > Taxes", 2),
    ]


def test_page_labels_are_in_the_metadata():
    def number(writer):
        writer.set_page_label(0, 1, style=PageLabelStyle.LOWERCASE_ROMAN)
        writer.set_page_label(2, 3, style=PageLabelStyle.DECIMAL, start=7)

    parsed = parse_bytes(draw(*[text(50, 700, "Words.")] * 4, prepare=number), "a.pdf")
    assert parsed.metadata["page_labels"] == [{"page": 1, "label": "i"}, {"page": 3, "label": "7"}]
    assert "page_labels" not in parse_bytes(pdf_with("Words."), "a.pdf").metadata


def test_pages_without_text_layer_need_ocr():
    parsed = parse_bytes(draw(text(50, 700, "Words."), SCAN, SCAN, ""), "a.pdf")
    assert codes(parsed) == {"needs_ocr": 2}
    with pytest.raises(ParseError, match=r"a\.pdf: the PDF has no text layer and needs OCR \(2 pages\)"):
        parse_bytes(draw(SCAN, SCAN), "a.pdf")
    with pytest.raises(ParseError, match=r"a\.pdf: the PDF has no text$"):
        parse_bytes(draw(""), "a.pdf")


def test_images_between_text_are_counted_once():
    parsed = parse_bytes(draw(*[text(50, 700, "Words.") + SCAN] * 3), "a.pdf")
    assert codes(parsed) == {"images_without_text": 1}


def test_fonts_without_unicode_give_a_warning_and_no_text():
    words = text(50, 700, "\x00\x01\x00\x02" * 20)
    with pytest.raises(
        ParseError, match=r"do not map to Unicode characters, so that it needs OCR \(1 page\)"
    ):
        parse_bytes(draw(words, font=UNMAPPED), "a.pdf")


def test_pages_after_the_time_for_layout_are_read_as_plain_text(monkeypatch):
    monkeypatch.setattr(pdf, "get_layout_seconds", lambda: 0.0)
    parsed = parse_bytes(draw(text(50, 700, "Words."), cells(*PLACE, ROWS)), "a.pdf")
    assert parsed.sections[0].text == "Words."
    assert "Fish quay" in parsed.sections[1].text
    assert codes(parsed) == {"tables_not_detected": 1}


@pytest.mark.parametrize(("name", "is_expected"), [("/a65", False), ("/g12", True)])
def test_bitmap_fonts_of_tex_name_their_characters(name, is_expected):
    differences = ArrayObject([NumberObject(65), NameObject(name)])
    encoding = name_dict(Type="Encoding", Differences=differences)
    assert is_unmapped(name_dict(Type="Font", Subtype="Type3", Encoding=encoding)) is is_expected


def test_damaged_pages_are_counted(monkeypatch):
    data = draw(text(50, 700, "Words."), text(50, 700, "Lost."))
    pages = iter((False, True))

    def fail_once(page, **kwargs):
        if next(pages):
            raise KeyError("/Length")
        return "Words."

    monkeypatch.setattr("pypdf.PageObject.extract_text", fail_once)
    parsed = parse_bytes(data, "a.pdf")
    assert (parsed.text, codes(parsed)) == ("Words.", {"pages_not_read": 1})
