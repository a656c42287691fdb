"""Words and tables of files that LibreOffice writes from the sources of `benchmarks.parsing`."""

import pytest

from benchmarks.parsing_measures import LEAST_WORDS, Sample, compare
from benchmarks.parsing_producers import convert_with_libreoffice, list_missing
from benchmarks.parsing_sources import list_flat_sources, write_language_pages
from knowledge.parsing import parse

FILES = {
    "pdf": ("handbook", "newsletter", "arrivals", "plans", "page-de", "page-ar"),
    "docx": ("handbook", "newsletter", "page-ar"),
    "xlsx": ("arrivals",),
    "pptx": ("plans",),
}
# The parser does not keep the order of left-to-right cells in a right-to-left table without ruling lines.
WITHOUT_TABLES = ("page-ar.pdf",)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(list_missing(["soffice"])),
        reason="needs LibreOffice: apt-get install libreoffice-writer libreoffice-calc libreoffice-impress",
    ),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    pages = write_language_pages(tmp_path_factory.mktemp("pages"))
    return {source.path.stem: source for source in [*list_flat_sources(), *pages]}


@pytest.fixture(scope="module")
def convert(sources, tmp_path_factory):
    """Return a function that gives the files of a format, which one or two calls write."""
    folder, written = tmp_path_factory.mktemp("written"), {}

    def find(target, stem):
        if target not in written:
            paths = [sources[name].path for name in FILES[target]]
            written[target] = convert_with_libreoffice(paths, target, folder / target)
        return next(path for path in written[target] if path.stem == stem)

    return find


@pytest.mark.parametrize(("target", "stem"), [(target, stem) for target in FILES for stem in FILES[target]])
def test_files_of_libreoffice_keep_their_words_and_tables(convert, sources, target, stem):
    path = convert(target, stem)
    parsed = parse(path)
    result = compare(Sample(path, "libreoffice", "", sources[stem]), parsed.text, {})
    assert result.words >= LEAST_WORDS, result.lost
    assert result.tables == [path.name not in WITHOUT_TABLES] * len(result.tables)
