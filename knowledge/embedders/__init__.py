"""Embedders: from words alone (always there), MiniLM on this machine (optional), or any OpenAI-compatible
endpoint.

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
    """The embedder called `name`; `options` go to its class. An OpenAI embedder's own name is
    "openai:<model>"; without options it is one of `settings.EMBEDDINGS_MODELS`.

    Raises EmbeddingError for an unknown name and for one whose packages are not installed.
    """
    return _made(name, **options) if options else _kept(name)


@cache
def _kept(name: str) -> Embedder:
    """Made once for the process: a model that is loaded serves every search."""
    return _made(name)


def _made(name: str, **options: Any) -> Embedder:
    kind, _, model = name.partition(":")
    if kind not in _EMBEDDERS:
        raise EmbeddingError(f"unknown embedder {name!r}; known are {', '.join(sorted(_EMBEDDERS))}")
    if model:
        options.setdefault("model", model)
    if model and "dimensions" not in options:
        options = _configured(model) | options
    return _EMBEDDERS[kind](**options)


def _configured(model: str) -> dict[str, Any]:
    """How the operator's endpoint is asked for `model`, one of those that the operator names.

    Raises:
        EmbeddingError: for another one.
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
    """MiniLM when its packages are installed, else the lexical embedder."""
    return get_embedder(MiniLMEmbedder.name if MiniLMEmbedder.available() else LexicalEmbedder.name)
