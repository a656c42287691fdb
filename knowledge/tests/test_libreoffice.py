"""Words of files that LibreOffice writes, compared with the words that LibreOffice reads."""

import re
import shutil
import subprocess
from collections import Counter

import pytest

from knowledge.parsing import parse
from knowledge.tests.sample_files import docx, xlsx

PROGRAM = shutil.which("soffice")
MIN_KEPT = 0.95
PAGE = """<html><head><title>Harbour</title></head><body><h1>Harbour rules</h1>
<p>The harbour master decides on the <b>order</b> of ships, even in the café’s fog.</p>
<h2>Moorings</h2><ol><li>Two bow lines</li><li>A stern spring<ul><li>polyester, 14 mm</li></ul></li></ol>
<table border=1><tr><th>Quay</th><th>Depth</th></tr><tr><td>Fish quay</td><td>4.5 m</td></tr></table>
<p>See <a href="https://port.example/">the list</a>. Ouvert à six heures.</p></body></html>"""
TEXT = "txt:Text (encoded):UTF8"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM, reason="needs LibreOffice: apt-get install libreoffice-writer-nogui"),
]


def convert(path, target, *options):
    """Convert a file with LibreOffice and return the path of the result."""
    command = [PROGRAM, f"-env:UserInstallation=file://{path.parent}/profile", "--headless", *options]
    subprocess.run(
        [*command, "--convert-to", target, "--outdir", str(path.parent), str(path)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return path.with_suffix(f".{target.partition(':')[0]}")


def count_words(text):
    return Counter(re.findall(r"\w+", text.lower()))


def measure_kept_words(read, reference):
    """Return the share of the words of `reference` that `read` has."""
    expected = count_words(reference)
    return sum((expected & count_words(read)).values()) / expected.total()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("libreoffice") / "page.html"
    path.write_text(PAGE)
    return path


@pytest.fixture(scope="module")
def reference(page):
    return convert(page, TEXT, "--infilter=HTML (StarWriter)").read_text("utf-8-sig")


@pytest.mark.parametrize("suffix", ["odt", "docx", "rtf", "pdf"])
def test_files_of_libreoffice_keep_their_words(page, reference, suffix):
    parsed = parse(convert(page, suffix, "--infilter=HTML (StarWriter)"))
    assert measure_kept_words(parsed.text, reference) >= MIN_KEPT
    assert "Quay | Depth\nFish quay | 4.5 m" in parsed.text


@pytest.mark.parametrize(
    ("name", "make", "target"),
    [("mooring.docx", docx, TEXT), ("depths.xlsx", xlsx, "csv")],
    ids=["docx", "xlsx"],
)
def test_samples_keep_the_words_that_libreoffice_reads(tmp_path, name, make, target):
    path = tmp_path / name
    path.write_bytes(make())
    converted = convert(path, target).read_text("utf-8-sig")
    assert measure_kept_words(parse(path).text, converted) >= MIN_KEPT
