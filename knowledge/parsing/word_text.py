"""Text of DOCX paragraphs: runs, links, tracked changes, equations, shapes, pictures and references to notes."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from knowledge.parsing.drawings import CHART, DIAGRAM, format_chart, format_diagram
from knowledge.parsing.equations import MATH, format_equation
from knowledge.parsing.office_package import OfficePackage, Relationship
from knowledge.parsing.word_numbering import WORD

COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
RELATIONSHIP = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_PICTURE = "{http://schemas.openxmlformats.org/drawingml/2006/picture}pic"
_DOC_PROPERTIES = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}docPr"
_IMAGE = "{urn:schemas-microsoft-com:vml}imagedata"
_OLE = "{urn:schemas-microsoft-com:office:office}OLEObject"
_BREAKS = {
    f"{WORD}tab": "\t",
    f"{WORD}ptab": "\t",
    f"{WORD}br": "\n",
    f"{WORD}cr": "\n",
    f"{WORD}noBreakHyphen": "-",
}
# Deleted text, codes of fields, properties, and the phonetic guide above a word.
_SKIPPED = frozenset(
    WORD + name
    for name in ("del", "moveFrom", "delText", "instrText", "delInstrText", "pPr", "rPr", "sdtPr", "rt")
)
_NOTES = {
    f"{WORD}footnoteReference": "footnotes",
    f"{WORD}endnoteReference": "endnotes",
    f"{WORD}commentReference": "comments",
}


class ParagraphReader:
    """Reader of the paragraphs of one part.

    The text of text boxes, charts, diagrams and notes follows the paragraph that refers to them. `pop_attached`
    returns it.
    """

    def __init__(
        self,
        package: OfficePackage,
        relationships: dict[str, Relationship],
        read_blocks: Callable[[Any], Iterator[str]],
        warnings: Counter[str],
    ) -> None:
        self._package = package
        self._relationships = relationships
        self._read_blocks = read_blocks
        self._warnings = warnings
        self._attached: list[str] = []
        self.references: list[tuple[str, str]] = []

    def read(self, element: Any) -> str:
        """Return the text of a paragraph."""
        return "".join(self._read_children(element))

    def pop_attached(self) -> list[str]:
        """Return the texts of the shapes since the last call."""
        attached, self._attached = self._attached, []
        return attached

    def pop_references(self) -> list[tuple[str, str]]:
        """Return the notes referred to since the last call, as (kind, id)."""
        references, self.references = self.references, []
        return references

    def _read_children(self, element: Any) -> Iterator[str]:
        for child in element.iterchildren("*"):
            yield from self._read_inline(child)

    def _read_inline(self, element: Any) -> Iterator[str]:
        tag = element.tag
        if tag == f"{WORD}t":
            yield "".join(element.itertext(with_tail=False))
        elif tag in _SKIPPED:
            return
        elif tag in _BREAKS:
            yield _BREAKS[tag]
        elif tag == f"{WORD}sym":
            yield _read_symbol(element)
        elif tag in _NOTES:
            yield self._refer(_NOTES[tag], element.get(f"{WORD}id") or "")
        elif tag == f"{WORD}hyperlink":
            yield self._read_link(element)
        elif tag in (f"{MATH}oMath", f"{MATH}oMathPara"):
            yield format_equation(element)
        elif tag == f"{COMPATIBILITY}AlternateContent":
            yield self._read_alternatives(element)
        elif tag in (f"{WORD}drawing", f"{WORD}pict", f"{WORD}object"):
            self._read_shape(element)
        else:
            yield from self._read_children(element)

    def _refer(self, kind: str, number: str) -> str:
        self.references.append((kind, number))
        return "" if kind == "comments" else f"[{number}]"

    def _read_link(self, element: Any) -> str:
        text = self.read(element)
        relationship = self._relationships.get(element.get(f"{RELATIONSHIP}id") or "")
        if relationship is None or not relationship.is_external or relationship.target in text:
            return text
        target = relationship.target.removeprefix("mailto:")
        return text if target in text else f"{text} ({target[:500]})"

    def _read_alternatives(self, element: Any) -> str:
        """Read the first alternative that has content; the others repeat it."""
        before, images = len(self._attached), self._warnings.copy()
        for alternative in element.iterchildren(f"{COMPATIBILITY}Choice", f"{COMPATIBILITY}Fallback"):
            text = self.read(alternative)
            if text.strip() or len(self._attached) > before or self._warnings != images:
                return text
        return ""

    def _read_shape(self, element: Any) -> None:
        for child in element.iterchildren("*"):
            tag = child.tag
            if tag == f"{COMPATIBILITY}AlternateContent":
                self._read_alternatives(child)
            elif tag == f"{WORD}txbxContent":
                if text := "\n".join(self._read_blocks(child)).strip():
                    self._attached.append(text)
            elif tag in (_PICTURE, _IMAGE):
                self._read_picture(element)
            elif tag == _OLE:
                self._warnings["embedded_files"] += 1
            elif tag == f"{CHART}chart":
                self._read_part(child.get(f"{RELATIONSHIP}id"), format_chart, "charts_without_data")
            elif tag == f"{DIAGRAM}relIds":
                self._read_part(child.get(f"{RELATIONSHIP}dm"), format_diagram, "parts_not_read")
            else:
                if tag == _DOC_PROPERTIES:
                    self._description = child.get("descr") or ""
                self._read_shape(child)

    _description = ""

    def _read_picture(self, element: Any) -> None:
        self._warnings["images_without_text"] += 1
        if self._description:
            self._attached.append(f"Image: {' '.join(self._description.split())}")
        self._description = ""

    def _read_part(
        self, relationship_id: str | None, format_part: Callable[[Any], str], missing: str
    ) -> None:
        relationship = self._relationships.get(relationship_id or "")
        root = self._package.parse(relationship.target) if relationship else None
        if text := format_part(root) if root is not None else "":
            self._attached.append(text)
        else:
            self._warnings[missing] += 1


def _read_symbol(element: Any) -> str:
    """Return a character of a symbol font; those in the private use area are mapped to a bullet."""
    try:
        code = int(element.get(f"{WORD}char") or "", 16)
    except ValueError:
        return ""
    if 0xE000 <= code <= 0xF8FF:
        return "•"
    return chr(code) if code <= 0x10FFFF else ""
