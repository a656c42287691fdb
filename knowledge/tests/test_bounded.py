"""Files made to hurt: each gives an error on its document, within bounds of memory and time; the reader lives."""

import io
import os
import re
import sys
import tempfile
import time
import zipfile
import zlib

import pytest
from pypdf import PdfReader, PdfWriter

from config.testing.processes import measured
from config.testing.served import BASE_DIR
from knowledge.models import Document
from knowledge.parsing import ParseError
from knowledge.parsing.bounded import parse_bounded
from knowledge.services.collections import get_or_create_collection
from knowledge.services.ingestion import Ingestion
from knowledge.tests.test_formats import KNOWN, make_docx
from knowledge.tests.test_parsing import pdf_with
from tenants.scoping import tenant_scope

MEGABYTES = 384
# Prints the error of reading a file; in a process of its own, whose children alone are measured then.
READ = """
import sys
from pathlib import Path
from knowledge.parsing import ParseError
from knowledge.parsing.bounded import parse_bounded
path, name, megabytes = sys.argv[1:]
with open(path, "rb") as file:
    try:
        parse_bounded(file, name, Path(path).stat().st_size, megabytes=int(megabytes), seconds=20)
    except ParseError as error:
        print(error)
"""


def parse(data, name, megabytes=MEGABYTES, seconds=60):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        return parse_bounded(file, name, len(data), megabytes=megabytes, seconds=seconds)


def locked_pdf():
    writer = PdfWriter(PdfReader(io.BytesIO(pdf_with("Secret"))))
    writer.encrypt("password", algorithm="RC4-128")
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def bomb_docx():
    """A document whose main part lies about its size: 1 GB of spaces."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(256):
            part.write(b" " * 4 * 1024 * 1024)
    return target.getvalue()


def bomb_pdf():
    """One page whose content unpacks to 600 MB."""
    packer, block = zlib.compressobj(9), b"(x) Tj " * 149_796
    stream = b"".join([packer.compress(block) for _ in range(600)]) + packer.flush()
    body = pdf_with("x")
    head, tail = body.split(b"stream\n", 1)[0], body.split(b"endstream", 1)[1]
    head = head.rsplit(b"<<", 1)[0] + b"<< /Length %d /Filter /FlateDecode >>\n" % len(stream)
    return head + b"stream\n" + stream + b"\nendstream" + tail


def looping_pdf():
    """A tree of pages that has itself as a child."""
    return pdf_with("x").replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]")


BAD = {
    "locked.pdf": (locked_pdf, "locked with a password"),
    "bomb.docx": (bomb_docx, "larger than 200 MB when unpacked"),
    "bomb.pdf": (bomb_pdf, "MB of memory|processor time|damaged|no text"),
    "loop.pdf": (looping_pdf, "damaged PDF|no text"),
    "empty.pdf": (lambda: b"", "empty"),
    "spaces.txt": (lambda: b" \n ", "empty"),
    "photo.docx": (lambda: b"\xff\xd8\xff" + os.urandom(5000), "damaged DOCX"),
    "million.csv": (
        lambda: b"".join(b"%d,name %d\n" % (n, n) for n in range(1_000_000)),
        "more than 200,000 rows",
    ),
    "long.txt": (lambda: b"word " * 3_000_000, "more than 10,000,000 characters"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_hurts_is_an_error_within_bounds(name, tmp_path):
    make, reason = BAD[name]
    kept = tmp_path / "file"
    kept.write_bytes(make())
    began = time.monotonic()
    _, said, kilobytes = measured([sys.executable, "-c", READ, str(kept), name, str(MEGABYTES)], cwd=BASE_DIR)
    assert re.search(reason, said)
    assert time.monotonic() - began < 60
    assert kilobytes < 500 * 1024


def test_a_good_file_is_read_by_the_child():
    assert KNOWN in parse(make_docx(), "a.docx").text


def test_memory_beyond_the_bound_is_an_error():
    with pytest.raises(ParseError, match="MB of memory"):
        parse(
            b"\n\n".join(b"# Heading %d\n\nWords of it." % n for n in range(150_000)), "a.md", megabytes=100
        )


def test_time_beyond_the_bound_is_an_error():
    # A million nested tags; whatever the reader does with them, it has one second.
    with pytest.raises(ParseError, match="processor time"):
        parse(b"<h1>a</h1><p>b" * 400_000, "a.html", seconds=1)


def test_a_gigabyte_in_a_folder_is_refused_unread(tenant, tmp_path):
    with (tmp_path / "huge.pdf").open("wb") as file:
        file.truncate(1024**3)
    (tmp_path / "good.txt").write_text(KNOWN)
    with tenant_scope(tenant, actor="system:test"):
        collection, _ = get_or_create_collection("sea")
    ingestion = Ingestion(tenant.pk, collection, "system:test")
    found = {each.source: each.outcome for each in ingestion.run(ingestion.files(tmp_path))}
    assert found == {"good.txt": "indexed", "huge.pdf": "failed"}
    with tenant_scope(tenant):
        assert "larger than 50 MB" in Document.objects.get(source="huge.pdf").error_message
