"""Text of scanned pages and images, read by Tesseract."""

import io
import subprocess

import pytest
from PIL import Image, ImageDraw, ImageFont

from knowledge.parsing import ParseError, ParseOptions, is_supported_name, ocr, parse_bytes
from knowledge.parsing.ocr import parse_table, select_languages
from knowledge.parsing.sandbox import ParserPool

needs_tesseract = pytest.mark.skipif(
    "eng" not in ocr.list_languages(), reason="needs Tesseract: apt-get install tesseract-ocr"
)
OPTIONS = ParseOptions(language="en", ocr_seconds=60)
LINES = ("The harbour master assigns a berth", "to every vessel on channel 12.")
TEXT = "\n".join(LINES)
HEAD = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"


def draw(lines=LINES, kind="PNG", copies=1, **options):
    """Return an image, or a document with an image on each page."""
    image = Image.new("RGB", (900, 260), "white")
    for number, line in enumerate(lines):
        font = ImageFont.load_default(size=40)
        ImageDraw.Draw(image).text((40, 50 + 55 * number), line, font=font, fill="black")
    target = io.BytesIO()
    more = {"save_all": True, "append_images": [image] * (copies - 1)} if copies > 1 else {}
    image.save(target, kind, **more, **options)
    return target.getvalue()


@needs_tesseract
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_images_are_read(kind):
    parsed = parse_bytes(draw(kind=kind), f"a.{kind.lower()}", options=OPTIONS)
    assert (parsed.text, parsed.metadata, parsed.warnings) == (TEXT, {"ocr_pages": 1}, [])


@needs_tesseract
def test_pages_of_tiff_files_are_pages():
    parsed = parse_bytes(draw(kind="TIFF", copies=2), "a.tiff", options=OPTIONS)
    assert [(section.page, section.text) for section in parsed.sections] == [(1, TEXT), (2, TEXT)]


@needs_tesseract
def test_scanned_pages_of_a_pdf_are_read_in_the_sandbox(tmp_path):
    path, pool = tmp_path / "scan.pdf", ParserPool(1)
    path.write_bytes(draw(kind="PDF", resolution=100))
    with path.open("rb") as stream:
        parsed = pool.parse(stream, "scan.pdf", megabytes=384, seconds=20, options=OPTIONS)
    pool.end()
    assert (parsed.text, parsed.metadata) == (TEXT, {"pages": 1, "ocr_pages": 1})
    assert parsed.warnings == []


@needs_tesseract
@pytest.mark.parametrize(("least", "codes"), [(60.0, []), (100.0, ["ocr_uncertain"])])
def test_low_confidence_gives_a_warning(monkeypatch, least, codes):
    monkeypatch.setattr(ocr, "MIN_CONFIDENCE", least)
    parsed = parse_bytes(draw(kind="PDF"), "a.pdf", options=OPTIONS)
    assert [each["code"] for each in parsed.warnings] == codes


@pytest.mark.parametrize("name", ["a.png", "a.pdf"])
def test_without_ocr_the_file_needs_it(name):
    with pytest.raises(ParseError, match=r"has no text layer and needs OCR"):
        parse_bytes(draw(kind=name[2:].upper()), name)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_large_images_are_refused(kind):
    target = io.BytesIO()
    Image.new("1", (8000, 5001)).save(target, kind)
    with pytest.raises(ParseError, match="more than 40,000,000 pixels"):
        parse_bytes(target.getvalue(), f"a.{kind.lower()}", options=OPTIONS)


def test_damaged_images_are_refused():
    with pytest.raises(ParseError, match=r"a\.png: damaged image \(UnidentifiedImageError\)"):
        parse_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40), "a.png", options=OPTIONS)


@pytest.mark.parametrize(
    ("language", "installed", "expected"),
    [
        ("de", ("deu", "eng"), ["deu", "eng"]),
        ("de-AT", ("deu",), ["deu"]),
        ("fr", ("deu", "eng"), ["eng", "deu"]),
        ("", ("ara", "deu", "eng", "fra"), ["eng", "ara", "deu"]),
    ],
)
def test_languages_fall_back_to_those_installed(language, installed, expected):
    assert select_languages(language, installed) == expected


def test_words_become_lines_and_paragraphs():
    rows = ["5\t1\t1\t1\t1\t1\t0\t0\t9\t9\t90\tTwo", "5\t1\t1\t1\t1\t2\t0\t0\t9\t9\t90\tlines",
            "5\t1\t1\t1\t2\t1\t0\t0\t9\t9\t40\there", "5\t1\t2\t1\t1\t1\t0\t0\t9\t9\t40\t海 港"]  # fmt: skip
    found = parse_table(HEAD + "\n".join(rows))
    assert (found.text, round(found.confidence)) == ("Two lines\nhere\n\n海港", 67)
    assert parse_table(HEAD) is None


def test_a_program_that_fails_reads_nothing(monkeypatch):
    def fail(*arguments, **options):
        raise subprocess.TimeoutExpired("tesseract", 1)

    monkeypatch.setattr(ocr, "list_languages", lambda: ("eng",))
    monkeypatch.setattr("subprocess.run", fail)
    with pytest.raises(ParseError, match="no text layer and needs OCR"):
        parse_bytes(draw(kind="PDF"), "a.pdf", options=OPTIONS)


def test_folders_and_sources_leave_images_out():
    assert [is_supported_name(name) for name in ("a.png", "a.pdf")] == [False, True]
