"""Endpoints of outgoing events and webhooks."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.views import bodyless, json_response
from config.api.viewsets import ReadOnlyTenantViewSet, SecretOnceMixin, TenantViewSet
from tenants.choices import DeliveryStatus
from tenants.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tenants.services.webhooks import generate_secret, replay_deliveries, rotate_secret


class OutboxEventSerializer(ReadOnlySerializer):
    """An event that webhooks and notifications report."""

    class Meta:
        model = OutboxEvent
        fields = ("type", "data", "relayed_at")


class WebhookEndpointSerializer(BaseSerializer):
    """A URL that receives events."""

    class Meta:
        model = WebhookEndpoint
        fields = (
            "url",
            "description",
            "event_types",
            "is_enabled",
            "rotation_ends_at",
            "created_by",
        )
        read_only_fields = ("rotation_ends_at", "created_by")


class NewSecretSerializer(WebhookEndpointSerializer):
    """An endpoint with its new secret, which is returned only once."""

    secret = serializers.CharField(
        read_only=True, allow_null=True, help_text="Secret (`whsec_…`) that signs. It is returned only once."
    )

    class Meta(WebhookEndpointSerializer.Meta):
        fields = (*WebhookEndpointSerializer.Meta.fields, "secret")


class WebhookDeliverySerializer(ReadOnlySerializer):
    """The sending of one event to one endpoint."""

    class Meta:
        model = WebhookDelivery
        fields = (
            "endpoint",
            "event_id",
            "event_type",
            "status",
            "attempt_count",
            "attempts_left",
            "next_attempt_at",
            "response_status",
            "error",
            "attempts",
            "completed_at",
        )


class ReplaySerializer(serializers.Serializer):
    """The number of deliveries that are sent again."""

    count = serializers.IntegerField()


class OutboxEventViewSet(ReadOnlyTenantViewSet):
    """Events of the organisation, newest first."""

    serializer_class = OutboxEventSerializer
    resource = "webhooks"


class WebhookEndpointViewSet(SecretOnceMixin, TenantViewSet):
    """URLs that receive events of the organisation."""

    serializer_class = WebhookEndpointSerializer
    resource = "webhooks"
    shown_once = "secret"
    verbs = {"rotate": "write", "replay": "write"}

    @extend_schema(request=WebhookEndpointSerializer, responses={201: NewSecretSerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add an endpoint. The secret is returned only once."""
        serializer, secret = self.validate(self.get_serializer(data=request.data)), generate_secret()
        endpoint = serializer.save(secret=secret, created_by_id=self.credential.user_id)
        location = f"{request._request.path}{endpoint.pk}/"
        return self.respond_with_secret(endpoint.pk, secret, 201, Location=location)

    @bodyless(responses={200: NewSecretSerializer})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Replace the secret. For 24 hours requests have signatures of both secrets."""
        endpoint = self.get_object(lock=True)
        return self.respond_with_secret(endpoint.pk, rotate_secret(endpoint))

    @bodyless(responses={200: ReplaySerializer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Send the dead letters of the endpoint again."""
        dead = WebhookDelivery.objects.filter(endpoint_id=self.get_object().pk, status=DeliveryStatus.DEAD)
        return json_response({"count": replay_deliveries(dead)})


class WebhookDeliveryViewSet(ReadOnlyTenantViewSet):
    """Deliveries of events to endpoints, newest first."""

    serializer_class = WebhookDeliverySerializer
    resource = "webhooks"
    verbs = {"replay": "write"}

    @bodyless(responses={200: WebhookDeliverySerializer})
    @action(detail=True, methods=["post"])
    def replay(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Send the event again, with the same `webhook-id`. A pending delivery stays unchanged."""
        delivery = self.get_object(lock=True)
        replay_deliveries(self.get_queryset().filter(pk=delivery.pk))
        return self.respond_with(delivery.pk)
