"""JSON renderer based on orjson."""

from decimal import Decimal
from typing import Any

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder

_encoder = JSONEncoder()


def _default(value: Any) -> Any:
    if isinstance(value, (Decimal, Promise)):
        return str(value)
    return _encoder.default(value)


def dumps(data: Any) -> bytes:
    """Return compact JSON. Integers beyond 64 bits become floats (RFC 7493, section 2.2)."""
    try:
        return orjson.dumps(data, default=_default, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, orjson.JSONEncodeError):
        import json

        return orjson.dumps(orjson.loads(json.dumps(data, cls=JSONEncoder)))


class ORJSONRenderer(BaseRenderer):
    """Renderer for the data of any serializer."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else dumps(data)
