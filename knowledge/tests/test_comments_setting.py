"""The setting `comments` of a collection: comments of documents are read or left out."""

import io

import pytest
import xlsxwriter

from config.tenancy.scope import tenant_scope
from knowledge.models import Chunk, Collection
from knowledge.parsing import ParseOptions, parse_bytes
from knowledge.tests.open_files import open_file, paragraph
from knowledge.tests.sample_files import OFFICE, pptx
from knowledge.tests.test_slides import add_relationships, repacked
from knowledge.tests.test_uploads import bring, client, collection, read  # noqa: F401
from knowledge.tests.word_files import paragraph as word_paragraph
from knowledge.tests.word_files import word_file

NOTE = "<office:annotation><text:p>Why?</text:p></office:annotation>"


def make_docx():
    run = "<w:p><w:r><w:t>Words.</w:t></w:r><w:r><w:commentReference w:id='0'/></w:r></w:p>"
    return word_file(run, comments=f"<w:comment w:id='0'>{word_paragraph('Why?')}</w:comment>")


def make_ods():
    cells = f"<table:table-cell>{NOTE}{paragraph('Words.')}</table:table-cell>"
    row = f"<table:table-row>{cells}</table:table-row>"
    return open_file("spreadsheet", f'<table:table table:name="A">{row}</table:table>')


def make_xlsx():
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet = book.add_worksheet("A")
        sheet.write("A1", "Words.")
        sheet.write_comment("A1", "Why?")
    return target.getvalue()


def make_pptx():
    kind, names = f"{OFFICE}/officeDocument/2006/relationships/comments", f"{OFFICE}/presentationml/2006/main"
    comments = f'<p:cmLst xmlns:p="{names}"><p:cm><p:text>Why?</p:text></p:cm></p:cmLst>'
    data = repacked(pptx(), ppt__comments__c1_xml=lambda _: comments)
    return add_relationships(data, f'<Relationship Id="rIdC" Type="{kind}" Target="../comments/c1.xml"/>')


FILES = {
    "a.docx": make_docx,
    "a.odt": lambda: open_file("text", f"<text:p>Words.{NOTE}</text:p>{NOTE}"),
    "a.ods": make_ods,
    "a.xlsx": make_xlsx,
    "a.pptx": make_pptx,
    "a.rtf": lambda: rb"{\rtf1 Words.{\*\annotation Why?}\par}",
}


@pytest.mark.parametrize("name", FILES)
def test_comments_are_read_unless_the_options_say_otherwise(name):
    data = FILES[name]()
    assert "Why?" in parse_bytes(data, name).text
    without = parse_bytes(data, name, options=ParseOptions(has_comments=False))
    assert "Why?" not in without.text
    assert without.text.strip()


@pytest.mark.parametrize(("settings", "is_read"), [({}, True), ({"comments": False}, False)])
def test_collections_can_leave_comments_out(client, collection, tenant, settings, is_read):  # noqa: F811
    with tenant_scope(tenant, actor="system:test"):
        Collection.objects.update(settings=settings)
    read(tenant, bring(client, collection, make_docx(), "a.docx"))
    with tenant_scope(tenant, actor="system:test"):
        assert ("Why?" in Chunk.objects.get().content) is is_read
