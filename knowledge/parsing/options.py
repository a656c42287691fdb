"""Options of a collection that readers of file formats follow."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """Language of the text, whether comments are read, and the seconds that OCR may take (0: no OCR)."""

    language: str = ""
    has_comments: bool = True
    ocr_seconds: int = 0


current_options: ContextVar[ParseOptions] = ContextVar("parse_options", default=ParseOptions())  # noqa: B039
ocr_deadline: ContextVar[float] = ContextVar("ocr_deadline", default=0.0)
