"""Reader for email (RFC 5322): headers, body, attachments and attached messages."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
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
        reader = _MailReader(name, read_attachment)
        pieces = list(reader.read_message(letter, (), MAX_DEPTH))
        about = {key.lower(): heads[key] for key in ("From", "To", "Date") if key in heads}
        return ReaderResult(pieces, heads.get("Subject", ""), about, reader.warnings)
    except ParseError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        raise ParseError(f"{name}: damaged e-mail ({type(error).__name__})") from error


def _get_headers(letter: Any) -> dict[str, str]:
    return {head: " ".join(str(letter[head]).split()) for head in HEADERS if letter[head]}


class _MailReader:
    """Reader of one e-mail and its attachments, with their warnings."""

    def __init__(self, name: str, read_attachment: AttachmentReader) -> None:
        self.name = name
        self.warnings: Counter[str] = Counter()
        self._read_attachment = read_attachment
        self._budget = iter(range(MAX_PARTS))

    def read_message(self, letter: EmailMessage, above: tuple[str, ...], depth: int) -> Iterator[TextBlock]:
        """Yield headers, body and attachments; attached messages to the given depth."""
        heads = _get_headers(letter)
        subject = heads.get("Subject", "")
        path = (*above, subject) if subject else above
        yield TextBlock("\n".join(f"{head}: {value}" for head, value in heads.items()), path)
        body = letter.get_body(preferencelist=("plain", "html"))
        if body is not None:
            yield from self._read_text(body, path)
        for part in letter.iter_attachments():
            if next(self._budget, None) is None:
                raise ParseError(f"{self.name}: more than {MAX_PARTS} attachments")
            inner = part.get_payload(0) if part.get_content_type() == "message/rfc822" else None
            if isinstance(inner, EmailMessage) and depth > 0:
                yield from self.read_message(inner, path, depth - 1)
            else:
                yield from self._read_part(part, path)

    def _read_part(self, part: Any, path: tuple[str, ...]) -> Iterator[TextBlock]:
        title = part.get_filename() or part.get_content_type()
        reason = part.get_content_type()
        if part.get_content_type() in _READERS:
            yield from self._read_text(part, (*path, title))
            return
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            try:
                draft = self._read_attachment(payload, title)
            except ParseError as error:
                reason = str(error)
            else:
                if draft is not None:
                    yield from _prefix_paths(draft.pieces, (*path, title))
                    self.warnings += draft.warnings
                    return
        self.warnings["attachments_not_read"] += 1
        yield TextBlock(f"Attachment: {title} ({reason})", path)

    def _read_text(self, part: Any, path: tuple[str, ...]) -> Iterator[TextBlock]:
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes) or not payload.strip():
            return
        charset = part.get_content_charset() or "utf-8"
        with contextlib.suppress(LookupError, UnicodeError):  # otherwise the reader detects the encoding
            payload = payload.decode(charset).encode()
        draft = _READERS[part.get_content_type()](payload, self.name)
        yield from _prefix_paths(draft.pieces, path)
        self.warnings += draft.warnings


def _prefix_paths(pieces: Iterable[TextBlock], path: tuple[str, ...]) -> Iterator[TextBlock]:
    for piece in pieces:
        yield TextBlock(piece.text, (*path, *piece.path), piece.page)
