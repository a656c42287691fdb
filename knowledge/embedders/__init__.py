"""Embedders: lexical (built in), MiniLM and multilingual E5 (optional), OpenAI-compatible endpoints and Ollama.

A collection stores the name of the embedder that made its vectors; a query must use the same one.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from knowledge.embedders.base import Embedder, EmbeddingError, Vector
from knowledge.embedders.e5 import E5Embedder
from knowledge.embedders.endpoint_models import EmbeddingModelError, read_endpoint_model
from knowledge.embedders.lexical import LexicalEmbedder
from knowledge.embedders.minilm import MiniLMEmbedder
from knowledge.embedders.ollama import OllamaEmbedder
from knowledge.embedders.openai import OpenAIEmbedder

__all__ = (
    "E5Embedder",
    "Embedder",
    "EmbeddingError",
    "LexicalEmbedder",
    "MiniLMEmbedder",
    "OllamaEmbedder",
    "OpenAIEmbedder",
    "Vector",
    "default_embedder",
    "get_embedder",
    "local_embedders",
)

ENGLISH = "en"

_EMBEDDERS: dict[str, Callable[..., Embedder]] = {
    LexicalEmbedder.name: LexicalEmbedder,
    MiniLMEmbedder.name: MiniLMEmbedder,
    E5Embedder.name: E5Embedder,
    "openai": OpenAIEmbedder,
    "ollama": OllamaEmbedder,
}


def get_embedder(name: str, **options: Any) -> Embedder:
    """Return the embedder called `name`, passing `options` to its class.

    The name of a model of the configured endpoint is "openai:<model>" or "ollama:<model>"; without options, the model
    must be in `settings.EMBEDDINGS_MODELS`.

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
    if kind == E5Embedder.name:
        options.setdefault("cache_dir", _get_cache_folder())
    if model:
        options.setdefault("model", model)
    if model and "dimensions" not in options:
        options = _get_endpoint_options(model) | options
    return _EMBEDDERS[kind](**options)


def _get_cache_folder() -> Path:
    """Return the folder of converted weights, which take seconds to convert."""
    from django.conf import settings

    return settings.VAR_DIR / "models"


def _get_endpoint_options(model: str) -> dict[str, Any]:
    """Return the options of `model` for the configured embeddings endpoint.

    Raises:
        EmbeddingError: If the model is not configured, or its configuration is invalid.
    """
    from django.conf import settings

    if model not in settings.EMBEDDINGS_MODELS:
        known = ", ".join(sorted(settings.EMBEDDINGS_MODELS)) or "none"
        raise EmbeddingError(f"the operator has no embedding model {model!r}; known are {known}")
    try:
        options = read_endpoint_model(model, settings.EMBEDDINGS_MODELS[model])
    except EmbeddingModelError as error:
        raise EmbeddingError(str(error)) from error
    return {
        **options,
        "base_url": settings.EMBEDDINGS_URL or None,
        "api_key": settings.EMBEDDINGS_KEY or None,
    }


def local_embedders() -> list[str]:
    """Return the names of the embedders that run in this process."""
    optional = (MiniLMEmbedder, E5Embedder)
    return [LexicalEmbedder.name, *(each.name for each in optional if each.available())]


def default_embedder(language: str | None = None) -> Embedder:
    """Return the best local embedder for texts in `language`.

    MiniLM knows English only, so other languages use multilingual E5. Without the packages of either, the lexical
    embedder is used.

    Args:
        language: ISO 639-1 code of a collection, or "" if it is unknown. None for texts outside collections: their
            limits of distance do not suit E5.
    """
    installed = local_embedders()
    preferred = [MiniLMEmbedder.name] if language in {None, "", ENGLISH} else []
    preferred += [E5Embedder.name] if language is not None else []
    return get_embedder(next((name for name in preferred if name in installed), LexicalEmbedder.name))
