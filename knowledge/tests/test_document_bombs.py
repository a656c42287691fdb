"""Nested, expanding and packed documents end with an error within the limits of the sandbox."""

import io
import time
import zipfile

import pytest

from knowledge.parsing import ParseError
from knowledge.parsing.sandbox import ParserPool
from knowledge.tests.malicious_files import LAUGHS, OUTSIDE, repacked
from knowledge.tests.open_files import chapter, epub, open_file, paragraph
from knowledge.tests.test_formats import KNOWN, make_docx, make_pptx, make_xlsx
from knowledge.tests.test_sandbox import parse

DEPTH = 10_000
MEGABYTES, SECONDS = 160, 1
# The wall time that a parser has for one second of CPU time is longer; the machine may be busy.
MAX_SECONDS = 15


def nest(mark, name, content=b"x"):
    """Return a change of an XML part that adds `DEPTH` nested elements at `mark`."""
    nested = b"<%b>" % name * DEPTH + content + b"</%b>" % name * DEPTH
    return lambda xml: xml.replace(mark, nested + mark, 1)


def entities(declared):
    """Return an XML part whose root element refers to the last of the declared entities."""
    return lambda xml: declared + b"]><x>&l9;</x>"


def quadratic(xml, count=20_000):
    """Return an XML part that refers `count` times to an entity of 20 kB."""
    declared = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 20_000 + b'">]>'
    start = xml.index(b"?>") + 2 if xml.startswith(b"<?xml") else 0
    return declared + xml[start:].replace(KNOWN.encode(), b"&a;" * count)


def spaces(xml):
    return xml + b" " * 120_000_000


def wide_cell(xml):
    """Return a document whose table cell spans a thousand million columns."""
    cell = b'<w:tc><w:tcPr><w:gridSpan w:val="1000000000"/></w:tcPr><w:p/></w:tc>'
    return xml.replace(b"<w:sectPr", b"<w:tbl><w:tr>" + cell + b"</w:tr></w:tbl><w:sectPr", 1)


def last_cell(xml):
    """Return a sheet whose only cell is the last possible one."""
    start, end = xml.index(b"<sheetData>"), xml.index(b"</sheetData>")
    row = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    return xml[:start].replace(b"A1:B2", b"A1:XFD1048576") + b"<sheetData>" + row + xml[end:]


def members():
    """Return a document with 20,000 further members."""
    target = io.BytesIO(make_docx())
    with zipfile.ZipFile(target, "a") as archive:
        for number in range(20_000):
            archive.writestr(f"word/{number}", b"")
    return target.getvalue()


TEXT, BOOK = open_file("text", paragraph(KNOWN)), epub(chapter("Tides", KNOWN))
# A row of the largest sheet, repeated in all columns and rows.
REPEATED = (
    f"<table:table><table:table-row><table:table-cell>{paragraph(KNOWN)}</table:table-cell></table:table-row>"
    '<table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="9">'
    f"{paragraph('x')}</table:table-cell></table:table-row></table:table>"
)
DOCX, SHEET, SLIDE = "word__document_xml", "xl__worksheets__sheet1_xml", "ppt__slides__slide1_xml"
REFUSED = {
    "nested.docx": lambda: repacked(make_docx(), **{DOCX: nest(b"<w:sectPr", b"w:sdt")}),
    "nested.pptx": lambda: repacked(make_pptx(), **{SLIDE: nest(b"</p:spTree>", b"p:grpSp")}),
    "styles.docx": lambda: repacked(make_docx(), word__styles_xml=nest(b"</w:styles>", b"w:style")),
    "core.docx": lambda: repacked(make_docx(), docProps__core_xml=entities(LAUGHS)),
    "workbook.xlsx": lambda: repacked(make_xlsx(), xl__workbook_xml=entities(LAUGHS)),
    "quadratic.docx": lambda: repacked(make_docx(), **{DOCX: quadratic}),
    "quadratic.pptx": lambda: repacked(make_pptx(), **{SLIDE: quadratic}),
    "quadratic.xlsx": lambda: repacked(make_xlsx(), **{SHEET: quadratic}),
    "ratio.docx": lambda: repacked(make_docx(), **{DOCX: spaces}),
    "nested.xlsx": lambda: repacked(make_xlsx(), **{SHEET: nest(b"</worksheet>", b"extLst")}),
    "book.epub": make_docx,
    "nested.odt": lambda: repacked(TEXT, content_xml=nest(b"</office:text>", b"text:section")),
    "laughs.odt": lambda: repacked(TEXT, content_xml=entities(LAUGHS)),
    "laughs.epub": lambda: repacked(BOOK, **{"META-INF__container_xml": entities(LAUGHS)}),
    "chapter.epub": lambda: epub("<a b='" + "x" * 100_000_000),
    "groups.rtf": lambda: b"{\\rtf1" + b"{" * DEPTH,
    "cells.ipynb": lambda: b"[" * DEPTH,
    "attributes.html": lambda: b'<a b="' * DEPTH,
    "comments.xhtml": lambda: b"<a " * DEPTH,
}
READ = {
    "columns.ods": lambda: open_file("spreadsheet", REPEATED),
    "rows.html": lambda: f"<table><tr><td rowspan=65534 colspan=1000>{KNOWN}".encode() + b"<tr><td>x" * DEPTH,
    "nested.html": lambda: b"<div>" * DEPTH + KNOWN.encode() + b"</div>" * DEPTH,
    "dropped.html": lambda: b"<nav>" * DEPTH + b"</svg>" * DEPTH + b"</nav>" + KNOWN.encode(),
    "entities.xhtml": lambda: LAUGHS + b"]><p>&l9;" + KNOWN.encode() + b"</p>",
    "outside.xhtml": lambda: OUTSIDE + b"]><p>&l9;" + KNOWN.encode() + b"</p>",
    "wide.docx": lambda: repacked(make_docx(), **{DOCX: wide_cell}),
    "members.docx": members,
}


@pytest.fixture(scope="module")
def readers():
    readers = ParserPool(1)
    yield readers
    readers.end()


@pytest.mark.security("slow input")
@pytest.mark.parametrize("name", REFUSED)
def test_document_bombs_are_refused(readers, attacks, name):
    data, began = REFUSED[name](), time.monotonic()
    with pytest.raises(ParseError) as caught:
        parse(readers, data, name, MEGABYTES, SECONDS)
    attacks.attempt(name, succeeded=time.monotonic() - began > MAX_SECONDS)
    assert name in str(caught.value)


@pytest.mark.parametrize("name", READ)
def test_large_structures_are_read_without_expansion(readers, name):
    text = parse(readers, READ[name](), name, MEGABYTES, SECONDS).text
    assert KNOWN in text
    assert ("lol" in text, "root:" in text) == (False, False)


def test_last_cell_of_a_sheet_is_read_without_the_cells_before(readers):
    data = repacked(make_xlsx(), **{SHEET: last_cell})
    assert parse(readers, data, "last.xlsx", MEGABYTES, SECONDS).text == "1"
