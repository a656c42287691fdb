"""Scan of a PDF page while pypdf extracts its text: sizes of lines, ruling lines, columns, images, fonts."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

# Points: thickness of a ruling line at most, its length at least, tolerance of columns.
RULE, LENGTH, TOLERANCE = 3.0, 12.0, 2.5
MAX_SHOWN, MAX_LINES, MAX_LINE = 5_000, 2_000, 200
MIN_RULES, MIN_BOXES, MIN_ROWS = 2, 4, 3
# Points from the start of a text to the next column at least; bullets are nearer.
MIN_COLUMN = 30
MIN_PATHS = 50
_SHOW = (b"Tj", b"TJ", b"'", b'"')


@dataclass(slots=True)
class PageScan:
    """Layout of one page. `lines` are the texts of lines with their font size in points."""

    lines: list[tuple[str, float]] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    across: int = 0
    down: int = 0
    boxes: int = 0
    paths: int = 0
    unmapped: int = 0
    shown: list[tuple[float, float, float]] = field(default_factory=list)

    def has_rules(self) -> bool:
        """Return whether the page has ruling lines in both directions, or boxes."""
        return min(self.across, self.down) >= MIN_RULES or self.boxes >= MIN_BOXES

    def has_table(self) -> bool:
        """Return whether the page has ruling lines or text in aligned columns."""
        return self.has_rules() or self._has_columns()

    def is_scanned(self) -> bool:
        """Return whether a page without text shows something."""
        return bool(self.images) or self.paths >= MIN_PATHS

    def _has_columns(self) -> bool:
        """Return whether several successive rows start texts at the same two positions."""
        run: list[set[int]] = []
        for row in self._iter_rows():
            starts = {round(x / TOLERANCE) for x in row}
            common = set.intersection(starts, *run[-MIN_ROWS + 1 :]) if run else starts
            run = [*run, starts] if len(common) > 1 else [starts]
            if len(run) >= MIN_ROWS:
                return True
        return False

    def _iter_rows(self) -> Iterator[list[float]]:
        """Yield the starts of the texts that follow each other on one line, without those of its words."""
        row: list[float] = []
        last_y, end = None, 0.0
        for x, y, width in self.shown:
            if last_y is None or abs(y - last_y) > TOLERANCE:
                if len(row) > 1:
                    yield row
                row, last_y = [x], y
            elif x > end + 2 * TOLERANCE and x > row[-1] + MIN_COLUMN:
                row.append(x)
            end = x + width
        if len(row) > 1:
            yield row


class PageScanner:
    """Collector of a `PageScan`; its methods are the visitors of `extract_text`."""

    def __init__(self, page: Any) -> None:
        self.scan = PageScan()
        self._images = _list_images(page)
        self._size = 1.0
        self._point = (0.0, 0.0)
        self._line: list[str] = []
        self._sizes: Counter[float] = Counter()
        self._unmapped: dict[int, bool] = {}

    def visit_operand(self, operator: bytes, operands: Any, matrix: Any, text_matrix: Any) -> None:
        """Count ruling lines, boxes and images, and note where texts start."""
        with suppress(ValueError, TypeError, LookupError, AttributeError):  # operands of damaged pages
            self._visit_operand(operator, operands, matrix, text_matrix)

    def _visit_operand(self, operator: bytes, operands: Any, matrix: Any, text_matrix: Any) -> None:
        if operator in _SHOW:
            self._note_text(operands, matrix, text_matrix)
        elif operator == b"Tf":
            self._size = abs(float(operands[1]))
        elif operator == b"re":
            self._count_box(*_scale(matrix, float(operands[2]), float(operands[3])))
        elif operator == b"m":
            self._point = float(operands[0]), float(operands[1])
        elif operator == b"l":
            point = float(operands[0]), float(operands[1])
            self._count_box(*_scale(matrix, point[0] - self._point[0], point[1] - self._point[1]))
            self._point = point
        elif operator in (b"c", b"v", b"y", b"sh"):
            self.scan.paths += 1
        elif operator == b"Do" and str(operands[0]) in self._images:
            self.scan.images.add(self._images[str(operands[0])])
        elif operator in (b"BI", b"INLINE IMAGE"):
            self.scan.images.add(f"inline {len(self.scan.images)}")

    def visit_text(self, text: str, matrix: Any, text_matrix: Any, font: Any, size: float) -> None:
        """Collect the lines with their font size, and count characters without Unicode map."""
        if not text:
            return
        if font is not None and self._is_unmapped(font):
            self.scan.unmapped += len(text.strip())
        scale = abs(text_matrix[0] * text_matrix[3] - text_matrix[1] * text_matrix[2]) ** 0.5
        scale *= abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]) ** 0.5
        for number, part in enumerate(text.split("\n")):
            if number:
                self.finish_line()
            if part.strip():
                self._line.append(part)
                self._sizes[round(size * scale * 2) / 2] += len(part)

    def finish_line(self) -> None:
        """End the current line."""
        text = "".join(self._line).strip()
        if text and len(self.scan.lines) < MAX_LINES:
            self.scan.lines.append((text[:MAX_LINE], self._sizes.most_common(1)[0][0]))
        self._line, self._sizes = [], Counter()

    def _note_text(self, operands: Any, matrix: Any, text_matrix: Any) -> None:
        if len(self.scan.shown) >= MAX_SHOWN:
            return
        x = text_matrix[4] * matrix[0] + text_matrix[5] * matrix[2] + matrix[4]
        y = text_matrix[4] * matrix[1] + text_matrix[5] * matrix[3] + matrix[5]
        em = self._size * abs(text_matrix[0] or text_matrix[1]) * abs(matrix[0] or matrix[1])
        pieces = operands[0] if operands and isinstance(operands[0], list) else operands[-1:]
        width = 0.0
        for piece in pieces:
            if isinstance(piece, int | float):
                gap = -float(piece) / 1000 * em
                if gap > em * 1.5:  # the next column in the same operator
                    self.scan.shown.append((x, y, width))
                    x, width = x + width + gap, 0.0
            else:
                width += len(piece) * em * 0.45
        self.scan.shown.append((x, y, width))

    def _count_box(self, width: float, height: float) -> None:
        self.scan.paths += 1
        if min(width, height) <= RULE:
            self.scan.across += width >= LENGTH
            self.scan.down += height >= LENGTH
        else:
            self.scan.boxes += width >= LENGTH and height >= 2 * RULE

    def _is_unmapped(self, font: Any) -> bool:
        key = id(font)
        if key not in self._unmapped:
            self._unmapped[key] = is_unmapped(font)
        return self._unmapped[key]


def is_unmapped(font: Any) -> bool:
    """Return whether the codes of a font say nothing about characters."""
    if "/ToUnicode" in font:
        return False
    encoding, kind = font.get("/Encoding"), font.get("/Subtype")
    if kind == "/Type0":
        descendants = font.get("/DescendantFonts")
        info: Any = descendants[0].get_object().get("/CIDSystemInfo") if descendants else None
        # Character collections such as Adobe-Japan1 are known; "Identity" numbers glyphs.
        ordering = info.get_object().get("/Ordering", "Identity") if info is not None else "Identity"
        return str(encoding).startswith("/Identity") and ordering == "Identity"
    if kind == "/Type3":
        differences = encoding.get_object().get("/Differences", ()) if hasattr(encoding, "get_object") else ()
        names = [str(name)[1:] for name in differences if isinstance(name, str)]
        # Bitmap fonts of TeX name the glyph of "A" `a65`.
        names = [chr(int(name[1:])) if re.fullmatch("a[0-9]{2,3}", name) else name for name in names]
        return bool(names) and not any(name.isalpha() and len(name) == 1 for name in names)
    return False


def _scale(matrix: Any, width: float, height: float) -> tuple[float, float]:
    return (
        abs(width * matrix[0] + height * matrix[2]),
        abs(width * matrix[1] + height * matrix[3]),
    )


def _list_images(page: Any) -> dict[str, str]:
    """Return the images in the resources of a page: name to identity. Icons are left out."""
    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    found = {}
    for name, reference in objects.get_object().items() if objects is not None else ():
        image = reference.get_object()
        if image.get("/Subtype") == "/Image" and image.get("/Width", 0) * image.get("/Height", 0) >= 1024:
            found[str(name)] = str(getattr(reference, "idnum", name))
    return found
