"""System checks for the settings of embedders."""

from typing import Any

from django.conf import settings
from django.core import checks

from knowledge.embedders.endpoint_models import EmbeddingModelError, read_endpoint_model


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
