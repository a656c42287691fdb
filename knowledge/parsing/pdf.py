"""Reader for PDF: pages with headings, tables and columns; pages without text are counted."""

import re
import resource
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from knowledge.parsing import ocr
from knowledge.parsing.document import ParseError, ReaderResult, TextBlock
from knowledge.parsing.pdf_scan import PageScan, PageScanner
from knowledge.parsing.pdf_text import Character, has_guessed_spaces, join_text, list_words, read_characters

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_PAGES = 10_000
MAX_BOOKMARKS, MAX_DEPTH = 20, 6
# Processor time for tables and columns: a share of what is left, in seconds at most.
LAYOUT_SHARE, MAX_LAYOUT_SECONDS = 0.4, 30.0
# Headings by font size: size relative to the body text, length, number of levels.
HEADING_RATIO, MAX_HEADING, MAX_LEVELS = 1.15, 120, 4
# Share of characters without meaning from which a page counts as unreadable.
UNREADABLE = 0.3
# Replace ligatures and remove soft hyphens; otherwise a search for "flashes" would not match.
GLYPHS = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00ad": ""}
)
_MEANINGLESS = re.compile("[\ue000-\uf8ff\ufffd\x00-\x08\x0e-\x1f]")
# Letters of scripts that no word has together: the font maps some glyphs to wrong characters.
_MIXED = re.compile(
    "[\u0590-\u0dff][\u0180-\u02af\u0530-\u058f\u1200-\u167f]|[\u0180-\u02af\u0530-\u058f\u1200-\u167f][\u0590-\u0dff]"
)
MAX_MIXED = 3
# Scripts from right to left, or with signs around their letters.
_COMPLEX = re.compile("[\u0590-\u0eff\u1000-\u109f\u1780-\u17ff]")


