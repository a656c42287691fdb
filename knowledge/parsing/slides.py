"""Reader for PPTX: one page per slide, with its groups, tables, charts, diagrams, notes and comments."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from knowledge.parsing.document import ReaderResult, TextBlock
from knowledge.parsing.drawings import CHART, DIAGRAM, DRAWING, format_chart, format_diagram
from knowledge.parsing.equations import MATH, format_equation
from knowledge.parsing.office_package import OfficePackage, Relationship, check_package, report_damage
from knowledge.parsing.options import current_options

MAIN_PART = "ppt/presentation.xml"
SLIDE = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
RELATIONSHIP = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
TITLES, FOOTERS, NUMBERS = ("title", "ctrTitle"), ("ftr", "hdr"), ("sldNum", "dt", "sldImg")


def read_pptx(data: bytes, name: str) -> ReaderResult:
    """Return the slides in order.

    Raises:
        ParseError: If the file is damaged, encrypted or a zip bomb.
    """
    check_package(data, name, "PPTX", MAIN_PART)
    with report_damage(name, "PPTX"):
        package = OfficePackage(data, MAIN_PART)
        deck = _SlideDeck(package)
        pieces = list(deck.read())
        title, metadata = package.read_properties()
    title = title or next((piece.path[0] for piece in pieces if piece.path), "")
    return ReaderResult(pieces, title, {"slides": len(pieces), **metadata}, deck.warnings)


class _SlideDeck:
    """Reading state of one presentation."""

    def __init__(self, package: OfficePackage) -> None:
        self.warnings: Counter[str] = Counter()
        self._package = package
        self._relationships: dict[str, Relationship] = {}
        self._footers: set[str] = set()

    def read(self) -> Iterator[TextBlock]:
        """Yield a block for each slide."""
        root = self._package.parse(self._package.main_part)
        if root is None:
            raise KeyError(self._package.main_part)
        slides = self._package.list_relationships(self._package.main_part)
        for number, element in enumerate(root.iterfind(f"{SLIDE}sldIdLst/{SLIDE}sldId"), 1):
            yield self._read_slide(slides[element.get(f"{RELATIONSHIP}id")].target, number)

    def _read_slide(self, part: str, number: int) -> TextBlock:
        root = self._package.parse(part)
        self._relationships = self._package.list_relationships(part)
        related = list(self._relationships.values())
        tree = root.find(f"{SLIDE}cSld/{SLIDE}spTree")
        heading = next(
            (_read_body(shape) for shape in tree.iter(f"{SLIDE}sp") if _get_kind(shape) in TITLES), ""
        )
        texts = list(self._read_shapes(tree))
        for relationship in related:
            if relationship.kind == "notesSlide":
                texts += self._read_notes(relationship.target)
            elif relationship.kind == "comments" and current_options.get().has_comments:
                texts += self._read_comments(relationship.target)
        path = (" ".join(heading.split()),) if heading.strip() else ()
        return TextBlock("\n\n".join(text for text in texts if text.strip()), path, number)

    def _read_shapes(self, tree: Any) -> Iterator[str]:
        for shape in tree.iterchildren("*"):
            name = shape.tag.rpartition("}")[2]
            if name == "sp":
                yield self._read_shape(shape)
            elif name == "grpSp":
                yield from self._read_shapes(shape)
            elif name == "AlternateContent":
                yield from self._read_alternatives(shape)
            elif name == "graphicFrame":
                yield from self._read_frame(shape)
            elif name == "pic":
                yield self._read_picture(shape)

    def _read_alternatives(self, element: Any) -> Iterator[str]:
        """Yield the texts of the first alternative that has any; the others repeat it."""
        for alternative in element.iterchildren(f"{COMPATIBILITY}Choice", f"{COMPATIBILITY}Fallback"):
            texts = [text for text in self._read_shapes(alternative) if text.strip()]
            if texts:
                yield from texts
                return

    def _read_shape(self, shape: Any) -> str:
        kind, text = _get_kind(shape), _read_body(shape)
        if kind in NUMBERS or (kind in FOOTERS and text in self._footers):
            return ""
        if kind in FOOTERS:
            self._footers.add(text)
        return text

    def _read_picture(self, shape: Any) -> str:
        properties = shape.find(f"{SLIDE}nvPicPr/{SLIDE}cNvPr")
        self.warnings["images_without_text"] += 1
        description = " ".join((properties.get("descr") or "").split()) if properties is not None else ""
        return f"Image: {description}" if description else ""

    def _read_frame(self, frame: Any) -> Iterator[str]:
        for table in frame.iter(f"{DRAWING}tbl"):
            yield "\n".join(_read_table(table))
        for chart in frame.iter(f"{CHART}chart"):
            yield self._read_part(chart.get(f"{RELATIONSHIP}id"), format_chart, "charts_without_data")
        for diagram in frame.iter(f"{DIAGRAM}relIds"):
            yield self._read_part(diagram.get(f"{RELATIONSHIP}dm"), format_diagram, "parts_not_read")
        self.warnings["embedded_files"] += sum(1 for _ in frame.iter(f"{SLIDE}oleObj"))

    def _read_part(self, relationship_id: str, format_part: Callable[[Any], str], missing: str) -> str:
        relationship = self._relationships.get(relationship_id)
        root = self._package.parse(relationship.target) if relationship else None
        text = format_part(root) if root is not None else ""
        self.warnings[missing] += not text
        return text

    def _read_notes(self, part: str) -> Iterator[str]:
        root = self._package.parse(part)
        shapes = root.iter(f"{SLIDE}sp") if root is not None else ()
        for shape in shapes:
            # LibreOffice writes the notes of some slides as a text box.
            if _get_kind(shape) in ("body", "") and (text := _read_body(shape).strip()):
                yield f"Notes: {text}"

    def _read_comments(self, part: str) -> Iterator[str]:
        """Yield the comments, in the markup of PowerPoint before and since 2021."""
        root = self._package.parse(part)
        for comment in root.iter("{*}cm", "{*}reply") if root is not None else ():
            body = comment.find("{*}txBody")
            text = comment.findtext(f"{SLIDE}text") or (_read_paragraphs(body) if body is not None else "")
            if text.strip():
                yield f"Comment: {' '.join(text.split())}"


def _get_kind(shape: Any) -> str:
    """Return the kind of a placeholder, such as `title`; "obj" without one, "" for other shapes."""
    placeholder = shape.find(f"{SLIDE}nvSpPr/{SLIDE}nvPr/{SLIDE}ph")
    return "" if placeholder is None else placeholder.get("type", "obj")


def _read_body(shape: Any) -> str:
    body = shape.find(f"{SLIDE}txBody")
    return "" if body is None else _read_paragraphs(body)


def _read_paragraphs(body: Any) -> str:
    return "\n".join(_read_paragraph(paragraph) for paragraph in body.iterchildren(f"{DRAWING}p"))


def _read_paragraph(paragraph: Any) -> str:
    """Return the text of a paragraph; line breaks and vertical tabs become new lines."""
    parts = []
    for element in paragraph.iterchildren("*"):
        if element.tag == f"{DRAWING}br":
            parts.append("\n")
        elif element.tag in (f"{DRAWING}r", f"{DRAWING}fld"):
            parts.append(
                (element.findtext(f"{DRAWING}t") or "").replace("\x0b", "\n").replace("_x000B_", "\n")
            )
        else:
            parts += [format_equation(each) for each in element.iter(f"{MATH}oMath")]
    return "".join(parts)


def _read_table(table: Any) -> Iterator[str]:
    """Yield a line per row; a cell merged over rows repeats."""
    above: dict[int, str] = {}
    for row in table.iterchildren(f"{DRAWING}tr"):
        cells = []
        for column, cell in enumerate(row.iterchildren(f"{DRAWING}tc")):
            if cell.get("hMerge") in ("1", "true"):
                continue
            body = cell.find(f"{DRAWING}txBody")
            text = " ".join(_read_paragraphs(body).split()) if body is not None else ""
            above[column] = above.get(column, "") if cell.get("vMerge") in ("1", "true") else text
            cells.append(above[column])
        yield " | ".join(cells)
