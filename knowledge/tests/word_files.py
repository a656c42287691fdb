"""DOCX files with the parts that Word writes, for tests of single features."""

from knowledge.tests.sample_files import OFFICE, RELATIONS, TYPES, WORD, XML, build_zip, override, relation

NAMES = (
    f'{WORD} xmlns:m="{OFFICE}/officeDocument/2006/math" xmlns:a="{OFFICE}/drawingml/2006/main"'
    f' xmlns:wp="{OFFICE}/drawingml/2006/wordprocessingDrawing" xmlns:pic="{OFFICE}/drawingml/2006/picture"'
    f' xmlns:c="{OFFICE}/drawingml/2006/chart" xmlns:dgm="{OFFICE}/drawingml/2006/diagram"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:v="urn:schemas-microsoft-com:vml"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
)
STRICT_NAMES = {
    f"{OFFICE}/{name}/2006": f"http://purl.oclc.org/ooxml/{name}"
    for name in ("wordprocessingml", "drawingml", "officeDocument", "spreadsheetml", "presentationml")
}


def paragraph(text, properties=""):
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def numbered(text, number, level=0):
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def level(number, kind, text, start=1, style=""):
    linked = f'<w:pStyle w:val="{style}"/>' if style else ""
    return (
        f'<w:lvl w:ilvl="{number}"><w:start w:val="{start}"/><w:numFmt w:val="{kind}"/>{linked}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


def table(*rows):
    """A table of rows of cells, each XML of blocks or a pair of properties and XML."""
    pairs = ((cell if isinstance(cell, tuple) else ("", cell) for cell in row) for row in rows)
    cells = ("".join(f"<w:tc><w:tcPr>{props}</w:tcPr>{xml}</w:tc>" for props, xml in row) for row in pairs)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def word_file(body, links=(), **parts):
    """Return a DOCX; `parts` are the contents of further parts by the kind of their relationship."""
    kinds = {
        "styles": "styles",
        "numbering": "numbering",
        "footnotes": "footnotes",
        "comments": "comments",
        "endnotes": "endnotes",
        "header": "hdr",
        "footer": "ftr",
    }
    related = "".join(relation(kind, kind, f"{kind}.xml") for kind in parts)
    for key, url in links:
        related += relation(key, "hyperlink", url).replace("/>", ' TargetMode="External"/>')
    related += relation("chart", "chart", "charts/c.xml") + relation("data", "diagramData", "diagrams/d.xml")
    roots = {
        kind: f"<w:{kinds[kind]} {NAMES}>{xml}</w:{kinds[kind]}>"
        for kind, xml in parts.items()
        if kind in kinds
    }
    main = override("/word/document.xml", "wordprocessingml.document.main")
    return build_zip(
        {
            "[Content_Types].xml": TYPES % main,
            "_rels/.rels": RELATIONS % relation(1, "officeDocument", "word/document.xml"),
            "word/document.xml": f"{XML}<w:document {NAMES}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": RELATIONS % related,
            **{f"word/{kind}.xml": XML + xml for kind, xml in roots.items()},
            **{f"word/{path}": XML + xml for path, xml in parts.items() if path not in kinds},
        }
    )


def make_strict(data):
    """Return an Office file with the namespaces of Strict OOXML."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    for transitional, strict in STRICT_NAMES.items():
        parts = {name: text.replace(transitional, strict) for name, text in parts.items()}
    return build_zip(parts)
