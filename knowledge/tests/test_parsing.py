"""Every format gives clean text with exact offsets; every broken file gives a ParseError that says why."""

import gzip
import os
import zipfile
from io import BytesIO

import pytest
from docx import Document
from pypdf import PdfReader, PdfWriter

from knowledge.parsing import ParseError, discover, parse, parse_bytes
from knowledge.parsing.office_package import MAX_UNPACKED_BYTES

MARKDOWN = """---
title: Keeper guide
---
# Guide

Opening words.

## Install

Run the command.

```sh
# not a heading
```

Upgrade
-------

Then upgrade.

# Appendix
"""
HTML = """<html><head><title>Tide &amp; time</title><style>p {color: red}</style></head><body>
<nav>Home About</nav><h1>Tides</h1><p>The sea   rises
twice a day.</p><script>alert("x")</script><h2>Tables</h2>
<table><tr><th>Port</th><th>Height</th></tr><tr><td>Brest</td><td>7 m</td></tr></table></body></html>"""


def pdf_with(*pages: str) -> bytes:
    """A minimal valid PDF with one line of Helvetica on each page."""
    count = len(pages)
    kids = " ".join(f"{3 + number} 0 R" for number in range(count))
    font = 3 + 2 * count
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {count} >>"]
    for number in range(count):
        resources = f"/Resources << /Font << /F {font} 0 R >> >> /MediaBox [0 0 600 800]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {3 + count + number} 0 R >>")
    for words in pages:
        stream = f"BT /F 12 Tf 50 700 Td ({words}) Tj ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF"
    return body + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def docx_with(fill) -> bytes:
    document = Document()
    fill(document)
    target = BytesIO()
    document.save(target)
    return target.getvalue()


def fill_manual(document):
    document.add_heading("Manual", level=1)
    document.add_paragraph("First words.")
    document.add_heading("Parts", level=2)
    table = document.add_table(rows=2, cols=3)
    for column, words in enumerate(("Screw", "Nut", "Bolt")):
        table.cell(0, column).text = words
    table.cell(1, 0).merge(table.cell(1, 1)).text = "Merged"
    table.cell(1, 2).text = "End"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("guide.md", MARKDOWN.encode()),
        ("tides.html", HTML.encode()),
        ("two.pdf", pdf_with("Alpha page", "Beta page")),
        ("manual.docx", docx_with(fill_manual)),
        ("module.py", b'"""Words."""\n\n\nclass Boat:\n    def row(self):\n        """Row on."""\n'),
        ("notes.rst", b"Title\n=====\n\nWords.\n\nInner\n-----\n\nMore.\n"),
    ],
)
def test_section_offsets_are_exact(name, data):
    document = parse_bytes(data, name)
    assert [document.text[s.start : s.end] for s in document.sections] == [s.text for s in document.sections]
    assert document.text == "\n\n".join(section.text for section in document.sections)


def test_markdown_headings_become_paths_and_fences_do_not():
    document = parse_bytes(MARKDOWN.encode(), "guide.md")
    assert document.title == "Keeper guide"
    assert [s.title for s in document.sections] == ["Guide", "Guide > Install", "Guide > Upgrade", "Appendix"]
    assert document.metadata == {"title": "Keeper guide"}


def test_rst_levels_follow_the_order_of_adornments():
    source = "====\nTop\n====\n\nA.\n\nInner\n-----\n\nB.\n\nDeep\n~~~~\n\nC.\n\nNext\n-----\n\nD.\n"
    titles = [section.title for section in parse_bytes(source.encode(), "a.rst").sections]
    assert titles == ["Top", "Top > Inner", "Top > Inner > Deep", "Top > Next"]


def test_python_is_cut_at_definitions():
    source = b'"""Boats."""\n\n@wraps\ndef sail():\n    "Set sail."\n\nclass Boat:\n    def row(self): ...\n'
    document = parse_bytes(source, "boats.py")
    assert [s.title for s in document.sections] == [
        "boats",
        "boats > sail",
        "boats > Boat",
        "boats > Boat > row",
    ]
    assert document.sections[1].text.startswith("@wraps")


def test_python_with_a_syntax_error_is_still_text():
    assert parse_bytes(b'print "old"\n', "old.py").text == 'print "old"'


def test_html_keeps_text_and_tables_and_drops_navigation():
    document = parse_bytes(HTML.encode(), "tides.html")
    assert document.title == "Tide & time"
    assert [s.title for s in document.sections] == ["Tides", "Tides > Tables"]
    assert "The sea rises twice a day." in document.text
    assert "Port | Height\nBrest | 7 m" in document.text
    assert not any(word in document.text for word in ("alert", "color", "Home"))


def test_html_items_keep_their_numbers():
    page = (
        b"<ol><li><p>Bow</p><ul><li>two lines</li></ul></li><li>Stern</li></ol><ul><li><p>Horn</p></li></ul>"
    )
    lines = parse_bytes(page, "a.html").text.split("\n")
    assert [line for line in lines if line] == ["1. Bow", "- two lines", "2. Stern", "- Horn"]


