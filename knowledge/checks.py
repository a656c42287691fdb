"""System checks for the settings of embedders and rerankers."""

from typing import Any

from django.conf import settings
from django.core import checks

from knowledge.embedders.endpoint_models import EmbeddingModelError, read_endpoint_model
from knowledge.rerankers.endpoint import SHAPES


@checks.register
def check_embedding_models(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Report invalid options in EMBEDDINGS_MODELS (conclave.E030)."""
    found: list[checks.CheckMessage] = []
    for name, value in settings.EMBEDDINGS_MODELS.items():
        try:
            read_endpoint_model(name, value)
        except EmbeddingModelError as error:
            found.append(checks.Error(str(error), id="conclave.E030"))
    return found


@checks.register
def check_reranker(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Report an unknown RERANKER_SHAPE (conclave.E031)."""
    if settings.RERANKER_SHAPE in SHAPES:
        return []
    known = ", ".join(SHAPES)
    message = f"RERANKER_SHAPE is {settings.RERANKER_SHAPE!r}. Supported shapes: {known}."
    return [checks.Error(message, id="conclave.E031")]
