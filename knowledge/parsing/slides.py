"""Reader for PPTX: one page per slide, with its tables and notes."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock
from knowledge.parsing.office_package import check_package


def read_pptx(data: bytes, name: str) -> ReaderResult:
    """Return the slides in order.

    Raises:
        ParseError: If the file is damaged, encrypted or a zip bomb.
    """
    check_package(data, name, "PPTX", "ppt/presentation.xml")
    from pptx import Presentation

    try:
        deck = Presentation(BytesIO(data))
        pieces = [_slide(slide, number) for number, slide in enumerate(deck.slides, 1)]
        properties = deck.core_properties
        metadata = {"slides": len(pieces)} | ({"author": properties.author} if properties.author else {})
        return ReaderResult(
            pieces, properties.title or next((p.path[0] for p in pieces if p.path), ""), metadata
        )
    except MemoryError:
        raise
    except Exception as error:  # python-pptx and lxml raise many kinds on damaged files
        raise ParseError(f"{name}: damaged PPTX ({type(error).__name__})") from error


def _slide(slide: Any, number: int) -> TextBlock:
    title = slide.shapes.title
    heading = " ".join(title.text_frame.text.split()) if title is not None and title.has_text_frame else ""
    texts = [text for shape in slide.shapes for text in _texts(shape) if text.strip()]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        texts += [f"Notes: {notes}"] if notes else []
    return TextBlock("\n\n".join(texts), (heading,) if heading else (), number)


def _texts(shape: Any) -> Iterator[str]:
    if hasattr(shape, "shapes"):
        for inner in shape.shapes:
            yield from _texts(inner)
    elif getattr(shape, "has_table", False):
        rows = ([" ".join(cell.text.split()) for cell in row.cells] for row in shape.table.rows)
        yield "\n".join(" | ".join(cells) for cells in rows)
    elif shape.has_text_frame:
        yield "\n".join(paragraph.text for paragraph in shape.text_frame.paragraphs)