def read_pdf(data: bytes, name: str) -> ReaderResult:
    """Return the text of each page under its headings.

    Raises:
        ParseError: If the file is damaged, encrypted, too long or has no text.
    """
    from pypdf import PdfReader

    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ParseError(f"{name}: the PDF is locked with a password")
        if len(reader.pages) > MAX_PAGES:
            raise ParseError(f"{name}: more than {MAX_PAGES} pages")
        return _PdfDocument(reader, data, name).read()
    except (ParseError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # pypdf lets many kinds through on damaged files: KeyError, RecursionError, ...
        raise ParseError(f"{name}: damaged PDF ({type(error).__name__})") from error


class _PdfDocument:
    """Reading state of one document."""

    def __init__(self, reader: "PdfReader", data: bytes, name: str) -> None:
        self.warnings: Counter[str] = Counter()
        self._reader, self._data, self._name = reader, data, name
        self._images: set[str] = set()
        self._plumber: Any = None
        self._pdfium: Any = None
        self._layout_seconds = get_layout_seconds()
        self._error = ""
        self._ocr_pages = 0

    def read(self) -> ReaderResult:
        """Return the pages.

        Raises:
            ParseError: If no page has text.
        """
        pages = [self._read_page(number, page) for number, page in enumerate(self._reader.pages)]
        self._check_text([text for text, _ in pages])
        self.warnings["images_without_text"] = len(self._images)
        headings = _outline(self._reader)
        if any(headings.values()):
            pieces = [
                TextBlock(text, headings.get(number, ()), number) for number, (text, _) in enumerate(pages, 1)
            ]
        else:
            pieces = list(_split_at_headings(pages))
        info = self._reader.metadata
        metadata: dict[str, Any] = {"pages": len(pages)}
        metadata |= {"ocr_pages": self._ocr_pages} if self._ocr_pages else {}
        metadata |= {"author": str(info.author)} if info and info.author else {}
        metadata |= {"page_labels": labels} if (labels := list_page_labels(self._reader)) else {}
        return ReaderResult(pieces, str(info.title or "") if info else "", metadata, self.warnings)

    def _read_page(self, number: int, page: Any) -> tuple[str, PageScan]:
        scanner = PageScanner(page)
        try:
            text = page.extract_text(
                visitor_operand_before=scanner.visit_operand, visitor_text=scanner.visit_text
            )
        except (MemoryError, ParseError):
            raise
        except Exception as error:  # noqa: BLE001 - the other pages may be readable
            self._error = type(error).__name__
            self.warnings["pages_not_read"] += 1
            return "", scanner.scan
        scanner.finish_line()
        scan, text = scanner.scan, text.translate(GLYPHS)
        if not text.strip():
            read = self._read_scan(number) if scan.is_scanned() else ""
            self.warnings["needs_ocr"] += scan.is_scanned() and not read
            return read, scan
        size = len("".join(text.split()))
        if scan.unmapped > size / 2 or len(_MEANINGLESS.findall(text)) > size * UNREADABLE:
            if read := self._read_scan(number):
                return read, scan
            self.warnings["fonts_without_unicode"] += 1
            return "" if scan.unmapped > size / 2 else _MEANINGLESS.sub("", text), scan
        self._images |= scan.images
        return self._read_readable(number, text, scan), scan

    def _read_readable(self, number: int, text: str, scan: PageScan) -> str:
        """Return the text of a page as PDFium and the layout give it, else as pypdf does."""
        # pypdf suffices for other scripts, once the time is used up.
        is_needed = self._layout_seconds > 0 or _COMPLEX.search(text) is not None
        characters = self._read_characters(number) if is_needed else []
        is_guessed = has_guessed_spaces(characters)
        better = "" if is_guessed else join_text(characters).translate(GLYPHS)
        # A part of the page that PDFium does not read is worse than a wrong order.
        if len(better.split()) * 2 >= len(text.split()) or len("".join(better.split())) >= len(
            "".join(text.split())
        ):
            text = better
        self.warnings["fonts_without_unicode"] += is_guessed or len(_MIXED.findall(text)) > MAX_MIXED
        if is_guessed:
            characters = []
        if scan.has_rules() or (scan.has_table() and not characters):
            return self._read_layout(number, characters) or text
        return (self._read_columns(characters) if characters else "") or text

    def _read_scan(self, number: int) -> str:
        """Return the text of a page by OCR, or "" if that is not available or fails."""
        if not ocr.is_available():
            return ""
        try:
            with self._open_page(number) as page:
                pixels = page.get_width() * page.get_height()
                scale = min(ocr.DOTS_PER_INCH / 72, (ocr.MAX_PIXELS / max(pixels, 1)) ** 0.5)
                bitmap = page.render(scale=scale, grayscale=True)
                rows = memoryview(bytes(bitmap.buffer))
                width, height, stride = bitmap.width, bitmap.height, bitmap.stride
                bitmap.close()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - the page counts as not read
            return ""
        grey = b"".join(rows[start : start + width] for start in range(0, height * stride, stride))
        found = ocr.read_pixels(width, height, grey)
        if found is None:
            return ""
        self._ocr_pages += 1
        self.warnings["ocr_uncertain"] += found.confidence < ocr.MIN_CONFIDENCE
        return found.text

    def _open_page(self, number: int) -> Any:
        """Return a context manager of the page as PDFium reads it."""
        from pypdfium2 import PdfDocument

        self._pdfium = self._pdfium or PdfDocument(self._data)
        return closing(self._pdfium[number])

    def _read_characters(self, number: int) -> list[Character]:
        """Return the characters of a page; none if PDFium cannot read it, since pypdf has."""
        with self._take_layout_time(), self._open_page(number) as page:
            return read_characters(page)
        return []

    def _read_columns(self, characters: list[Character]) -> str:
        """Return the text of a page with tables or columns but no ruling lines, or ""."""
        from knowledge.parsing.pdf_layout import read_columns

        with self._take_layout_time() as is_left:
            return read_columns(list_words(characters)).translate(GLYPHS) if is_left else ""
        return ""

    @contextmanager
    def _take_layout_time(self) -> Iterator[bool]:
        """Subtract the processor time of the block from that for layout, and suppress its errors."""
        began = time.process_time()
        try:
            yield self._layout_seconds > 0
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S110 - the plain text of the page is there
            pass
        finally:
            self._layout_seconds -= time.process_time() - began

    def _read_layout(self, number: int, characters: list[Character]) -> str:
        """Return the text of a page with tables and columns, or "" if that takes too long or fails."""
        from pdfplumber import open as open_plumber

        from knowledge.parsing.pdf_layout import read_layout

        text = ""
        with self._take_layout_time() as is_left:
            if is_left:
                self._plumber = self._plumber or open_plumber(BytesIO(self._data))
                page = self._plumber.pages[number]
                words = list_words(characters) if _has_plain_box(page) and characters else None
                text = read_layout(page, words).translate(GLYPHS)
                page.close()
        self.warnings["tables_not_detected"] += not text
        return text

    def _check_text(self, texts: list[str]) -> None:
        if any(text.strip() for text in texts):
            return
        if self.warnings["pages_not_read"]:
            raise ParseError(f"{self._name}: damaged PDF ({self._error})")
        pages = f"{len(texts):,} page" + ("s" if len(texts) != 1 else "")
        if self.warnings["fonts_without_unicode"]:
            raise ParseError(
                f"{self._name}: the fonts of the PDF do not map to Unicode characters, so that it needs OCR ({pages})"
            )
        if self.warnings["needs_ocr"]:
            raise ParseError(f"{self._name}: the PDF has no text layer and needs OCR ({pages})")
        raise ParseError(f"{self._name}: the PDF has no text")


def _has_plain_box(page: Any) -> bool:
    """Return whether PDFium and pdfplumber use the same coordinates for a page."""
    box = tuple(page.mediabox)
    return not page.rotation and box[:2] == (0, 0) and tuple(page.cropbox) == box


def get_layout_seconds() -> float:
    """Return the processor time that tables may take, which leaves enough for the rest."""
    limit, _ = resource.getrlimit(resource.RLIMIT_CPU)
    if limit == resource.RLIM_INFINITY:
        return MAX_LAYOUT_SECONDS
    return min(MAX_LAYOUT_SECONDS, LAYOUT_SHARE * (limit - time.process_time()))


def _split_at_headings(pages: list[tuple[str, PageScan]]) -> Iterator[TextBlock]:
    """Yield the text of each page, cut at lines in a larger font."""
    levels = _find_levels([scan for _, scan in pages])
    stack: list[tuple[int, str]] = []
    for number, (text, scan) in enumerate(pages, 1):
        headings = {_squeeze(line): levels[size] for line, size in scan.lines if size in levels}
        lines: list[str] = []
        for line in text.split("\n"):
            level = headings.get(_squeeze(line)) if len(line) <= MAX_HEADING else None
            if level is not None and sum(map(str.isalpha, line)) > 1:
                yield TextBlock("\n".join(lines), tuple(name for _, name in stack), number)
                stack = [entry for entry in stack if entry[0] < level] + [(level, " ".join(line.split()))]
                lines = []
            lines.append(line)
        yield TextBlock("\n".join(lines), tuple(name for _, name in stack), number)


def _find_levels(scans: list[PageScan]) -> dict[float, int]:
    """Return the font sizes of headings with their level, from 1."""
    sizes: Counter[float] = Counter()
    for scan in scans:
        for line, size in scan.lines:
            sizes[size] += len(line)
    if not sizes:
        return {}
    body = sizes.most_common(1)[0][0]
    total = sum(sizes.values())
    # Text in a large font that fills pages is not a heading.
    larger = sorted((s for s in sizes if s >= body * HEADING_RATIO and sizes[s] < total / 4), reverse=True)
    return {size: level for level, size in enumerate(larger[:MAX_LEVELS], 1)}


def _squeeze(text: str) -> str:
    """Return the characters of a line in a fixed order, because readers differ in scripts from right to left."""
    return "".join(sorted("".join(text.translate(GLYPHS).split())))


def list_page_labels(reader: "PdfReader") -> list[dict[str, Any]]:
    """Return the labels where a new numbering starts: `[{"page": 1, "label": "i"}]`; none if they are the numbers."""
    try:
        labels = reader.page_labels if "/PageLabels" in reader.root_object else []
    except Exception:  # noqa: BLE001 - labels are optional; ignore broken ones
        return []
    runs: list[dict[str, Any]] = []
    last: tuple[str, int] = ("", 0)
    for page, label in enumerate(labels, 1):
        found = re.fullmatch(r"(.{0,50}?)([0-9]{1,9})", label)
        current = (found[1], int(found[2])) if found else ("letters", 0)
        if page == 1 or current[0] != last[0] or (found and current[1] != last[1] + 1):
            runs.append({"page": page, "label": label})
        last = current
    return [] if runs == [{"page": 1, "label": "1"}] else runs


def _outline(reader: "PdfReader") -> dict[int, tuple[str, ...]]:
    """Return the bookmark path of each page, outermost first."""
    begins: dict[int, list[tuple[int, str]]] = {}
    try:
        _collect(reader, reader.outline, 0, begins)
    except Exception:  # noqa: BLE001 - bookmarks are optional; ignore broken ones
        return {}
    stack: list[tuple[int, str]] = []
    found = {}
    for number in range(1, len(reader.pages) + 1):
        for depth, title in begins.get(number, ())[:MAX_BOOKMARKS]:
            stack = [entry for entry in stack if entry[0] < depth] + [(depth, title)]
        found[number] = tuple(title for _, title in stack)
    return found


def _collect(reader: "PdfReader", entries: Any, depth: int, begins: dict[int, list[tuple[int, str]]]) -> None:
    for entry in entries if depth < MAX_DEPTH else ():
        if isinstance(entry, list):
            _collect(reader, entry, depth + 1, begins)
        elif (page := reader.get_destination_page_number(entry)) is not None and entry.title:
            begins.setdefault(page + 1, []).append((depth, str(entry.title)[:200]))
