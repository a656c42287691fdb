"""Malicious files with the expected error of each, and unusual files that are still read."""

import gzip
import io
import os
import re
import struct
import zipfile
import zlib

from pypdf import PdfReader, PdfWriter

from knowledge.tests.open_files import open_file, paragraph
from knowledge.tests.test_formats import KNOWN, make_docx, make_pptx, make_xlsx
from knowledge.tests.test_parsing import pdf_with

BLOCK = b" " * 4 * 1024 * 1024
LAUGHS = b"<!DOCTYPE x [" + b"".join(
    b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10 if n else b"lol" * 30) for n in range(10)
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">'


def written(writer):
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def repacked(data, **changed):
    """The archive with the members named by `changed` (dots for slashes) replaced or added."""
    changed = {name.replace("__", "/").replace("_", "."): held for name, held in changed.items()}
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            held = changed.pop(name, None)
            new.writestr(name, old.read(name) if held is None else held(old.read(name)))
        for name, held in changed.items():
            new.writestr(name, held(b""))
    return target.getvalue()


def entity(declared):
    """A change of an XML part: `declared` entities, the last of which stands for the known sentence."""

    def change(xml):
        assert KNOWN.encode() in xml
        at = xml.find(b"?>") + 2 if xml.startswith(b"<?xml") else 0
        return xml[:at] + declared + b"]>" + xml[at:].replace(KNOWN.encode(), b"before &l9; behind")

    return change


def locked_pdf():
    writer = PdfWriter(PdfReader(io.BytesIO(pdf_with("Secret"))))
    writer.encrypt("password", algorithm="RC4-128")
    return written(writer)


