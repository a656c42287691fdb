"""JSON parser with limits on size, depth and characters.

PostgreSQL cannot store NUL characters; deep nesting exhausts the stack of the code that reads the value.
"""

from typing import Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from .exceptions import TooLarge

MAX_DEPTH = 64


def _check_value(data: Any, depth: int = 0) -> None:
    """Reject values deeper than `MAX_DEPTH` and strings with NUL characters."""
    if depth > MAX_DEPTH:
        raise ParseError(f"The request body is nested more than {MAX_DEPTH} levels deep.", code="too_deep")
    if isinstance(data, str):
        if "\0" in data:
            raise ParseError("Null characters are not allowed.", code="invalid_text")
    elif isinstance(data, dict):
        for key, value in data.items():
            _check_value(key, depth)
            _check_value(value, depth + 1)
    elif isinstance(data, list):
        for value in data:
            _check_value(value, depth + 1)


def parse_json(body: bytes) -> Any:
    """Parse a JSON text (RFC 8259). Lone surrogates, NaN and Infinity are rejected.

    Raises:
        ParseError: the text is not JSON, is nested too deep or contains a NUL character.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(f"The request body is not valid JSON: {error}", code="invalid_json") from None
    if b"\\u0000" in body or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _check_value(data)
    return data


class BoundedJSONParser(BaseParser):
    """Parser for a JSON object of limited size and depth."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.API_MAX_BODY_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"The request body is larger than {limit} bytes.")
        data = parse_json(body)
        if not isinstance(data, dict):
            raise ParseError("The request body must be a JSON object.", code="invalid_json")
        return data
