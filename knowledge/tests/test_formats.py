"""A known sentence of a real file of every kind, made by the library that writes it."""

import csv
import io
import json
from email.message import EmailMessage

import pytest
from docx import Document
from openpyxl import Workbook
from pptx import Presentation
from pypdf import PdfReader, PdfWriter

from knowledge.parsing import ParseError, parse_bytes
from knowledge.tests.test_parsing import pdf_with

KNOWN = "High water follows the moon."


def saved(thing):
    target = io.BytesIO()
    thing.save(target)
    return target.getvalue()


def make_docx():
    made = Document()
    made.add_heading("Tides", 1)
    made.add_paragraph(KNOWN)
    return saved(made)


def make_pptx():
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Tides"
    slide.placeholders[1].text = KNOWN
    slide.notes_slide.notes_text_frame.text = "Say it slowly."
    return saved(deck)


def make_xlsx(rows=(("Port", "Note"), ("Brest", KNOWN))):
    book = Workbook()
    book.active.title = "Tides"
    for row in rows:
        book.active.append(row)
    return saved(book)


def make_pdf():
    writer = PdfWriter(PdfReader(io.BytesIO(pdf_with("First page", KNOWN))))
    writer.add_outline_item(title="Tides", page_number=1)
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def make_csv(delimiter=","):
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter).writerows([("Port", "Note"), ("Brest", KNOWN), ("Kiel", "None.")])
    return target.getvalue().encode()


def make_eml():
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "a@example.org", "b@example.org", "Tides"
    letter.set_content("See the attachment.")
    letter.add_alternative("<p>See the attachment.</p>", subtype="html")
    letter.add_attachment(KNOWN, filename="note.txt")
    letter.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="x.bin")
    return letter.as_bytes()


FILES = {
    "a.pdf": make_pdf,
    "a.docx": make_docx,
    "a.pptx": make_pptx,
    "a.xlsx": make_xlsx,
    "a.html": f"<h1>Tides</h1><p>{KNOWN}</p>".encode,
    "a.md": f"# Tides\n\n{KNOWN}\n".encode,
    "a.csv": make_csv,
    "semicolons.csv": lambda: make_csv(";"),
    "a.tsv": lambda: make_csv("\t"),
    "a.json": lambda: json.dumps({"Tides": {"note": [KNOWN]}}).encode(),
    "a.jsonl": lambda: b'{"a": 1}\n' + json.dumps({"note": KNOWN}).encode(),
    "a.eml": make_eml,
    "a.txt": KNOWN.encode,
    "a.py": f'def tides():\n    """{KNOWN}"""\n'.encode,
    "a.js": f"// {KNOWN}\nexport function tides() {{ return 1; }}\n".encode,
    "a.sql": f"-- {KNOWN}\nCREATE TABLE tides (id int);\n".encode,
    "a.rst": f"Tides\n=====\n\n{KNOWN}\n".encode,
}
PLACES = {
    "a.pdf": ("Tides", 2),
    "a.docx": ("Tides", None),
    "a.pptx": ("Tides", 1),
    "a.xlsx": ("Tides > Port | Note", None),
    "a.csv": ("Port | Note", None),
    "semicolons.csv": ("Port | Note", None),
    "a.json": ("Tides", None),
    "a.eml": ("Tides > note.txt", None),
    "a.js": ("a.js > tides", None),
    "a.sql": ("a.sql > tides", None),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_gives_its_text_and_place(name):
    parsed = parse_bytes(FILES[name](), name)
    (section,) = [each for each in parsed.sections if KNOWN in each.text]
    assert parsed.text[section.start : section.end] == section.text
    if name in PLACES:
        assert (section.title, section.page) == PLACES[name]


def test_slides_keep_notes_and_emails_name_attachments():
    assert "Notes: Say it slowly." in parse_bytes(make_pptx(), "a.pptx").text
    assert "Attachment: x.bin (application/octet-stream)" in parse_bytes(make_eml(), "a.eml").text


def letter(subject, text="See below."):
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@example.org", "b@example.org", subject
    made.set_content(text)
    return made


def test_email_attachments_are_parsed():
    inner, outer = letter("Inner"), letter("Outer")
    inner.add_attachment(make_docx(), maintype="application", subtype="msword", filename="note.docx")
    outer.add_attachment(inner)
    outer.add_attachment(b"%PDF-1.4 broken", maintype="application", subtype="pdf", filename="broken.pdf")
    parsed = parse_bytes(outer.as_bytes(), "a.eml")
    (section,) = [each for each in parsed.sections if KNOWN in each.text]
    assert section.title == "Outer > Inner > note.docx > Tides"
    assert "Attachment: broken.pdf (broken.pdf: damaged PDF" in parsed.text


def test_nested_emails_are_parsed_to_a_limit():
    made = letter("Number 0", "Text 0.")
    for number in range(1, 9):
        outer = letter(f"Number {number}", f"Text {number}.")
        outer.add_attachment(made)
        made = outer
    text = parse_bytes(made.as_bytes(), "a.eml").text
    assert [number for number in range(9) if f"Text {number}." in text] == list(range(3, 9))


def test_email_with_too_many_attachments_is_an_error():
    made = letter("Many")
    for number in range(201):
        made.add_attachment(f"Text {number}.", filename=f"{number}.txt")
    with pytest.raises(ParseError, match="more than 200 attachments"):
        parse_bytes(made.as_bytes(), "a.eml")


def test_file_metadata_can_be_stored():
    said = parse_bytes(
        b"---\ntitle: T\nauthor: A\x00da\nnote: " + b"x" * 5000 + b"\n---\n# T\n\nWords.", "a.md"
    )
    assert said.metadata["author"] == "Ada"
    assert len(said.metadata["note"]) == 1000


def test_line_in_another_encoding_is_decoded():
    data = "Grüße\n".encode() + "Grüße\n".encode("cp1252")
    assert parse_bytes(data, "a.txt").text == "Grüße\nGrüße"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.docx", make_xlsx, "of type XLSX, not DOCX"),
        ("a.xlsx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "locked with a password"),
        ("a.xlsx", lambda: make_docx()[:900], "damaged XLSX"),
        ("a.pptx", lambda: b"PK\x03\x04 nothing", "damaged PPTX"),
        ("a.txt", make_pdf, "binary data"),
        ("a.pdf", make_docx, "damaged PDF"),
        ("a.json", lambda: b"{nothing", "not valid JSON"),
        ("a.json", lambda: b"[" * 100_000, "nested too deep"),
        ("a.eml", lambda: b"Only words, no heads.", "not an e-mail"),
        ("a.csv", lambda: b"a,b\n" + b"1,2\n" * 200_001, "more than 200,000 rows"),
        ("a.xlsx", lambda: make_xlsx(()), "no text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_with_a_wrong_suffix_are_errors(name, data, reason):
    with pytest.raises(ParseError, match=reason):
        parse_bytes(data(), name)
