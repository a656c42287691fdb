"""Parsing of EMBEDDINGS_MODELS."""

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def read_models(text: str) -> dict[str, Any]:
    """Return the models in `NAME=1536,OTHER=1024` or in a JSON object.

    Raises:
        ImproperlyConfigured: If the text has neither format.
    """
    text = text.strip()
    if not text.startswith("{"):
        pairs = [part.split("=", 1) for part in text.split(",") if part.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise ImproperlyConfigured("EMBEDDINGS_MODELS: write NAME=DIMENSIONS, separated by commas.")
        return {name.strip(): value.strip() for name, value in pairs}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"EMBEDDINGS_MODELS is not valid JSON: {error}") from error
    return dict(found)
