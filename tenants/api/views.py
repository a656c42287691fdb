"""Endpoints for the organisation and its engagements."""

from typing import Any

from config.api.singletons import WritableSingletonViewSet
from config.api.viewsets import TenantViewSet

from .serializers import EngagementSerializer, TenantSerializer


class OwnTenantViewSet(WritableSingletonViewSet):
    """The organisation that the credential belongs to."""

    serializer_class = TenantSerializer
    resource = "tenant"

    def own_id(self) -> Any:
        return self.credential.tenant_id


class EngagementViewSet(TenantViewSet):
    """Projects inside the organisation."""

    serializer_class = EngagementSerializer
    resource = "engagements"
    ordering_fields = ("created_at", "updated_at", "name", "status")
    owner_field = "created_by_id"
