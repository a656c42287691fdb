"""OpenDocument texts, spreadsheets and presentations."""

import pytest

from knowledge.parsing import ParseError, parse_bytes
from knowledge.tests.open_files import NAMES, open_file, paragraph
from knowledge.tests.sample_files import XML


def read_text(body, **parts):
    return parse_bytes(open_file("text", body, **parts), "a.odt")


def test_text_is_split_at_headings_with_its_title_and_author():
    body = (
        "<text:tracked-changes><text:p>Deleted.</text:p></text:tracked-changes>"
        '<text:h text:outline-level="1">Tides</text:h>'
        + paragraph(
            'High<text:s text:c="2"/>water<text:line-break/>follows\n  the <text:span>moon</text:span>.'
        )
        + '<text:section><text:h text:outline-level="2">Ports</text:h>'
        + paragraph('See <text:a xlink:href="https://sea.example/">the list</text:a>.')
        + "</text:section>"
    )
    parsed = read_text(body)
    assert [(section.title, section.text) for section in parsed.sections] == [
        ("Tides", "Tides\n\nHigh  water\nfollows the moon."),
        ("Tides > Ports", "Ports\n\nSee the list (https://sea.example/)."),
    ]
    assert (parsed.title, parsed.metadata) == ("About tides", {"author": "Ada"})


def test_lists_have_their_numbers():
    styles = (
        '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"'
        ' style:num-suffix="."/><text:list-level-style-bullet text:level="2"/></text:list-style>'
    )
    inner = f"<text:list><text:list-item>{paragraph('inner')}</text:list-item></text:list>"
    texts = (paragraph("first") + inner, paragraph("second"))
    items = "".join(f"<text:list-item>{text}</text:list-item>" for text in texts)
    parsed = read_text(f'<text:list text:style-name="L1">{items}</text:list>', styles=styles)
    assert parsed.text == "1. first\n  - inner\n2. second"


def test_tables_keep_merged_cells():
    def row(*cells):
        return f"<table:table-row>{''.join(cells)}</table:table-row>"

    def cell(text, more=""):
        return f"<table:table-cell {more}>{paragraph(text)}</table:table-cell>"

    covered = "<table:covered-table-cell/>"
    body = (
        "<table:table><table:table-header-rows>"
        + row(cell("Port"), cell("Berth"))
        + "</table:table-header-rows>"
    )
    body += row(cell("Brest", 'table:number-rows-spanned="2"'), cell("B 12")) + row(covered, cell("B 13"))
    assert read_text(body + "</table:table>").text == "Port | Berth\nBrest | B 12\nBrest | B 13"


def test_notes_comments_frames_and_objects_follow_their_paragraph():
    chart = (
        f"{XML}<office:document-content {NAMES}><chart:title><text:p>Catch</text:p></chart:title><table:table>"
        "<table:table-row><table:table-cell><text:p>Cod</text:p></table:table-cell><table:table-cell><text:p>12</text:p>"
        "</table:table-cell></table:table-row></table:table></office:document-content>"
    )
    formula = "<semantics><annotation>a over b</annotation></semantics>"
    math = f'<math xmlns="http://www.w3.org/1998/Math/MathML">{formula}</math>'
    body = paragraph(
        "Water<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p>"
        "</text:note-body></text:note><office:annotation><dc:creator>Ada</dc:creator><text:p>Why?</text:p></office:annotation>"
        "<draw:frame><draw:text-box><text:p>In the box.</text:p></draw:text-box></draw:frame>"
        '<draw:frame><draw:image xlink:href="a.png"/><svg:desc>The bay</svg:desc></draw:frame>'
        '<draw:frame><draw:object xlink:href="./Object 1"/><draw:image/></draw:frame>'
        '<draw:frame><draw:object xlink:href="./Object 2"/></draw:frame>'
    )
    parsed = read_text(body, **{"Object 1__content": chart, "Object 2__content": math})
    assert parsed.text.split("\n\n") == [
        "Water[1]", "[1] A note.", "Comment (Ada): Why?", "In the box.", "Image: The bay", "Chart: Catch\nCod | 12",
        "$a over b$",
    ]  # fmt: skip
    assert [(each["code"], each["count"]) for each in parsed.warnings] == [("images_without_text", 1)]


