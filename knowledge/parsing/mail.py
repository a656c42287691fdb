"""Reader for e-mail (RFC 5322): who, when, about what, the text, and attached texts."""

import contextlib
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from knowledge.parsing.document import Draft, ParseError, Piece
from knowledge.parsing.markup import read_plain
from knowledge.parsing.web import read_html

HEADERS = ("From", "To", "Cc", "Date", "Subject")
MAX_PARTS = 200
_READERS: dict[str, Callable[[bytes, str], Draft]] = {"text/plain": read_plain, "text/html": read_html}


def read_eml(data: bytes, name: str) -> Draft:
    """The letter's heads as one piece, then its body; attachments that are no text are named."""
    try:
        letter: Any = BytesParser(policy=policy.default).parsebytes(data)
        heads = {head: " ".join(str(letter[head]).split()) for head in HEADERS if letter[head]}
        if not heads:
            raise ParseError(f"{name}: not an e-mail (it has none of the heads {', '.join(HEADERS)})")
        subject = heads.get("Subject", "")
        top = Piece(
            "\n".join(f"{head}: {value}" for head, value in heads.items()), (subject,) if subject else ()
        )
        pieces = [top, *_body(letter, subject, name)]
        return Draft(
            pieces, subject, {key.lower(): heads[key] for key in ("From", "To", "Date") if key in heads}
        )
    except ParseError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        raise ParseError(f"{name}: damaged e-mail ({type(error).__name__})") from error


def _body(letter: EmailMessage, subject: str, name: str) -> Iterator[Piece]:
    path = (subject,) if subject else ()
    body = letter.get_body(preferencelist=("plain", "html"))
    if body is not None:
        yield from _text_of(body, path, name)
    for count, part in enumerate(letter.iter_attachments()):
        if count >= MAX_PARTS:
            raise ParseError(f"{name}: more than {MAX_PARTS} attachments")
        title = part.get_filename() or part.get_content_type()
        if part.get_content_type() in _READERS:
            yield from _text_of(part, (*path, title), name)
        else:
            yield Piece(f"Attachment: {title} ({part.get_content_type()})", path)


def _text_of(part: Any, path: tuple[str, ...], name: str) -> Iterator[Piece]:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or not payload.strip():
        return
    charset = part.get_content_charset() or "utf-8"
    with contextlib.suppress(LookupError, UnicodeError):  # else the reader finds the encoding by itself
        payload = payload.decode(charset).encode()
    for piece in _READERS[part.get_content_type()](payload, name).pieces:
        yield Piece(piece.text, (*path, *piece.path), piece.page)
