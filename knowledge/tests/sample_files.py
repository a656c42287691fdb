"""Real files of every kind, none of them made by the library that reads its kind.

The PDF was printed by Chromium (embedded fonts, joined letters, compressed objects); the Office files have
the parts that Word and PowerPoint write; the sheet is written by XlsxWriter, with its texts in a separate part.
"""

import gzip
import io
import zipfile
from base64 import b64encode
from pathlib import Path
from quopri import encodestring

import xlsxwriter

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
OFFICE = "http://schemas.openxmlformats.org"
RELATIONS = f'{XML}<Relationships xmlns="{OFFICE}/package/2006/relationships">%s</Relationships>'
TYPES = (
    f'{XML}<Types xmlns="{OFFICE}/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>%s</Types>'
)
KIND = "application/vnd.openxmlformats-officedocument"
WORD = f'xmlns:w="{OFFICE}/wordprocessingml/2006/main" xmlns:r="{OFFICE}/officeDocument/2006/relationships"'
SLIDE = (
    f'xmlns:p="{OFFICE}/presentationml/2006/main" xmlns:a="{OFFICE}/drawingml/2006/main" '
    f'xmlns:r="{OFFICE}/officeDocument/2006/relationships"'
)


def relation(number, kind, target):
    place = f"{OFFICE}/officeDocument/2006/relationships/{kind}"
    return f'<Relationship Id="rId{number}" Type="{place}" Target="{target}"/>'


def override(part, kind):
    return f'<Override PartName="{part}" ContentType="{KIND}.{kind}+xml"/>'


def build_zip(parts):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return target.getvalue()


def pdf():
    return (Path(__file__).parent / "files" / "handbook.pdf").read_bytes()


def docx():
    """Runs cut in the middle of words, as Word's spelling checker leaves them; a table; a link; a deleted word."""
    body = (
        '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Mooring</w:t></w:r></w:p>'
        '<w:p w:rsidR="00A77427"><w:r><w:t xml:space="preserve">A yacht moors with two bow li</w:t></w:r>'
        '<w:proofErr w:type="spellStart"/><w:r><w:rPr><w:b/></w:rPr><w:t>nes and a stern spring.</w:t></w:r></w:p>'
        "<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/><w:gridCol/></w:tblGrid><w:tr><w:tc><w:p><w:r><w:t>Rope</w:t></w:r>"
        "</w:p></w:tc><w:tc><w:p><w:r><w:t>14 mm polyester</w:t></w:r></w:p></w:tc></w:tr></w:tbl><w:sectPr/>"
    )
    styles = '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    main = override("/word/document.xml", "wordprocessingml.document.main")
    return build_zip(
        {
            "[Content_Types].xml": TYPES % (main + override("/word/styles.xml", "wordprocessingml.styles")),
            "_rels/.rels": RELATIONS % relation(1, "officeDocument", "word/document.xml"),
            "word/document.xml": f"{XML}<w:document {WORD}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f"{XML}<w:styles {WORD}>{styles}</w:styles>",
            "word/_rels/document.xml.rels": RELATIONS % relation(1, "styles", "styles.xml"),
        }
    )


def shape(number, name, text, placeholder=""):
    """A text on a slide."""
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{name}"/><p:cNvSpPr/><p:nvPr>{placeholder}</p:nvPr>'
        f"</p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )


def pptx():
    """One slide with a title, a text in a group, and what PowerPoint needs around it."""
    top = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    inner = shape(4, "Text", "The buoy off Kerdonis rings its bell in fog.")
    group = "<p:grpSp>" + top.replace('id="1"', 'id="3"') + inner + "</p:grpSp>"
    title = shape(2, "Title", "Buoys", '<p:ph type="title"/>')
    empty = f"<p:cSld><p:spTree>{top}</p:spTree></p:cSld>"
    ids = '<p:sldMasterIdLst><p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
    slides = '<p:sldIdLst><p:sldId id="256" r:id="rId2"/></p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/>'
    kinds = {
        "/ppt/presentation.xml": "presentationml.presentation.main",
        "/ppt/slides/slide1.xml": "presentationml.slide",
        "/ppt/slideLayouts/slideLayout1.xml": "presentationml.slideLayout",
        "/ppt/slideMasters/slideMaster1.xml": "presentationml.slideMaster",
    }
    return build_zip(
        {
            "[Content_Types].xml": TYPES % "".join(override(part, kind) for part, kind in kinds.items()),
            "_rels/.rels": RELATIONS % relation(1, "officeDocument", "ppt/presentation.xml"),
            "ppt/presentation.xml": f"{XML}<p:presentation {SLIDE}>{ids}{slides}</p:presentation>",
            "ppt/_rels/presentation.xml.rels": RELATIONS
            % (
                relation(1, "slideMaster", "slideMasters/slideMaster1.xml")
                + relation(2, "slide", "slides/slide1.xml")
            ),
            "ppt/slides/slide1.xml": (
                f"{XML}<p:sld {SLIDE}><p:cSld><p:spTree>{top}{title}{group}</p:spTree></p:cSld></p:sld>"
            ),
            "ppt/slides/_rels/slide1.xml.rels": RELATIONS
            % relation(1, "slideLayout", "../slideLayouts/slideLayout1.xml"),
            "ppt/slideLayouts/slideLayout1.xml": f"{XML}<p:sldLayout {SLIDE}>{empty}</p:sldLayout>",
            "ppt/slideLayouts/_rels/slideLayout1.xml.rels": RELATIONS
            % relation(1, "slideMaster", "../slideMasters/slideMaster1.xml"),
            "ppt/slideMasters/slideMaster1.xml": f"{XML}<p:sldMaster {SLIDE}>{empty}</p:sldMaster>",
            "ppt/slideMasters/_rels/slideMaster1.xml.rels": RELATIONS
            % relation(1, "slideLayout", "../slideLayouts/slideLayout1.xml"),
        }
    )