def test_headers_are_read_once():
    parts = {"header": "Harbour rules", "footer": "3"}
    page = "".join(f"<style:{part}>{paragraph(text)}</style:{part}>" for part, text in parts.items())
    styles = f"{XML}<office:document-styles {NAMES}>{page}{page}</office:document-styles>"
    parsed = read_text(paragraph("Text."), common_styles=styles)
    assert [section.text for section in parsed.sections] == ["Text.", "Harbour rules"]


def test_sheets_have_the_values_as_shown():
    styles = '<style:style style:name="ta2"><style:table-properties table:display="false"/></style:style>'
    body = (
        '<table:table table:name="Depths"><table:table-row><table:table-cell><text:p>Quay</text:p></table:table-cell>'
        "<table:table-cell><text:p>Depth</text:p><office:annotation><text:p>In metres.</text:p></office:annotation>"
        '</table:table-cell></table:table-row><table:table-row table:number-rows-repeated="2"><table:table-cell>'
        '<text:p>Fish quay</text:p></table:table-cell><table:table-cell office:value-type="float" office:value="4.5">'
        '<text:p>4,50 m</text:p></table:table-cell><table:table-cell table:formula="of:=1+1"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048573"><table:table-cell'
        ' table:number-columns-repeated="16384"/>'
        '</table:table-row></table:table><table:table table:name="Old" table:style-name="ta2"/>'
    )
    parsed = parse_bytes(open_file("spreadsheet", body, styles=styles), "a.ods")
    assert [(section.title, section.text) for section in parsed.sections] == [
        ("Depths > Quay | Depth", "Quay | Depth\nFish quay | 4,50 m\nFish quay | 4,50 m"),
        ("Depths > Comments", "Comment: In metres."),
    ]
    assert {each["code"]: each["count"] for each in parsed.warnings} == {
        "formulas_without_value": 1,
        "hidden_sheets": 1,
    }


def test_slides_have_title_groups_tables_and_notes():
    def frame(text, kind=""):
        return f"<draw:frame {kind}><draw:text-box>{paragraph(text)}</draw:text-box></draw:frame>"

    title = frame("Buoys", 'presentation:class="title"')
    shape = f"<draw:g><draw:custom-shape>{paragraph('In a group.')}</draw:custom-shape></draw:g>"
    notes = f"<presentation:notes>{frame('Say it slowly.')}</presentation:notes>"
    body = f"<draw:page>{title}{shape}{notes}</draw:page><draw:page>{frame('Second.')}</draw:page>"
    parsed = parse_bytes(open_file("presentation", body), "a.odp")
    assert [(section.title, section.page, section.text) for section in parsed.sections] == [
        ("Buoys", 1, "Buoys\n\nIn a group.\n\nNotes: Say it slowly."),
        ("", 2, "Second."),
    ]


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("a.ods", lambda: open_file("text", paragraph("x")), "another type of OpenDocument file, not ODS"),
        ("a.odt", lambda: open_file("text", "", **{"META-INF__manifest": "<encryption-data/>"}), "locked"),
        ("a.odt", lambda: open_file("text", "<text:p>"), "damaged ODT"),
        ("a.odt", lambda: b"PK\x03\x04 nothing", "damaged ODT"),
        ("a.odt", lambda: open_file("text", paragraph("")), "no text"),
    ],
)  # fmt: skip
def test_invalid_files_report_the_reason(name, make, reason):
    with pytest.raises(ParseError, match=reason):
        parse_bytes(make(), name)
