"""Text of OpenDocument paragraphs, lists, tables, frames, notes and comments."""

import posixpath
from collections import Counter
from collections.abc import Iterator
from typing import Any

from knowledge.parsing.office_package import DUBLIN_CORE, OfficePackage
from knowledge.parsing.options import current_options
from knowledge.parsing.word_numbering import format_number

_URN = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
OFFICE, TEXT, TABLE, DRAW, STYLE = (_URN % name for name in ("office", "text", "table", "drawing", "style"))
CHART, LINK = _URN % "chart", "{http://www.w3.org/1999/xlink}href"
MATH = "{http://www.w3.org/1998/Math/MathML}"
MAX_SPACES, MAX_REPEATED_TEXT = 100, 200
_FORMATS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
# Deleted text, forms, and what is read elsewhere.
_SKIPPED = frozenset(
    (f"{TEXT}tracked-changes", f"{OFFICE}forms", f"{TEXT}sequence-decls", f"{TEXT}variable-decls",
     "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}notes", f"{TEXT}ruby-text", f"{TEXT}index-title-template")
)  # fmt: skip


class BlockReader:
    """Reader of the blocks of a document."""

    def __init__(self, package: OfficePackage, root: Any, warnings: Counter[str]) -> None:
        self._package, self._warnings = package, warnings
        self._attached: list[str] = []
        self._skipped = _SKIPPED if current_options.get().has_comments else _SKIPPED | {f"{OFFICE}annotation"}
        styles = (root, package.parse("styles.xml"))
        self._lists = {
            style.get(f"{STYLE}name"): style
            for each in styles
            if each is not None
            for style in each.iter(f"{TEXT}list-style")
        }

    def pop_attached(self) -> list[str]:
        """Return the notes, comments and frames of the paragraphs since the last call."""
        attached, self._attached = self._attached, []
        return attached

    def iter_blocks(self, parent: Any) -> Iterator[tuple[int | None, str]]:
        """Yield the blocks in `parent`, with the level of headings."""
        for element in parent.iterchildren("*"):
            tag = element.tag
            if tag in self._skipped:
                continue
            if tag == f"{TEXT}h":
                level = element.get(f"{TEXT}outline-level") or "1"
                yield int(level) if level.isdecimal() and len(level) < 3 else 1, self.read_paragraph(element)
            elif tag == f"{TEXT}p":
                yield None, self.read_paragraph(element)
            elif tag == f"{TEXT}list":
                yield None, "\n".join(self._read_list(element, 0, ""))
            elif tag == f"{TABLE}table":
                yield None, "\n".join(self._read_table(element))
            elif tag == f"{OFFICE}annotation":
                yield None, self.format_comment(element)
            elif tag.startswith(DRAW):
                self._read_frame(element)
            else:
                yield from self.iter_blocks(element)
            for text in self.pop_attached():
                yield None, text

    def read_paragraph(self, element: Any) -> str:
        """Return the text of a paragraph, with line breaks and tabs."""
        return "".join(self._read_inline(element)).strip()

    def format_comment(self, element: Any) -> str:
        """Return the text of a comment with its author."""
        author = element.findtext(f"{DUBLIN_CORE}creator") or ""
        paragraphs = element.iter(f"{TEXT}p")
        text = " ".join(" ".join("".join(each.itertext()).split()) for each in paragraphs)
        return f"Comment ({author}): {text}" if author else f"Comment: {text}"

    def _read_inline(self, element: Any) -> Iterator[str]:
        yield _collapse(element.text)
        for child in element.iterchildren("*"):
            yield from self._read_child(child)
            yield _collapse(child.tail)

    def _read_child(self, child: Any) -> Iterator[str]:
        tag = child.tag
        if tag in self._skipped:
            return
        if tag == f"{TEXT}s":
            count = child.get(f"{TEXT}c") or "1"
            yield " " * min(int(count) if count.isdecimal() and len(count) < 6 else 1, MAX_SPACES)
        elif tag == f"{TEXT}tab":
            yield "\t"
        elif tag == f"{TEXT}line-break":
            yield "\n"
        elif tag == f"{TEXT}note":
            yield self._read_note(child)
        elif tag == f"{OFFICE}annotation":
            self._attached.append(self.format_comment(child))
        elif tag == f"{TEXT}a":
            text, target = "".join(self._read_inline(child)), child.get(LINK) or ""
            shown = target.removeprefix("mailto:")[:500]
            yield text if shown in text or "://" not in target else f"{text} ({shown})"
        elif tag.startswith(DRAW):
            self._read_frame(child)
        else:
            yield from self._read_inline(child)

    def _read_note(self, element: Any) -> str:
        citation = (element.findtext(f"{TEXT}note-citation") or "").strip()
        body = element.find(f"{TEXT}note-body")
        attached, self._attached = self._attached, []
        text = " ".join(" ".join(t.split()) for _, t in self.iter_blocks(body)) if body is not None else ""
        self._attached = [*attached, f"[{citation}] {text}"]
        return f"[{citation}]"

    def _read_frame(self, element: Any) -> None:
        """Read text boxes, pictures and embedded objects of a frame, shape or group."""
        # Blocks in the frame take the texts attached to them, not those attached before.
        before, self._attached = self._attached, []
        texts: list[str] = []
        self._collect_frame(element, texts)
        self._attached = [*before, *texts, *self._attached]

    def _collect_frame(self, element: Any, texts: list[str]) -> None:
        if element.tag == f"{DRAW}image":
            self._warnings["images_without_text"] += 1
        elif element.tag == f"{DRAW}object":
            texts += self._read_object(element)
            return
        elif element.tag == f"{DRAW}object-ole":
            self._warnings["embedded_files"] += 1
        has_object = any(
            True for _ in element.iterchildren(f"{DRAW}object", f"{DRAW}object-ole", f"{TABLE}table")
        )
        for child in element.iterchildren("*"):
            if has_object and child.tag == f"{DRAW}image":
                continue  # the picture of the object
            if child.tag.startswith(DRAW):
                self._collect_frame(child, texts)
            elif child.tag.rpartition("}")[2] in ("title", "desc"):
                texts += [f"Image: {' '.join(child.text.split())}"] if child.text else []
        own = [text for _, text in self.iter_blocks(_TextView(element)) if text.strip()]
        texts += ["\n".join(own)] if own else []

    def _read_object(self, element: Any) -> Iterator[str]:
        """Yield the text of an embedded chart or formula."""
        part = posixpath.normpath(posixpath.join(element.get(LINK) or "", "content.xml"))
        root = self._package.parse(part)
        if root is None:
            self._warnings["embedded_files"] += 1
            return
        annotation = root if root.tag.startswith(MATH) else None
        if annotation is not None:
            text = annotation.findtext(f".//{MATH}annotation") or " ".join(annotation.itertext())
            yield f"${' '.join(text.split())}$"
            return
        titles = (" ".join("".join(title.itertext()).split()) for title in root.iter(f"{CHART}title"))
        lines = [f"Chart: {' | '.join(filter(None, titles))}".rstrip(": ")]
        for table in root.iter(f"{TABLE}table"):
            lines += self._read_table(table)
        yield "\n".join(lines)

    def _read_list(self, element: Any, level: int, style: str) -> Iterator[str]:
        style = element.get(f"{TEXT}style-name") or style
        number = 0
        for item in element.iterchildren(f"{TEXT}list-item", f"{TEXT}list-header"):
            number += item.tag == f"{TEXT}list-item"
            mark = self._get_mark(style, level, number)
            for child in item.iterchildren("*"):
                if child.tag == f"{TEXT}list":
                    yield from self._read_list(child, level + 1, style)
                elif child.tag in (f"{TEXT}p", f"{TEXT}h") and (text := self.read_paragraph(child)):
                    yield f"{'  ' * min(level, 9)}{mark}{text}"
                    mark = "  "

    def _get_mark(self, style: str, level: int, number: int) -> str:
        """Return bullet or number of a list item."""
        levels = self._lists.get(style)
        for each in levels.iterchildren(f"{TEXT}list-level-style-number") if levels is not None else ():
            if each.get(f"{TEXT}level") == str(level + 1) and (kind := each.get(f"{STYLE}num-format")):
                prefix, suffix = each.get(f"{STYLE}num-prefix") or "", each.get(f"{STYLE}num-suffix") or ""
                return f"{prefix}{format_number(number, _FORMATS.get(kind, 'decimal'))}{suffix} "
        return "- "

    def _read_table(self, table: Any) -> Iterator[str]:
        """Yield a line per row; a cell merged over rows repeats."""
        above: dict[int, tuple[int, str]] = {}
        for row in _iter_rows(table):
            cells: list[str] = []
            for column, cell in enumerate(
                row.iterchildren(f"{TABLE}table-cell", f"{TABLE}covered-table-cell")
            ):
                rows, text = above.get(column, (0, ""))
                if cell.tag == f"{TABLE}covered-table-cell":
                    cells += [text] if rows else []
                    above[column] = max(rows - 1, 0), text
                else:
                    text = " ".join(" ".join(t.split()) for _, t in self.iter_blocks(cell) if t.strip())
                    cells.append(text)
                    spanned = cell.get(f"{TABLE}number-rows-spanned") or "1"
                    more = int(spanned) - 1 if spanned.isdecimal() and len(spanned) < 6 else 0
                    above[column] = more if len(text) <= MAX_REPEATED_TEXT else 0, text
            if any(cells):
                yield " | ".join(cells).rstrip(" |")


def _iter_rows(table: Any) -> Iterator[Any]:
    """Yield the rows of a table, without those of tables in its cells."""
    for child in table.iterchildren("*"):
        if child.tag == f"{TABLE}table-row":
            yield child
        elif child.tag in (f"{TABLE}table-header-rows", f"{TABLE}table-rows", f"{TABLE}table-row-group"):
            yield from _iter_rows(child)


def _collapse(text: str | None) -> str:
    """Collapse white space as OpenDocument does; `text:s` stands for further spaces."""
    if not text:
        return ""
    words = " ".join(text.split())
    return f"{' ' if text[:1].isspace() else ''}{words}{' ' if words and text[-1:].isspace() else ''}"


class _TextView:
    """View of an element whose children leave out drawings, which are read separately."""

    def __init__(self, element: Any) -> None:
        self._element = element

    def iterchildren(self, *_tags: str) -> Iterator[Any]:
        """Yield the children except drawings."""
        return (child for child in self._element.iterchildren("*") if not child.tag.startswith(DRAW))
