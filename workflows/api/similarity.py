"""Embedding of created and changed rows."""

from typing import Any

from config.api.similarity import SimilarityMixin
from workflows.services.similarity import defer_embedding


class EmbeddingMixin(SimilarityMixin):
    """Viewset mixin for similarity search; a job embeds created and changed rows."""

    def perform_create(self, serializer: Any) -> Any:
        made = super().perform_create(serializer)  # type: ignore[misc]
        defer_embedding()
        return made

    def perform_update(self, serializer: Any) -> None:
        super().perform_update(serializer)  # type: ignore[misc]
        defer_embedding()
