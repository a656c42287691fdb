"""File types and their readers, selected by suffix and verified by signature."""

from collections.abc import Callable
from pathlib import PurePath

from knowledge.parsing.code import SUFFIXES as CODE
from knowledge.parsing.code import read_code
from knowledge.parsing.contacts import read_icalendar, read_vcard
from knowledge.parsing.data import read_json, read_json_lines
from knowledge.parsing.document import ParseError, ReaderResult
from knowledge.parsing.epub import read_epub
from knowledge.parsing.images import read_image
from knowledge.parsing.latex import read_latex
from knowledge.parsing.mail import read_eml
from knowledge.parsing.markup import read_markdown, read_plain, read_python, read_rst
from knowledge.parsing.notebook import read_notebook
from knowledge.parsing.opendocument import read_odp, read_ods, read_odt
from knowledge.parsing.pdf import read_pdf
from knowledge.parsing.rtf import read_rtf
from knowledge.parsing.sheets import read_csv, read_tsv
from knowledge.parsing.slides import read_pptx
from knowledge.parsing.subtitles import read_subtitles
from knowledge.parsing.web import read_html
from knowledge.parsing.word import read_docx
from knowledge.parsing.workbook import read_xlsx

Reader = Callable[[bytes, str], ReaderResult]
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
FORMATS: dict[str, tuple[str, Reader]] = {
    "": ("text/plain", read_plain),
    ".txt": ("text/plain", read_plain),
    ".text": ("text/plain", read_plain),
    ".log": ("text/plain", read_plain),
    ".md": ("text/markdown", read_markdown),
    ".markdown": ("text/markdown", read_markdown),
    ".rst": ("text/x-rst", read_rst),
    ".py": ("text/x-python", read_python),
    ".html": ("text/html", read_html),
    ".htm": ("text/html", read_html),
    ".xhtml": ("application/xhtml+xml", read_html),
    ".csv": ("text/csv", read_csv),
    ".tsv": ("text/tab-separated-values", read_tsv),
    ".json": ("application/json", read_json),
    ".jsonl": ("application/jsonl", read_json_lines),
    ".ndjson": ("application/jsonl", read_json_lines),
    ".eml": ("message/rfc822", lambda data, name: read_eml(data, name, read_attachment)),
    ".pdf": ("application/pdf", read_pdf),
    ".docx": (f"{_OFFICE}.wordprocessingml.document", read_docx),
    ".pptx": (f"{_OFFICE}.presentationml.presentation", read_pptx),
    ".xlsx": (f"{_OFFICE}.spreadsheetml.sheet", read_xlsx),
    ".odt": (f"{_OPEN}.text", read_odt),
    ".ods": (f"{_OPEN}.spreadsheet", read_ods),
    ".odp": (f"{_OPEN}.presentation", read_odp),
    ".epub": ("application/epub+zip", read_epub),
    ".rtf": ("application/rtf", read_rtf),
    ".tex": ("application/x-tex", read_latex),
    ".ipynb": ("application/x-ipynb+json", read_notebook),
    ".srt": ("application/x-subrip", read_subtitles),
    ".vtt": ("text/vtt", read_subtitles),
    ".vcf": ("text/vcard", read_vcard),
    ".ics": ("text/calendar", read_icalendar),
    ".png": ("image/png", read_image),
    ".jpg": ("image/jpeg", read_image),
    ".jpeg": ("image/jpeg", read_image),
    ".tif": ("image/tiff", read_image),
    ".tiff": ("image/tiff", read_image),
    ".webp": ("image/webp", read_image),
    **dict.fromkeys(CODE, ("text/x-code", read_code)),
}
IMAGES = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"))
BINARY = IMAGES | frozenset((".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".ods", ".odp", ".epub"))
SUPPORTED = frozenset(suffix for suffix in FORMATS if suffix)
# Folders and sources leave images out, most of which are decoration.
COLLECTED = frozenset(FORMATS) - IMAGES
PLAIN_NAMES = frozenset(
    (  # noqa: SIM905
        "authors changelog changes copying copyright faq history install licence license news notice readme "
        "thanks todo"
    ).split()
)
# Signatures of binary files, with their description for users.
_SIGNATURES = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive or an Office file",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old or locked Office file",
    b"\x7fELF": "a program",
    b"MZ\x90\x00": "a program",
    b"\x89PNG\r\n": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"Rar!": "an archive",
    b"7z\xbc\xaf": "an archive",
    b"\x1f\x8b": "a gzip archive",
}
_MEDIA_SUFFIXES = {
    media: suffix for suffix, (media, _) in reversed(FORMATS.items()) if media != "text/x-code"
}


def get_suffix(path: PurePath) -> str:
    """Return the suffix that determines the format; "" for names such as README.Debian."""
    if path.name.split(".")[0].lower() in PLAIN_NAMES and path.suffix.lower() not in SUPPORTED:
        return ""
    return path.suffix.lower()


def get_media_suffix(media_type: str) -> str:
    """Return the suffix of a media type, or an empty string."""
    return _MEDIA_SUFFIXES.get(media_type, "")


def get_reader(path: PurePath) -> tuple[str, Reader]:
    """Return media type and reader of a file by its name.

    Raises:
        ParseError: If the file type is not supported.
    """
    suffix = get_suffix(path)
    if suffix not in FORMATS:
        raise ParseError(f"{path.name}: files of type {suffix} are not supported")
    return FORMATS[suffix]


def is_supported_name(name: str) -> bool:
    """Return whether a file of this name is read from a folder or source; images are not, and text can be gzipped."""
    path = PurePath(name)
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" and path.stem else path
    return get_suffix(inner) in COLLECTED


def check_signature(data: bytes, path: PurePath) -> None:
    """Check that the first bytes of a file match its suffix.

    Raises:
        ParseError: If they are the signature of another file type.
    """
    looks = next((words for start, words in _SIGNATURES.items() if data.startswith(start)), "")
    suffix = get_suffix(path)
    if suffix == ".pdf" and b"%PDF-" not in data[:1024]:
        raise ParseError(
            f"{path.name}: damaged PDF ({f'it is {looks}' if looks else 'it does not begin as one'})"
        )
    if looks and suffix not in BINARY:
        raise ParseError(f"{path.name}: binary data ({looks}), not a file of type {suffix or 'text'}")


def read_attachment(data: bytes, name: str) -> ReaderResult | None:
    """Read a file that is attached to an e-mail; None when files of its type are not supported.

    Raises:
        ParseError: The file is damaged or is not of the type that its name promises.
    """
    path = PurePath(name)
    if get_suffix(path) not in SUPPORTED - {".eml"}:
        return None
    check_signature(data, path)
    return get_reader(path)[1](data, path.name)
