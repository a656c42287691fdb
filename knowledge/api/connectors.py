"""API of connectors."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Conflict
from config.api.serializers import BaseSerializer
from config.api.viewsets import TenantViewSet
from knowledge.models import Connector
from knowledge.models.connectors import check_config, check_credentials
from knowledge.services.connectors import delete_connector, request_sync

KEEP, DELETE = "keep", "delete"


class ConnectorSerializer(BaseSerializer):
    """A connector with the state of its latest sync; its credentials are write-only."""

    class Meta:
        model = Connector
        fields = (
            "collection",
            "name",
            "kind",
            "config",
            "credentials",
            "interval_minutes",
            "max_deletion_percent",
            "is_active",
            *Connector.SYNC_FIELDS,
            "created_by",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Validate the configuration and the credentials against the kind."""
        attrs = super().validate(attrs)
        connector = self.instance or Connector()
        kind = attrs.get("kind", connector.kind)
        if self.instance is not None:
            self._refuse_moves(attrs)
        try:
            if {"config", "kind"} & attrs.keys() or self.instance is None:
                check_config(kind, attrs.get("config", connector.config))
            if attrs.get("credentials") is not None:
                check_credentials(kind, attrs["credentials"])
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict, code="invalid_config") from None
        return attrs

    def _refuse_moves(self, attrs: dict[str, Any]) -> None:
        """Keep kind and collection of a connector with documents, which belong to both."""
        connector: Any = self.instance
        stored = {"kind": connector.kind, "collection_id": connector.collection_id}
        moved = [name for name, value in stored.items() if attrs.get(name, value) != value]
        if moved and connector.documents.exists():
            reason = "It cannot be changed while the connector has documents."
            raise serializers.ValidationError({name.removesuffix("_id"): reason for name in moved})


class SyncSerializer(serializers.Serializer):
    """Request to sync a connector."""

    confirm_deletions = serializers.BooleanField(
        default=False, help_text="Whether any number of documents may be deleted."
    )


class ConnectorViewSet(TenantViewSet):
    """Outside sources that collections mirror; a job reads each at its interval."""

    serializer_class = ConnectorSerializer
    resource = "collections"
    ordering_fields = ("created_at", "updated_at", "name")
    owner_field = "created_by_id"
    verbs = {"sync": "write"}

    @property
    def extra_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("documents",) if self.request.method == "DELETE" else ()

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "documents",
                {"type": "string", "enum": [KEEP, DELETE], "default": KEEP},
                description="Whether the documents of the connector stay.",
            )
        ]
    )
    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Delete the connector. Its documents stay unless `documents=delete` is given."""
        choice = request.GET.get("documents", KEEP)
        if choice not in (KEEP, DELETE):
            raise serializers.ValidationError({"documents": f"Must be {KEEP} or {DELETE}."})
        delete_connector(self.get_object(lock=True), delete_documents=choice == DELETE)
        return HttpResponse(status=204)

    @extend_schema(request=SyncSerializer, responses={200: ConnectorSerializer})
    @action(detail=True, methods=["post"])
    def sync(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Queue a sync. A sync that is queued or running is not queued again."""
        parameters = self.validate_body(SyncSerializer)
        try:
            connector = request_sync(self.get_object(lock=True), **parameters)
        except ValidationError as error:
            raise Conflict(" ".join(error.messages), code="archived") from error
        return self.respond_with(connector.pk)
