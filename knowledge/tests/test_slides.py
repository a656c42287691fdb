"""PPTX content beyond text shapes: charts, diagrams, tables, groups, notes, comments, pictures."""

import io
import zipfile

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from knowledge.parsing import parse_bytes
from knowledge.tests.malicious_files import repacked
from knowledge.tests.sample_files import OFFICE, build_zip, pptx
from knowledge.tests.test_formats import make_pptx, saved
from knowledge.tests.test_word import DIAGRAM
from knowledge.tests.word_files import make_strict

PLACE = (Inches(1), Inches(1), Inches(4), Inches(3))
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738"
    "550000000049454e44ae426082"
)
SLIDE, RELATIONS = "ppt__slides__slide1_xml", "ppt/slides/_rels/slide1.xml.rels"


def add_relationships(data, xml):
    """Return a PPTX whose first slide has further relationships."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[RELATIONS] = parts[RELATIONS].replace(b"</Relationships>", f"{xml}</Relationships>".encode())
    return build_zip(parts)


@pytest.fixture
def deck():
    return Presentation()


def add_slide(deck, title="Tides"):
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = title
    return slide


def read(deck):
    return parse_bytes(saved(deck), "a.pptx")


def test_charts_have_title_categories_and_values(deck):
    data = CategoryChartData()
    data.categories = ["Brest", "Kiel"]
    data.add_series("High", (7.1, 0.2))
    data.add_series("Low", (1, None))
    chart = add_slide(deck).shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *PLACE, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Water levels"
    assert read(deck).text == (
        "Tides\n\nChart: Water levels\nCategory | High | Low\nBrest | 7.1 | 1\nKiel | 0.2 |"
    )


def test_tables_keep_merged_cells(deck):
    table = add_slide(deck).shapes.add_table(3, 2, *PLACE).table
    for number, text in enumerate(("Port", "Height", "Brest", "7 m", "", "8 m")):
        table.cell(number // 2, number % 2).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    assert read(deck).text == "Tides\n\nPort | Height\nBrest | 7 m\nBrest | 8 m"


def test_groups_breaks_notes_and_pages_are_read(deck):
    add_slide(deck)
    slide = add_slide(deck, "Line\vbreak")
    group = slide.shapes.add_group_shape().shapes.add_group_shape()
    group.shapes.add_textbox(*PLACE).text_frame.text = "Deep\vtext"
    slide.notes_slide.notes_text_frame.text = "Say it."
    section = read(deck).sections[1]
    assert (section.title, section.page) == ("Line break", 2)
    assert section.text == "Line\nbreak\n\nDeep\ntext\n\nNotes: Say it."


def test_notes_in_a_text_box_are_read(deck):
    notes = add_slide(deck, "Tides").notes_slide.notes_placeholder
    notes.text_frame.text = "Thank the council."
    properties = notes._element.nvSpPr.nvPr
    properties.remove(properties.ph)
    assert read(deck).text == "Tides\n\nNotes: Thank the council."


def test_pictures_are_counted_and_described(deck):
    picture = add_slide(deck).shapes.add_picture(io.BytesIO(PIXEL), 0, 0)
    picture._element.nvPicPr.cNvPr.set("descr", "The bay")
    parsed = read(deck)
    assert parsed.text == "Tides\n\nImage: The bay"
    assert [each["message"] for each in parsed.warnings] == ["1 image was not read."]


def test_diagrams_and_comments_are_read():
    frame = (
        f'<p:graphicFrame><a:graphic xmlns:a="{OFFICE}/drawingml/2006/main"><a:graphicData><dgm:relIds'
        f' xmlns:dgm="{OFFICE}/drawingml/2006/diagram" xmlns:r="{OFFICE}/officeDocument/2006/relationships"'
        ' r:dm="rIdD"/></a:graphicData></a:graphic></p:graphicFrame></p:spTree>'
    )
    kinds = {"diagramData": ("rIdD", "../diagrams/data1.xml"), "comments": ("rIdC", "../comments/c1.xml")}
    added = "".join(
        f'<Relationship Id="{key}" Type="{OFFICE}/officeDocument/2006/relationships/{kind}" Target="{target}"/>'
        for kind, (key, target) in kinds.items()
    )
    comments = (
        f'<p:cmLst xmlns:p="{OFFICE}/presentationml/2006/main"><p:cm><p:text>Why?</p:text></p:cm></p:cmLst>'
    )
    changes = {
        SLIDE: lambda xml: xml.replace(b"</p:spTree>", frame.encode()),
        "ppt__diagrams__data1_xml": lambda _: DIAGRAM,
        "ppt__comments__c1_xml": lambda _: comments,
    }
    data = add_relationships(repacked(make_pptx(), **changes), added)
    assert parse_bytes(data, "a.pptx").text.endswith(
        "- Plan\n- Sail\n\nNotes: Say it slowly.\n\nComment: Why?"
    )


def test_strict_files_read_like_transitional_ones():
    assert parse_bytes(make_strict(pptx()), "a.pptx") == parse_bytes(pptx(), "a.pptx")
