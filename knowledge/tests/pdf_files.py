"""PDF files drawn by hand, for tests of single features."""

import io

from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    TextStringObject,
)


def name_dict(**values):
    """Return a PDF dictionary; texts are names."""
    known = {
        key: NameObject(f"/{value}") if isinstance(value, str) else value for key, value in values.items()
    }
    return DictionaryObject({NameObject(f"/{key}"): value for key, value in known.items()})


HELVETICA = name_dict(Type="Font", Subtype="Type1", BaseFont="Helvetica")
# A font that numbers glyphs and does not say which characters they are.
UNMAPPED = name_dict(
    Type="Font",
    Subtype="Type0",
    BaseFont="ABCDEF+Some",
    Encoding="Identity-H",
    DescendantFonts=ArrayObject(
        [
            name_dict(
                Type="Font",
                Subtype="CIDFontType2",
                BaseFont="ABCDEF+Some",
                CIDSystemInfo=DictionaryObject(
                    {
                        NameObject("/Registry"): TextStringObject("Adobe"),
                        NameObject("/Ordering"): TextStringObject("Identity"),
                        NameObject("/Supplement"): NumberObject(0),
                    }
                ),
            )
        ]
    ),
)


def image():
    picture = DecodedStreamObject()
    picture.set_data(bytes(64 * 64))
    sides = {"Width": NumberObject(64), "Height": NumberObject(64), "BitsPerComponent": NumberObject(8)}
    picture.update(name_dict(Type="XObject", Subtype="Image", ColorSpace="DeviceGray", **sides))
    return picture


def draw(*contents, font=HELVETICA, prepare=lambda writer: None):
    """Return a PDF with a page for each content stream; `/F` is the font, `/Im` an image."""
    writer = PdfWriter()
    picture = writer._add_object(image())
    for content in contents:
        page, stream = writer.add_blank_page(600, 800), DecodedStreamObject()
        stream.set_data(content.encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(stream)
        fonts, objects = name_dict(F=writer._add_object(font)), name_dict(Im=picture)
        page[NameObject("/Resources")] = name_dict(Font=fonts, XObject=objects)
    prepare(writer)
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def text(x, y, words, size=10):
    return f"BT /F {size} Tf {x} {y} Td ({words}) Tj ET\n"


def grid(left, top, widths, rows, height=20):
    """Return the ruling lines of a table."""
    right, bottom = left + sum(widths), top - rows * height
    lines = [f"{left} {top - height * row} m {right} {top - height * row} l S\n" for row in range(rows + 1)]
    edges = [left + sum(widths[:column]) for column in range(len(widths) + 1)]
    return "".join([*lines, *(f"{x} {top} m {x} {bottom} l S\n" for x in edges)])


def cells(left, top, widths, rows, height=20):
    """Return the texts of a table, row by row."""
    return "".join(
        text(left + sum(widths[:column]) + 4, top - height * row - 14, words)
        for row, values in enumerate(rows)
        for column, words in enumerate(values)
        if words
    )