def bomb(part):
    """An Office file whose main part unpacks to 256 MB of spaces."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(part, "w", force_zip64=True) as out,
    ):
        for _ in range(64):
            out.write(BLOCK)
    return target.getvalue()


def lying_bomb():
    """The same, but its directory says that the part has a hundred bytes."""
    data = bytearray(repacked(make_docx(), word__document_xml=lambda xml: xml + b" " * 50_000_000))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = -1
        while (place := data.find(mark, place + 1)) >= 0:
            if b"word/document.xml" in data[place : place + 80]:
                struct.pack_into("<I", data, place + at, 100)
    return bytes(data)


def bomb_in_bomb():
    """A valid document with a nested archive such as 42.zip, which is not unpacked."""
    inner = bomb("a")
    for depth in range(3):
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
            for copy in range(8):
                archive.writestr(f"{depth}{copy}.zip", inner)
        inner = outer.getvalue()
    return repacked(make_docx(), word__embeddings__inner_zip=lambda _: inner)


def bomb_pdf():
    """One page whose content unpacks to 600 MB."""
    packer, block = zlib.compressobj(9), b"(x) Tj " * 149_796
    stream = b"".join([packer.compress(block) for _ in range(600)]) + packer.flush()
    body = pdf_with("x")
    head, tail = body.split(b"stream\n", 1)[0], body.split(b"endstream", 1)[1]
    head = head.rsplit(b"<<", 1)[0] + b"<< /Length %d /Filter /FlateDecode >>\n" % len(stream)
    return head + b"stream\n" + stream + b"\nendstream" + tail


def script_pdf():
    """A document that says what shall happen when it is opened."""
    script = b"/OpenAction << /S /JavaScript /JS (app.alert(1); while(true){}) >>"
    return pdf_with(KNOWN).replace(b"/Type /Catalog", b"/Type /Catalog " + script)


def endless_form_pdf():
    """A page that draws a form which draws itself."""
    page = pdf_with(KNOWN).replace(b"/Font << /F 5 0 R >>", b"/Font << /F 5 0 R >> /XObject << /X 4 0 R >>")
    resources = (
        b"<< /Type /XObject /Subtype /Form /Resources << /XObject << /X 4 0 R >> >> /BBox [0 0 9 9] /Length"
    )
    return page.replace(b"<< /Length", resources, 1).replace(b"BT /F", b"/X Do BT /F")


def own_length_pdf():
    """A stream whose length is the stream itself."""
    return re.sub(rb"/Length \d+", b"/Length 4 0 R", pdf_with("x"))


def many_times_pdf():
    """Pages that are ten times the same ten, ten deep: ten thousand million pages in two kilobytes."""
    body = pdf_with("x").replace(b"/Kids [3 0 R]", b"/Kids [20 0 R]")
    levels = [
        b"%d 0 obj\n<< /Type /Pages /Count 1000 /Kids [%b] >>\nendobj\n"
        % (number, b"%d 0 R " % (number + 1 if number < 29 else 3) * 10)
        for number in range(20, 30)
    ]
    # Without its table the objects are found by looking for them.
    return (
        body[: body.index(b"xref\n")] + b"".join(levels) + b"trailer << /Root 1 0 R >>\nstartxref\n0\n%%EOF"
    )


def endless_letter():
    """A letter in a letter in a letter, 5,000 deep."""
    head = b"From: a@b.c\nSubject: x\nContent-Type: message/rfc822\n\n"
    return head * 5000 + b"From: a@b.c\nSubject: end\n\nText.\n"


def many_parts_letter():
    """Parts in parts, 900 deep, and 100,000 lines that are looked at for the end of each."""
    heads = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number) for number in range(900)
    )
    return b"Subject: x\nFrom: a@b.c\n" + heads + b"x\n" * 100_000


BAD = {
    "locked.pdf": (locked_pdf, "locked with a password"),
    "locked.docx": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "locked with a password"),
    "bomb.docx": (lambda: bomb("word/document.xml"), "larger than 200 MB when unpacked"),
    "bomb.xlsx": (lambda: bomb("xl/worksheets/sheet1.xml"), "larger than 200 MB when unpacked"),
    "bomb.pptx": (lambda: bomb("ppt/slides/slide1.xml"), "larger than 200 MB when unpacked"),
    "bomb.odt": (lambda: bomb("content.xml"), "larger than 200 MB when unpacked"),
    "bomb.epub": (lambda: bomb("META-INF/container.xml"), "larger than 200 MB when unpacked"),
    "laughs.odt": (
        lambda: repacked(open_file("text", paragraph(KNOWN)), content_xml=entity(LAUGHS)),
        "damaged|memory|no text",
    ),
    "lying.docx": (lying_bomb, "damaged DOCX"),
    "bomb.txt.gz": (lambda: gzip.compress(BLOCK * 16), "larger than 50 MB when unpacked"),
    "bomb.pdf": (bomb_pdf, "MB of memory|processor time|damaged|no text"),
    "loop.pdf": (lambda: pdf_with("x").replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"), "damaged PDF|no text"),
    "many.pdf": (many_times_pdf, "pages|processor time|MB of memory|damaged|no text"),
    "length.pdf": (own_length_pdf, "damaged|no text|processor time"),
    "xref.pdf": (
        lambda: pdf_with("x").replace(b"xref\n0 6", b"xref\n0 999999999"),
        "damaged|no text|processor time|MB of memory",
    ),
    "nested.pdf": (
        lambda: pdf_with("x").replace(b"/Kids [3 0 R]", b"/Kids " + b"[" * 200_000),
        "damaged|no text|MB of memory",
    ),
    "laughs.docx": (
        lambda: repacked(make_docx(), word__document_xml=entity(LAUGHS)),
        "damaged|memory|no text",
    ),
    "laughs.xlsx": (
        lambda: repacked(make_xlsx(), xl__worksheets__sheet1_xml=entity(LAUGHS)),
        "damaged|memory|no text",
    ),
    "laughs.pptx": (
        lambda: repacked(make_pptx(), ppt__slides__slide1_xml=entity(LAUGHS)),
        "damaged|memory|no text",
    ),
    "empty.pdf": (lambda: b"", "empty"),
    "spaces.txt": (lambda: b" \n ", "empty"),
    "photo.docx": (lambda: b"\xff\xd8\xff" + os.urandom(5000), "damaged DOCX"),
    "page.pdf": (lambda: b"<html><p>Not a PDF.</p></html>", "damaged PDF"),
    "million.csv": (
        lambda: b"".join(b"%d,name %d\n" % (n, n) for n in range(1_000_000)),
        "more than 200,000 rows",
    ),
    "long.txt": (lambda: b"word " * 3_000_000, "more than 10,000,000 characters"),
    "narrow.txt": (lambda: b"a\n\n" * 3_300_000, "memory|chunks|processor time"),
    "slow.html": (lambda: b"<a " * 40_000, "processor time"),
    "parts.eml": (many_parts_letter, "processor time"),
    "endless.eml": (endless_letter, "damaged e-mail|processor time|MB of memory"),
    "deep.json": (lambda: b"[" * 100_000, "nested too deep"),
}
ODD = {
    "script.pdf": script_pdf,
    "form.pdf": endless_form_pdf,
    "carries.docx": bomb_in_bomb,
    "outside.docx": lambda: repacked(
        make_docx(), word__document_xml=lambda xml: entity(OUTSIDE)(xml).replace(b"before", KNOWN.encode())
    ),
    "mixed.txt": lambda: "Grüße\n".encode() + "Grüße\n".encode("cp1252") + f"{KNOWN}\n".encode(),
    "wide.txt": lambda: KNOWN.encode("utf-16"),
}
