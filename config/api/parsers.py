"""JSON in, with bounds: what PostgreSQL cannot store or a reader cannot unpack is refused at the door."""

from typing import Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from .exceptions import TooLarge

MAX_DEPTH = 64


def _refuse(data: Any, depth: int = 0) -> None:
    """Walk `data`: no deeper than `MAX_DEPTH`, no NUL in any text."""
    if depth > MAX_DEPTH:
        raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.", code="too_deep")
    if isinstance(data, str):
        if "\0" in data:
            raise ParseError("Text cannot hold the character NUL.", code="invalid_text")
    elif isinstance(data, dict):
        for key, value in data.items():
            _refuse(key, depth)
            _refuse(value, depth + 1)
    elif isinstance(data, list):
        for value in data:
            _refuse(value, depth + 1)


def parse_json(body: bytes) -> Any:
    """The value of a JSON text (RFC 8259); lone surrogates, NaN and Infinity are none.

    Raises:
        ParseError: when it is not JSON, is nested too deep or holds NUL.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The body is not valid JSON: {error}", code="invalid_json") from None
    if b"\\u0000" in body or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _refuse(data)
    return data


class BoundedJSONParser(BaseParser):
    """Parses a JSON object of bounded size and depth."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.API_MAX_BODY_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"The body is larger than {limit} bytes.")
        data = parse_json(body)
        if not isinstance(data, dict):
            raise ParseError("The body must be a JSON object.", code="invalid_json")
        return data
