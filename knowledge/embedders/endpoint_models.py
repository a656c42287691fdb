"""Options of the models in `settings.EMBEDDINGS_MODELS`."""

from collections.abc import Mapping
from typing import Any

OPTIONS = {
    "dimensions": int,
    "send_dimensions": bool,
    "truncate": bool,
    "query_prefix": str,
    "passage_prefix": str,
}
MAX_DIMENSIONS, MAX_PREFIX = 16_000, 2000


class EmbeddingModelError(ValueError):
    """A model in EMBEDDINGS_MODELS has invalid options; the message says how to correct them."""


def read_endpoint_model(name: str, value: Any) -> dict[str, Any]:
    """Return the options of a model, whose value is a number of dimensions or a mapping.

    Raises:
        EmbeddingModelError: If the value is invalid.
    """
    options = dict(value) if isinstance(value, Mapping) else {"dimensions": value}
    if unknown := sorted(map(str, options.keys() - OPTIONS.keys())):
        known = ", ".join(OPTIONS)
        raise EmbeddingModelError(
            f"EMBEDDINGS_MODELS: {name} has unknown options: {', '.join(unknown)}. Known options: {known}."
        )
    options["dimensions"] = _read_dimensions(name, options.get("dimensions"))
    for option, kind in OPTIONS.items():
        if option in options and not isinstance(options[option], kind):
            raise EmbeddingModelError(f"EMBEDDINGS_MODELS: {option} of {name} must be a {kind.__name__}.")
        if kind is str and len(options.get(option, "")) > MAX_PREFIX:
            raise EmbeddingModelError(
                f"EMBEDDINGS_MODELS: {option} of {name} has more than {MAX_PREFIX} characters."
            )
    return options


def _read_dimensions(name: str, value: Any) -> int:
    # The environment contains text.
    text = value if isinstance(value, str) else str(value) if type(value) is int else ""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MAX_DIMENSIONS):
        raise EmbeddingModelError(
            f"EMBEDDINGS_MODELS: the dimensions of {name} must be a number from 1 to {MAX_DIMENSIONS}."
        )
    return int(text)
