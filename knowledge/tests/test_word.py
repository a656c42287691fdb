"""DOCX content beyond plain paragraphs: lists, notes, shapes, equations, tables, tracked changes."""

import pytest

from knowledge.parsing import parse_bytes
from knowledge.tests.sample_files import docx
from knowledge.tests.word_files import level, make_strict, numbered, paragraph, table, word_file

BOX = "<w:txbxContent>" + paragraph("In the box.") + "</w:txbxContent>"
SHAPE = (
    "<w:drawing><wp:inline><a:graphic><a:graphicData><wps:wsp><wps:txbx>"
    f"{BOX}</wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:inline></w:drawing>"
)
CHART = (
    "<c:chartSpace xmlns:c='http://schemas.openxmlformats.org/drawingml/2006/chart'"
    " xmlns:a='http://schemas.openxmlformats.org/drawingml/2006/main'><c:chart><c:title><c:tx><c:rich><a:p><a:r>"
    "<a:t>Catch</a:t></a:r></a:p></c:rich></c:tx></c:title><c:plotArea><c:barChart><c:ser><c:tx><c:strRef><c:strCache>"
    "<c:pt idx='0'><c:v>Tonnes</c:v></c:pt></c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:pt idx='0'>"
    "<c:v>Cod</c:v></c:pt><c:pt idx='1'><c:v>Hake</c:v></c:pt></c:strCache></c:strRef></c:cat><c:val><c:numRef>"
    "<c:numCache><c:pt idx='0'><c:v>12</c:v></c:pt><c:pt idx='1'><c:v>7.5</c:v></c:pt></c:numCache></c:numRef></c:val>"
    "</c:ser></c:barChart></c:plotArea></c:chart></c:chartSpace>"
)
DIAGRAM = (
    "<dgm:dataModel xmlns:dgm='http://schemas.openxmlformats.org/drawingml/2006/diagram'"
    " xmlns:a='http://schemas.openxmlformats.org/drawingml/2006/main'><dgm:ptLst><dgm:pt><dgm:t><a:p><a:r><a:t>Plan"
    "</a:t></a:r></a:p></dgm:t></dgm:pt><dgm:pt><dgm:t><a:p><a:r><a:t>Sail</a:t></a:r></a:p></dgm:t></dgm:pt>"
    "</dgm:ptLst></dgm:dataModel>"
)


def read(body, **parts):
    return parse_bytes(word_file(body, **parts), "a.docx")


def test_text_boxes_are_read_once():
    choice = f"<mc:Choice Requires='wps'>{SHAPE}</mc:Choice>"
    fallback = f"<mc:Fallback><w:pict><v:shape><v:textbox>{BOX}</v:textbox></v:shape></w:pict></mc:Fallback>"
    body = f"<w:p><w:r><w:t>Before.</w:t><mc:AlternateContent>{choice}{fallback}</mc:AlternateContent></w:r></w:p>"
    assert read(body + paragraph("After.")).text == "Before.\n\nIn the box.\n\nAfter."
    assert read(body.replace(SHAPE, "")).text == "Before.\n\nIn the box."


def test_charts_and_diagrams_are_read():
    graphic = "<w:drawing><a:graphic><a:graphicData>{}</a:graphicData></a:graphic></w:drawing>"
    body = "".join(
        f"<w:p><w:r>{graphic.format(xml)}</w:r></w:p>"
        for xml in ('<c:chart r:id="rIdchart"/>', '<dgm:relIds r:dm="rIddata"/>', '<c:chart r:id="rId9"/>')
    )
    parsed = read(body, **{"charts/c.xml": CHART, "diagrams/d.xml": DIAGRAM})
    assert parsed.text == "Chart: Catch\nCategory | Tonnes\nCod | 12\nHake | 7.5\n\n- Plan\n- Sail"
    assert [(each["code"], each["count"]) for each in parsed.warnings] == [("charts_without_data", 1)]


@pytest.mark.parametrize("make", [docx, lambda: word_file(paragraph("Mooring."), styles="")])
def test_strict_files_read_like_transitional_ones(make):
    assert make_strict(make()) != make()
    assert parse_bytes(make_strict(make()), "a.docx") == parse_bytes(make(), "a.docx")


FRACTION = "<m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f>"
POWER = "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
ROOT = "<m:rad><m:deg/><m:e><m:r><m:t>x+1</m:t></m:r></m:e></m:rad>"
SUM = (
    "<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub><m:r><m:t>i</m:t></m:r></m:sub><m:sup/>"
    "<m:e><m:d><m:e><m:r><m:t>i</m:t></m:r></m:e></m:d></m:e></m:nary>"
)


@pytest.mark.parametrize(
    ("omml", "latex"),
    [(FRACTION, r"$\frac{a}{b}$"), (POWER, "$x^{2}$"), (ROOT, r"$\sqrt{x+1}$"), (SUM, r"$\sum_{i} (i)$")],
)
def test_equations_become_latex(omml, latex):
    body = f"<w:p><w:r><w:t>Then </w:t></w:r><m:oMath>{omml}</m:oMath></w:p>"
    assert read(body).text == f"Then {latex}"


