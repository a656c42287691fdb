"""API of chunks and recorded queries."""

from typing import Any

from config.api.viewsets import ReadOnlyTenantViewSet, UpdateMixin

from .serializers import ChunkSerializer, RagQuerySerializer


class ChunkViewSet(ReadOnlyTenantViewSet):
    """Passages of documents."""

    serializer_class = ChunkSerializer
    resource = "collections"


class RagQueryViewSet(UpdateMixin, ReadOnlyTenantViewSet):
    """Recorded searches of the caller; `user_feedback` rates the results."""

    serializer_class = RagQuerySerializer
    resource = "conversations"

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(user_id=self.credential.user_id)