def test_html_images_are_counted_except_icons_and_decoration():
    page = b'Words.<img src=a alt=Bay><img src=b><img src=c alt=""><img width=16 src=d><nav><img src=e></nav>'
    parsed = parse_bytes(page, "a.html")
    assert parsed.text == "Words. [Image: Bay]"
    assert [(each["code"], each["count"]) for each in parsed.warnings] == [("images_without_text", 2)]


def test_html_with_an_unclosed_nav_keeps_its_words():
    assert parse_bytes(b"<body><nav>Menu<p>The words.", "a.html").text.endswith("The words.")


def test_html_uses_its_declared_encoding():
    page = '<meta charset="iso-8859-2"><p>Łódź</p>'.encode("iso-8859-2")
    assert parse_bytes(page, "city.html").text == "Łódź"


def test_pdf_sections_are_pages():
    document = parse_bytes(pdf_with("Alpha page", "Beta page"), "two.pdf")
    assert [(section.page, section.text) for section in document.sections] == [
        (1, "Alpha page"),
        (2, "Beta page"),
    ]
    assert document.metadata["pages"] == 2


def test_docx_headings_tables_and_merged_cells():
    document = parse_bytes(docx_with(fill_manual), "manual.docx")
    assert [section.title for section in document.sections] == ["Manual", "Manual > Parts"]
    assert "Screw | Nut | Bolt\nMerged | End" in document.text


@pytest.mark.parametrize(
    "data",
    [
        "naïve".encode(),
        b"\xef\xbb\xbf" + "naïve".encode(),
        "naïve".encode("utf-16"),
        "naïve".encode("latin-1"),
    ],
)
def test_encodings(data):
    assert parse_bytes(data, "words.txt").text == "naïve"


def test_characters_postgresql_refuses_are_removed():
    words = parse_bytes(b"a\x00b\r\nc" + b" word" * 20, "words.txt").text
    assert words == "ab\nc" + " word" * 20
    spliced = parse_bytes("one\ud800two".encode("utf-16", "surrogatepass"), "words.txt").text
    spliced.encode()


def test_extensionless_and_gzipped_text(tmp_path):
    folder = tmp_path / "bash"
    folder.mkdir()
    (folder / "copyright").write_text("Free software.")
    (folder / "changelog.Debian.gz").write_bytes(gzip.compress(b"bash (5.2) unstable"))
    documents = [parse(file) for file in discover(folder)]
    assert [(d.title, d.text) for d in documents] == [
        ("bash/changelog.Debian", "bash (5.2) unstable"),
        ("bash/copyright", "Free software."),
    ]


def locked_pdf() -> bytes:
    writer, target = PdfWriter(clone_from=PdfReader(BytesIO(pdf_with("Secret")))), BytesIO()
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(target)
    return target.getvalue()


def zip_bomb() -> bytes:
    target = BytesIO()
    with (
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w") as file,
    ):
        for _ in range(MAX_UNPACKED_BYTES // 2**20 + 1):
            file.write(bytes(2**20))
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\n ", "empty"),
        ("a.html", b"<p> </p>", "no text"),
        ("a.txt", b"\x7fELF" + bytes(100) + b"\xff", "binary"),
        ("a.txt", "words".encode("utf-16-le"), "binary"),
        ("a.pdf", b"not a pdf at all", "damaged PDF"),
        ("a.pdf", pdf_with("Alpha")[:200], "damaged PDF"),
        ("a.pdf", locked_pdf(), "locked"),
        ("a.pdf", pdf_with(""), "no text"),
        ("a.docx", b"PK but no zip", "damaged DOCX"),
        ("a.docx", zip_bomb(), "larger than"),
        ("a.gz", gzip.compress(b"words")[:-6], "ends early"),
        ("a.gz", b"no gzip", "damaged gzip"),
        ("a.gz", gzip.compress(bytes(51 * 2**20)), "larger than 50 MB"),
        ("a.xyz", b"words", "not supported"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_invalid_files_report_the_reason(name, data, reason):
    with pytest.raises(ParseError, match=reason):
        parse_bytes(data, name)


def test_large_missing_and_special_files_are_refused(tmp_path):
    (tmp_path / "big.txt").write_bytes(b"x" * 100)
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(ParseError, match="larger"):
        parse(tmp_path / "big.txt", max_bytes=99)
    for name in ("missing.txt", "pipe.txt"):
        with pytest.raises(ParseError, match="no such file"):
            parse(tmp_path / name)


def test_discover_is_ordered_and_skips_hidden_links_and_unknown(tmp_path):
    for name in (
        "b/two.md",
        "a/one.txt",
        "a/readme",
        ".git/config.txt",
        "a/.hidden.md",
        "a/photo.jpg",
        "z.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("words")
    (tmp_path / "a" / "program").write_bytes(b"\x7fELF\0\0")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "link.md").symlink_to("/etc/hostname")
    found = [str(file.relative_to(tmp_path)) for file in discover(tmp_path)]
    assert found == ["z.py", "a/one.txt", "a/readme", "b/two.md"]


def test_discover_names_a_missing_folder(tmp_path):
    with pytest.raises(ParseError, match="no such file or folder"):
        list(discover(tmp_path / "nowhere"))
