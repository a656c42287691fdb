"""XLSX content as spreadsheet programs show it: formats, formulas, tables, merged cells, comments, charts."""

import datetime as dt
import io

import pytest
import xlsxwriter

from knowledge.parsing import parse_bytes
from knowledge.parsing.number_formats import format_number
from knowledge.tests.sample_files import xlsx
from knowledge.tests.word_files import make_strict


def read(fill, name="a.xlsx"):
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        fill(book)
    return parse_bytes(target.getvalue(), name)


def blocks(parsed):
    return [(section.title, section.text) for section in parsed.sections]


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.125, "0.0%", "12.5%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (-3.25, '#,##0.0 "m"', "-3.2 m"),
        (-1234, "#,##0;(#,##0)", "(1,234)"),
        (-2, '0;[Red]-0" t"', "-2 t"),
        (0, '0;-0;"none"', "none"),
        (12.5, '[$€-407] #,##0.00', "€ 12.50"),
        (7, "General", "7"),
        (0.1 + 0.2, "", "0.3"),
        (1e20, "0.00E+00", "1e+20"),
        (1234567, "0.0,,", "1.2"),
        (2.5, "0.0#", "2.5"),
        (46209.75, "dd.mm.yyyy hh:mm", "06.07.2026 18:00"),
        (46209, "d mmmm yyyy", "6 July 2026"),
        (0.5, "h:mm AM/PM", "12:00 PM"),
        (1.5, "[h]:mm", "36:00"),
        (59, "yyyy-mm-dd", "1900-02-28"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-1, "yyyy-mm-dd", "-1"),
        (9e99, "yyyy", "9e+99"),
    ],
)  # fmt: skip
def test_numbers_have_the_format_of_their_cell(value, code, text):
    assert format_number(value, code) == text


def test_dates_percentages_and_truth_values_are_read_as_shown():
    def fill(book):
        sheet = book.add_worksheet("Tides")
        sheet.write_row(0, 0, ("Day", "Share", "Open", "Error"))
        sheet.write_datetime(1, 0, dt.datetime(2026, 7, 6), book.add_format({"num_format": "d mmm yyyy"}))
        sheet.write_number(1, 1, 0.25, book.add_format({"num_format": 9}))
        sheet.write_boolean(1, 2, True)
        sheet.write_formula(1, 3, "=1/0", None, "#DIV/0!")

    assert read(fill).text == "Day | Share | Open | Error\n6 Jul 2026 | 25% | TRUE | #DIV/0!"


def test_formulas_without_a_stored_value_are_counted():
    def fill(book):
        sheet = book.add_worksheet("Sum")
        sheet.write_row(0, 0, ("a", "b"))
        sheet.write_formula(1, 0, "=1+1", None, 2)
        sheet.write_formula(1, 1, "=1+2", None, "")
        sheet.write_formula(2, 1, "=1+3", None, "")

    parsed = read(fill)
    assert parsed.text == "a | b\n2"
    assert [(each["code"], each["count"]) for each in parsed.warnings] == [("formulas_without_value", 2)]


def test_each_table_has_its_heading():
    def fill(book):
        sheet = book.add_worksheet("Ports")
        sheet.write(0, 0, "All ports of the bay")
        sheet.add_table(2, 0, 4, 1, {"name": "Depths", "columns": [{"header": "Quay"}, {"header": "Depth"}]})
        sheet.write_row(3, 0, ("Fish quay", 4.5))
        sheet.write_row(4, 0, ("Coal quay", 7))
        sheet.add_table(2, 3, 3, 3, {"name": "Owners", "columns": [{"header": "Owner"}]})
        sheet.write(3, 3, "Le Goff")

    assert blocks(read(fill)) == [
        ("Ports > All ports of the bay", "All ports of the bay"),
        ("Ports > Depths > Quay | Depth", "Quay | Depth\nFish quay | 4.5\nCoal quay | 7"),
        ("Ports > Owners > Owner", "Owner\nLe Goff"),
    ]


def test_cells_merged_over_rows_repeat():
    def fill(book):
        sheet = book.add_worksheet("M")
        sheet.write_row(0, 0, ("Port", "Berth", "Owner"))
        sheet.merge_range("A2:A3", "Brest")
        sheet.write("B2", "B 12")
        sheet.write("B3", "B 13")
        sheet.merge_range("B4:C4", "none")

    assert read(fill).text == "Port | Berth | Owner\nBrest | B 12\nBrest | B 13\n | none"


def test_comments_charts_and_shapes_follow_their_sheet():
    def fill(book):
        sheet = book.add_worksheet("Catch")
        sheet.write_column(0, 0, ("Tonnes", 12, 7))
        sheet.write_comment("A2", "Estimated.")
        chart = book.add_chart({"type": "column"})
        chart.add_series({"values": "=Catch!$A$2:$A$3"})
        chart.set_title({"name": "Landings"})
        sheet.insert_chart("D2", chart)
        sheet.insert_textbox("D9", "Closed on Sunday")

    assert blocks(read(fill))[1:] == [
        ("Catch > Comments and drawings", "Comment on A2: Estimated.\nChart: Landings\nClosed on Sunday")
    ]


def test_hidden_sheets_are_counted_and_not_read():
    parsed = parse_bytes(xlsx(), "a.xlsx")
    assert "Hidden figures." not in parsed.text
    assert [each["message"] for each in parsed.warnings] == ["1 hidden sheet was not read."]
    assert parsed.metadata == {"sheets": ["Depths"]}


def test_strict_files_read_like_transitional_ones():
    assert parse_bytes(make_strict(xlsx()), "a.xlsx") == parse_bytes(xlsx(), "a.xlsx")
