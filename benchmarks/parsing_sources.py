"""Source texts of the parsing benchmark, whose words and tables are known.

`data/parsing` holds documents with footnotes, comments, text boxes, merged and nested tables, columns, charts and
formulas in flat OpenDocument, and a paper in LaTeX. The pages in 15 languages are written from `data/languages`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from xml.etree import ElementTree as ET

DATA = Path(__file__).resolve().parent / "data"
DOCS = DATA.parents[1] / "docs"
# Pages of the documentation with lists, tables and code.
PAGES = ("how-to/webhooks", "how-to/mcp", "explanation/search", "contributing", "reference/roles-and-scopes")
RIGHT_TO_LEFT = ("ar",)
_URN = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_OFFICE, _TEXT, _TABLE, _SLIDES = (_URN % name for name in ("office", "text", "table", "presentation"))
Table = list[tuple[str, ...]]


@dataclass(frozen=True)
class Source:
    """A text: its file, the words that every format shows, those that only Office formats keep, and its tables."""

    path: Path
    printed: str = ""
    unprinted: str = ""
    tables: tuple[Table, ...] = ()


def list_flat_sources() -> list[Source]:
    """Return the flat OpenDocument files."""
    return [read_flat_document(path) for path in sorted((DATA / "parsing").glob("*.fod?"))]


def read_flat_document(path: Path) -> Source:
    """Return a flat OpenDocument file with its words and tables."""
    body = ET.parse(path).getroot().find(f"{_OFFICE}body")
    assert body is not None
    unprinted = [" ".join(_iter_texts(each)) for each in body.iter() if _is_unprinted(each)]
    tables = [_read_table(table) for table in body.iter(f"{_TABLE}table")]
    shown = tuple(table for table in tables if len(table) > 1)
    return Source(path, " ".join(_iter_printed(body)), " ".join(unprinted), shown)


def _is_unprinted(element: ET.Element) -> bool:
    """Return whether an element is a comment, the notes of a slide or the data of a chart."""
    return element.tag in (f"{_OFFICE}annotation", f"{_SLIDES}notes", f"{_OFFICE}document")


def _iter_texts(element: ET.Element) -> Iterator[str]:
    for paragraph in element.iter():
        if paragraph.tag in (f"{_TEXT}p", f"{_TEXT}h"):
            yield "".join(paragraph.itertext())


def _iter_printed(element: ET.Element) -> Iterator[str]:
    """Yield the texts outside comments, notes and formulas, with a space after each block."""
    if _is_unprinted(element) or "MathML" in element.tag or element.tag == f"{_TEXT}note-citation":
        yield " "
        return
    if element.tag in (f"{_TEXT}p", f"{_TEXT}h"):
        yield "".join(_iter_inline(element))
        return
    for child in element:
        yield from _iter_printed(child)


def _iter_inline(element: ET.Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        is_block = child.tag in (f"{_TEXT}note", f"{_OFFICE}annotation") or "drawing" in child.tag
        yield f" {' '.join(_iter_printed(child))} " if is_block else "".join(_iter_inline(child))
        yield child.tail or ""


def _read_table(table: ET.Element) -> Table:
    """Return the rows without merged cells; a table in a cell is another table."""
    rows = []
    for row in table.iter(f"{_TABLE}table-row"):
        cells = [
            [
                text
                for paragraph in cell.findall(f"{_TEXT}p")
                if (text := "".join(_iter_inline_only(paragraph)))
            ]
            for cell in row.findall(f"{_TABLE}table-cell")
        ]
        is_merged = row.find(f"{_TABLE}covered-table-cell") is not None
        texts = tuple(" ".join(cell) for cell in cells if cell)
        if len(texts) > 1 and not is_merged and row in table:
            rows.append(texts)
    return rows


def _iter_inline_only(paragraph: ET.Element) -> Iterator[str]:
    yield paragraph.text or ""
    for child in paragraph:
        yield child.tail or ""


def list_papers() -> list[Source]:
    """Return the LaTeX files with their tables."""
    found = []
    for path in sorted((DATA / "parsing").glob("*.tex")):
        blocks = re.findall(
            r"\\begin\{tabular\}\{[lrc|]+\}(.*?)\\end\{tabular\}", path.read_text(), re.DOTALL
        )
        tables = [
            [
                tuple(cell.strip() for cell in line.removesuffix("\\\\").split("&"))
                for line in map(str.strip, block.split("\n"))
                if "&" in line
            ]
            for block in blocks
        ]
        found.append(Source(path, tables=tuple(tables)))
    return found


def list_documentation() -> list[Source]:
    """Return pages of the documentation, whose words are those that a reference converter finds."""
    return [Source(DOCS / f"{name}.md") for name in PAGES]


def write_language_pages(folder: Path) -> list[Source]:
    """Write an HTML page with headings, lists and a table for each language of `data/languages`."""
    folder.mkdir(parents=True, exist_ok=True)
    languages = sorted(path for path in (DATA / "languages").iterdir() if path.is_dir())
    return [
        _write_page(path, folder / f"page-{path.name}.html", number) for number, path in enumerate(languages)
    ]


def _write_page(language: Path, path: Path, number: int) -> Source:
    lines = (language / "corpus.jsonl").read_text().splitlines()[:12]
    passages = [json.loads(line) for line in lines]
    table = [("ID", "Title", "Size", "Share")] + [
        (each["_id"].upper(), each["title"], f"{len(each['text'])} B", f"{len(each['text']) % 97}.5 %")
        for each in passages[:6]
    ]
    parts = [f"<h1>{escape(passages[0]['title'])}</h1>"]
    parts += [f"<h2>{escape(each['title'])}</h2><p>{escape(each['text'])}</p>" for each in passages[:4]]
    parts.append(_format_table(table, border=number % 2))
    parts.append("<ul>" + "".join(f"<li>{escape(each['title'])}</li>" for each in passages[6:]) + "</ul>")
    parts.append(f"<p>{escape(passages[4]['text'])}</p>")
    direction = "rtl" if language.name in RIGHT_TO_LEFT else "ltr"
    body = "\n".join(parts)
    path.write_text(
        f'<!DOCTYPE html><html lang="{language.name}" dir="{direction}"><head><meta charset="utf-8">'
        f"<title>{escape(passages[0]['title'])}</title></head><body>{body}</body></html>"
    )
    texts = [passages[0]["title"], *(f"{each['title']} {each['text']}" for each in passages[:4])]
    texts += [" ".join(row) for row in table] + [each["title"] for each in passages[6:]]
    return Source(path, " ".join([*texts, passages[4]["text"]]), tables=(table,))


def _format_table(rows: Table, border: int) -> str:
    """Return an HTML table; odd pages have ruling lines."""
    style = f"padding: 4px; border: {border}px solid black"
    lines = [
        "<tr>" + "".join(f'<{tag} style="{style}">{escape(cell)}</{tag}>' for cell in row) + "</tr>"
        for tag, row in zip(["th", *["td"] * len(rows)], rows, strict=False)
    ]
    return (
        f'<table border="{border}" style="border-collapse: collapse" cellpadding="4">{"".join(lines)}</table>'
    )
