"""Outputs of bodies as JSON that PostgreSQL can store."""

from typing import Any

import orjson

from conversations.runtime.journal import strip_unstorable_json

OPTIONS = orjson.OPT_NON_STR_KEYS


def to_json_value(value: Any) -> Any:
    """Return `value` as plain JSON, without NUL and lone surrogates, which models and pages produce."""
    try:
        encoded = orjson.dumps(value, default=str, option=OPTIONS)
    except TypeError:  # orjson refuses lone surrogates, also in keys.
        encoded = orjson.dumps(strip_unstorable_json(value), default=str, option=OPTIONS)
    if b"\\u0000" in encoded:
        return strip_unstorable_json(orjson.loads(encoded))
    return orjson.loads(encoded)
