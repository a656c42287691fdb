"""Reader for email (RFC 5322): headers, body, attachments and attached messages."""

import contextlib
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock
from knowledge.parsing.markup import read_plain
from knowledge.parsing.web import read_html

HEADERS = ("From", "To", "Cc", "Date", "Subject")
MAX_PARTS, MAX_DEPTH = 200, 5
# Reads an attached file by its name; None when files of that type are not supported.
AttachmentReader = Callable[[bytes, str], ReaderResult | None]
_READERS: dict[str, Callable[[bytes, str], ReaderResult]] = {"text/plain": read_plain, "text/html": read_html}


def read_eml(data: bytes, name: str, read_attachment: AttachmentReader) -> ReaderResult:
    """Return headers, body and attachments; unreadable attachments are listed by name."""
    try:
        letter: Any = BytesParser(policy=policy.default).parsebytes(data)
        heads = _get_headers(letter)
        if not heads:
            raise ParseError(f"{name}: not an e-mail (it has none of the heads {', '.join(HEADERS)})")
        pieces = list(_read_message(letter, (), name, iter(range(MAX_PARTS)), MAX_DEPTH, read_attachment))
        about = {key.lower(): heads[key] for key in ("From", "To", "Date") if key in heads}
        return ReaderResult(pieces, heads.get("Subject", ""), about)
    except ParseError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        raise ParseError(f"{name}: damaged e-mail ({type(error).__name__})") from error


def _get_headers(letter: Any) -> dict[str, str]:
    return {head: " ".join(str(letter[head]).split()) for head in HEADERS if letter[head]}


def _read_message(
    letter: EmailMessage,
    above: tuple[str, ...],
    name: str,
    budget: Iterator[int],
    depth: int,
    read_attachment: AttachmentReader,
) -> Iterator[TextBlock]:
    heads = _get_headers(letter)
    subject = heads.get("Subject", "")
    path = (*above, subject) if subject else above
    yield TextBlock("\n".join(f"{head}: {value}" for head, value in heads.items()), path)
    body = letter.get_body(preferencelist=("plain", "html"))
    if body is not None:
        yield from _read_text(body, path, name)
    for part in letter.iter_attachments():
        if next(budget, None) is None:
            raise ParseError(f"{name}: more than {MAX_PARTS} attachments")
        inner = part.get_payload(0) if part.get_content_type() == "message/rfc822" else None
        if isinstance(inner, EmailMessage) and depth > 0:
            yield from _read_message(inner, path, name, budget, depth - 1, read_attachment)
        else:
            yield from _read_attachment(part, path, name, read_attachment)


def _read_attachment(
    part: Any, path: tuple[str, ...], name: str, read_attachment: AttachmentReader
) -> Iterator[TextBlock]:
    title = part.get_filename() or part.get_content_type()
    reason = part.get_content_type()
    if part.get_content_type() in _READERS:
        yield from _read_text(part, (*path, title), name)
        return
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        try:
            draft = read_attachment(payload, title)
        except ParseError as error:
            reason = str(error)
        else:
            if draft is not None:
                yield from (
                    TextBlock(piece.text, (*path, title, *piece.path), piece.page) for piece in draft.pieces
                )
                return
    yield TextBlock(f"Attachment: {title} ({reason})", path)


def _read_text(part: Any, path: tuple[str, ...], name: str) -> Iterator[TextBlock]:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or not payload.strip():
        return
    charset = part.get_content_charset() or "utf-8"
    with contextlib.suppress(LookupError, UnicodeError):  # otherwise the reader detects the encoding
        payload = payload.decode(charset).encode()
    for piece in _READERS[part.get_content_type()](payload, name).pieces:
        yield TextBlock(piece.text, (*path, *piece.path), piece.page)
