"""Trigger endpoints."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Conflict
from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.views import bodyless
from config.api.viewsets import ReadOnlyTenantViewSet, SecretOnceMixin, TenantViewSet
from config.db.json_schema import validation_errors
from tenants.services.webhooks import rotate_secret
from workflows import schemas
from workflows.choices import TriggerType
from workflows.models import TriggerFiring, WorkflowTrigger
from workflows.services.triggers import SCHEDULE_COLUMNS, prepare_trigger

from .fields import nest_errors


class WorkflowTriggerSerializer(BaseSerializer):
    """A workflow trigger. A webhook is received at `/hooks/{id}`."""

    class Meta:
        model = WorkflowTrigger
        fields = (
            "workflow",
            "name",
            "trigger_type",
            "config",
            "is_enabled",
            "rotation_ends_at",
            "next_fire_at",
            "last_fired_at",
        )
        read_only_fields = ("rotation_ends_at",)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        trigger = self.instance or WorkflowTrigger()
        kind = attrs.get("trigger_type", trigger.trigger_type)
        if "config" in attrs or "trigger_type" in attrs or self.instance is None:
            found = validation_errors(schemas.TRIGGERS[kind], attrs.get("config", trigger.config))
            if found:
                raise serializers.ValidationError({"config": nest_errors(found)})
        return attrs


class NewTriggerSerializer(WorkflowTriggerSerializer):
    """A trigger with its new secret, which is returned only once."""

    secret = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="Secret (`whsec_…`) that signs requests to a webhook. It is returned only once.",
    )

    class Meta(WorkflowTriggerSerializer.Meta):
        fields = (*WorkflowTriggerSerializer.Meta.fields, "secret")


class TriggerFiringSerializer(ReadOnlySerializer):
    """A firing of a trigger."""

    class Meta:
        model = TriggerFiring
        fields = ("trigger", "key", "status", "scheduled_for", "missed", "execution", "error")


class WorkflowTriggerViewSet(SecretOnceMixin, TenantViewSet):
    """Workflow triggers: manual, scheduled, webhook or event."""

    serializer_class = WorkflowTriggerSerializer
    resource = "workflows"
    shown_once = "secret"
    verbs = {"rotate": "write"}
    ordering_fields = ("created_at", "updated_at", "name")

    @extend_schema(request=WorkflowTriggerSerializer, responses={201: NewTriggerSerializer})
    def create(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add a trigger. The secret of a webhook is returned only once."""
        serializer = self.validate(self.get_serializer(data=request.data))
        values = serializer.validated_data
        draft = WorkflowTrigger(
            **{name: values[name] for name in ("trigger_type", "config", "is_enabled") if name in values}
        )
        names = prepare_trigger(draft, ("config",))
        trigger = serializer.save(**{name: getattr(draft, name) for name in names})
        location = f"{request._request.path}{trigger.pk}/"
        return self.respond_with_secret(trigger.pk, draft.secret, 201, Location=location)

    def perform_update(self, serializer: Any) -> None:
        before, values = serializer.instance, serializer.validated_data
        changed = [name for name in SCHEDULE_COLUMNS & values.keys() if getattr(before, name) != values[name]]
        trigger = serializer.save()
        if names := prepare_trigger(trigger, changed):
            trigger.save(update_fields=[*names, "updated_at"])

    @bodyless(responses={200: NewTriggerSerializer})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Replace the secret of a webhook. For 24 hours requests may be signed with either."""
        trigger = self.get_object(lock=True)
        if trigger.trigger_type != TriggerType.WEBHOOK:
            raise Conflict("Only webhooks have a secret.", code="not_a_webhook")
        return self.respond_with_secret(trigger.pk, rotate_secret(trigger))


class TriggerFiringViewSet(ReadOnlyTenantViewSet):
    """Firings of triggers, newest first."""

    serializer_class = TriggerFiringSerializer
    resource = "workflows"