def xlsx():
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book:
        sheet, hidden = book.add_worksheet("Depths"), book.add_worksheet("Secret")
        hidden.hide()
        hidden.write(0, 0, "Hidden figures.")
        for row, values in enumerate(
            [("Quay", "Depth"), ("Fish quay", "4.5 m at low water"), ("Coal quay", 7)]
        ):
            sheet.write_row(row, 0, values)
        sheet.write_formula(3, 1, "=SUM(B3:B3)", None, 7)
    return target.getvalue()


def html():
    return (
        "<!DOCTYPE html><html><head><meta http-equiv='Content-Type' content='text/html; charset=windows-1252'>"
        "<title>Pilots</title><script>var x = '<p>no</p>';</script></head><body><nav><a href=/>Home</a></nav>"
        "<main><h1>Pilots</h1><p>A pilot boards every ship over sixty metres &mdash; even in the caf\xe9\x92s fog."
        "<ul><li>Channel 12<li>Channel 16</ul></main></body></html>"
    ).encode("latin-1")


def letter():
    """As mail programs write it: encoded heads, two parts in alternative, one attachment in base64."""
    note = b64encode("Die Schleuse öffnet um sechs Uhr morgens.".encode("iso-8859-1")).decode()
    text = encodestring("The dredger arrives on Tuesday – mind the café.\n".encode()).decode()
    return (
        "Received: from mx.example.org by mail.example.org; Mon, 6 Jul 2026 08:00:00 +0200\r\n"
        "From: =?utf-8?q?J=C3=A9r=C3=B4me?= <jerome@example.org>\r\nTo: harbour@example.org\r\n"
        "Date: Mon, 6 Jul 2026 08:00:00 +0200\r\nSubject: =?utf-8?b?"
        + b64encode(b"Dredging").decode()
        + "?=\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="=_a"\r\n\r\n--=_a\r\n'
        'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        + text.replace("\n", "\r\n")
        + '\r\n--=_a\r\nContent-Type: text/plain; charset="iso-8859-1"; name="schleuse.txt"\r\n'
        'Content-Disposition: attachment; filename="schleuse.txt"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        f"{note}\r\n--=_a--\r\n"
    ).encode()


# What makes each file, a question, and the sentence that the best passage for it holds.
REAL = {
    "handbook.pdf": (
        pdf,
        "How many flashes does the lighthouse of Ar Men show?",
        "three white flashes in twenty",
    ),
    "mooring.docx": (docx, "How does a yacht moor?", "two bow lines and a stern spring."),
    "buoys.pptx": (pptx, "Which buoy rings in fog?", "The buoy off Kerdonis rings its bell in fog."),
    "depths.xlsx": (xlsx, "How deep is the fish quay?", "Fish quay | 4.5 m at low water"),
    "pilots.html": (html, "Which ships does a pilot board?", "A pilot boards every ship over sixty metres"),
    "ice.md": (
        lambda: (
            b"---\ntitle: Ice\n---\n# Ice\n\nIce is *delivered* before four.\n\n```sh\nice --crates 4\n```\n"
        ),
        "When is ice delivered?",
        "Ice is *delivered* before four.",
    ),
    "berths.csv": (
        lambda: '\ufeffBerth;Owner\r\nB 12;"Le Goff, Yann"\r\n'.encode("utf-8"),
        "Who owns berth B 12?",
        "B 12 | Le Goff, Yann",
    ),
    "weather.json": (
        lambda: b'{"stations": [{"name": "Ouessant", "gale_warning": "above force eight"}]}',
        "When is there a gale warning at Ouessant?",
        "gale_warning: above force eight",
    ),
    "dredging.eml": (letter, "When does the dredger arrive?", "The dredger arrives on Tuesday"),
    "crane.txt": (
        lambda: "The crane lifts eleven tonnes, not more.\r\n".encode("utf-16"),
        "What does the crane lift?",
        "The crane lifts eleven tonnes, not more.",
    ),
    "toll.rst": (
        lambda: b"====\nToll\n====\n\nThe toll gate takes coins.\n\n.. note:: No cards.\n",
        "Which gate takes coins?",
        "The toll gate takes coins.",
    ),
    "knots.py": (
        lambda: (
            b'#!/usr/bin/env python3\n"""Speeds."""\n\n\ndef knots(metres):\n'
            b'    """Metres a second to nautical miles."""\n'
            b"    return metres * 1.94384\n"
        ),
        "Which function gives nautical miles of metres a second?",
        "return metres * 1.94384",
    ),
    "sluice.go": (
        lambda: (
            b"package sluice\n\n// OpenSluice waits for the tide gauge.\n"
            b"func OpenSluice(gauge int) bool {\n\treturn gauge > 3\n}\n"
        ),
        "What does OpenSluice wait for?",
        "func OpenSluice(gauge int) bool",
    ),
    "log.txt.gz": (
        lambda: gzip.compress(b"07:10 The ferry Enez Eussa left with two hundred goats.\n"),
        "How many goats were on the ferry?",
        "two hundred goats",
    ),
}
