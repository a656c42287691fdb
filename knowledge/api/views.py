"""API of chunks and recorded queries."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from config.api.serializers import BaseSerializer
from config.api.viewsets import ReadOnlyTenantViewSet, UpdateMixin
from knowledge.services.judged_questions import rate_query
from knowledge.services.sensitive_reads import record_sensitive_chunks

from .serializers import ChunkSerializer, RagQuerySerializer


class ChunkViewSet(ReadOnlyTenantViewSet):
    """Passages of documents."""

    serializer_class = ChunkSerializer
    resource = "collections"

    def record_reads(self, ids: Sequence[UUID]) -> None:
        record_sensitive_chunks(ids)


class RagQueryViewSet(UpdateMixin, ReadOnlyTenantViewSet):
    """Recorded searches of the caller; `user_feedback` rates the results."""

    serializer_class = RagQuerySerializer
    resource = "conversations"

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(user_id=self.credential.user_id)

    def perform_update(self, serializer: BaseSerializer) -> None:
        query: Any = serializer.instance
        rate_query(query, serializer.validated_data.get("user_feedback", query.user_feedback))