def test_lists_and_headings_have_their_numbers():
    levels = level(0, "decimal", "%1.", style="H1") + level(1, "lowerLetter", "%1.%2)")
    bullets = level(0, "bullet", "\uf0b7")
    numbering = (
        f"<w:abstractNum w:abstractNumId='1'>{levels}</w:abstractNum>"
        f"<w:abstractNum w:abstractNumId='2'>{bullets}</w:abstractNum>"
        "<w:num w:numId='1'><w:abstractNumId w:val='1'/></w:num><w:num w:numId='2'><w:abstractNumId w:val='2'/></w:num>"
    )
    styles = (
        "<w:style w:type='paragraph' w:styleId='H1'><w:name w:val='heading 1'/><w:pPr><w:numPr><w:numId w:val='1'/>"
        "</w:numPr></w:pPr></w:style>"
    )
    heading = "<w:pStyle w:val='H1'/>"
    body = (
        paragraph("Scope", heading) + numbered("first", 1, 1) + numbered("second", 1, 1)
        + paragraph("Terms", heading) + numbered("again", 1, 1) + numbered("dot", 2)
    )  # fmt: skip
    parsed = read(body, numbering=numbering, styles=styles)
    assert [section.title for section in parsed.sections] == ["1. Scope", "2. Terms"]
    assert parsed.sections[0].text == "1. Scope\n\n  1.a) first\n  1.b) second"
    assert parsed.sections[1].text == "2. Terms\n\n  2.a) again\n- dot"


def test_number_formats_and_restarts():
    numbering = (
        f"<w:abstractNum w:abstractNumId='1'>{level(0, 'upperRoman', '%1', 3)}</w:abstractNum>"
        + "".join(
            f"<w:num w:numId='{number}'><w:abstractNumId w:val='1'/>{override}</w:num>"
            for number, override in (
                (1, ""),
                (2, "<w:lvlOverride w:ilvl='0'><w:startOverride w:val='9'/></w:lvlOverride>"),
            )
        )
    )
    body = "".join(numbered(text, number) for text, number in (("a", 1), ("b", 1), ("c", 2), ("d", 2)))
    assert read(body, numbering=numbering).text == "III a\nIV b\nIX c\nX d"


def test_tables_keep_merged_cells_and_nested_tables():
    inner = table([paragraph("x"), paragraph("y")])
    start, goes_on = "<w:vMerge w:val='restart'/>", "<w:vMerge/>"
    body = table(
        [(start, paragraph("Port")), paragraph("Brest")],
        [(goes_on, "<w:p/>"), paragraph("Kiel") + inner],
        [("<w:gridSpan w:val='2'/>", paragraph("Total") + paragraph("2"))],
    )
    assert read(body).text == "Port | Brest\nPort | Kiel\nx | y\nTotal\n2"


def test_notes_and_comments_follow_their_paragraph():
    run = "<w:r><w:footnoteReference w:id='2'/></w:r><w:r><w:commentReference w:id='0'/></w:r>"
    body = f"<w:p><w:r><w:t>High water</w:t></w:r>{run}</w:p>" + paragraph("Next.")
    parts = {
        "footnotes": f"<w:footnote w:id='2'>{paragraph('See the almanac.')}</w:footnote>"
        f"<w:footnote w:id='-1' w:type='separator'>{paragraph('---')}</w:footnote>",
        "comments": f"<w:comment w:id='0' w:author='Ada'>{paragraph('Which one?')}</w:comment>",
        "endnotes": f"<w:endnote w:id='5'>{paragraph('Lost note.')}</w:endnote>",
    }
    parsed = read(body, **parts)
    assert parsed.text == (
        "High water[2]\n\n[2] See the almanac.\n\nComment (Ada): Which one?\n\nNext.\n\n[5] Lost note."
    )
    assert parsed.sections[-1].title == "Endnotes"


def test_headers_and_footers_are_read_once():
    refs = "<w:headerReference w:type='{}' r:id='rIdheader'/><w:footerReference r:id='rIdfooter'/>"
    body = paragraph("Text.") + f"<w:p><w:pPr><w:sectPr>{refs.format('first')}</w:sectPr></w:pPr></w:p>"
    body += f"<w:sectPr>{refs.format('default')}</w:sectPr>"
    parsed = read(body, header=paragraph("Harbour rules"), footer=paragraph("- 7 -"))
    assert [(section.title, section.text) for section in parsed.sections] == [
        ("", "Text."),
        ("Headers and footers", "Harbour rules"),
    ]


def test_insertions_are_read_and_deletions_are_not():
    body = (
        "<w:p><w:r><w:t xml:space='preserve'>Sail </w:t></w:r><w:del><w:r><w:delText>east</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>west</w:t></w:r></w:ins></w:p>"
        "<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc><w:p><w:r><w:t>Gone</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    )
    assert read(body).text == "Sail west"


def test_links_keep_their_address():
    body = "".join(
        f"<w:p><w:hyperlink r:id='rId{number}'><w:r><w:t>{text}</w:t></w:r></w:hyperlink></w:p>"
        for number, text in ((1, "tides"), (2, "a@b.example"))
    )
    links = ((1, "https://tides.example/"), (2, "mailto:a@b.example"))
    assert read(body, links=links).text == "tides (https://tides.example/)\n\na@b.example"


def test_pictures_are_counted_and_described():
    picture = "<w:drawing><wp:inline><wp:docPr id='1' descr='{}'/><pic:pic/></wp:inline></w:drawing>"
    body = paragraph("Text.") + "".join(
        f"<w:p><w:r>{picture.format(text)}</w:r></w:p>" for text in ("A chart of the bay", "")
    )
    parsed = read(body)
    assert parsed.text == "Text.\n\nImage: A chart of the bay"
    assert [each["message"] for each in parsed.warnings] == ["2 images were not read."]
