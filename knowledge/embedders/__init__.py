"""Embedders: lexical (built in), MiniLM (optional) and OpenAI-compatible endpoints.

A collection stores the name of the embedder that made its vectors; a query must use the same one.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from knowledge.embedders.base import Embedder, EmbeddingError, Vector
from knowledge.embedders.lexical import LexicalEmbedder
from knowledge.embedders.minilm import MiniLMEmbedder
from knowledge.embedders.openai import OpenAIEmbedder

__all__ = (
    "Embedder",
    "EmbeddingError",
    "LexicalEmbedder",
    "MiniLMEmbedder",
    "OpenAIEmbedder",
    "Vector",
    "default_embedder",
    "get_embedder",
)

_EMBEDDERS: dict[str, Callable[..., Embedder]] = {
    LexicalEmbedder.name: LexicalEmbedder,
    MiniLMEmbedder.name: MiniLMEmbedder,
    "openai": OpenAIEmbedder,
}


def get_embedder(name: str, **options: Any) -> Embedder:
    """Return the embedder called `name`, passing `options` to its class.

    The name of an OpenAI embedder is "openai:<model>"; without options, the model must be in
    `settings.EMBEDDINGS_MODELS`.

    Raises EmbeddingError if the name is unknown or its packages are not installed.
    """
    return _create_embedder(name, **options) if options else _get_cached_embedder(name)


@cache
def _get_cached_embedder(name: str) -> Embedder:
    """Cache embedders per process, since loading a model is slow."""
    return _create_embedder(name)


def _create_embedder(name: str, **options: Any) -> Embedder:
    kind, _, model = name.partition(":")
    if kind not in _EMBEDDERS:
        raise EmbeddingError(f"unknown embedder {name!r}; known are {', '.join(sorted(_EMBEDDERS))}")
    if model:
        options.setdefault("model", model)
    if model and "dimensions" not in options:
        options = _get_endpoint_options(model) | options
    return _EMBEDDERS[kind](**options)


def _get_endpoint_options(model: str) -> dict[str, Any]:
    """Return the options of `model` for the configured embeddings endpoint.

    Raises:
        EmbeddingError: If the model is not configured.
    """
    from django.conf import settings

    if model not in settings.EMBEDDINGS_MODELS:
        known = ", ".join(sorted(settings.EMBEDDINGS_MODELS)) or "none"
        raise EmbeddingError(f"the operator has no embedding model {model!r}; known are {known}")
    return {
        "dimensions": int(settings.EMBEDDINGS_MODELS[model]),
        "base_url": settings.EMBEDDINGS_URL or None,
        "api_key": settings.EMBEDDINGS_KEY or None,
    }


def default_embedder() -> Embedder:
    """Return MiniLM if its packages are installed, else the lexical embedder."""
    return get_embedder(MiniLMEmbedder.name if MiniLMEmbedder.available() else LexicalEmbedder.name)
