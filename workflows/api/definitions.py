"""Workflow, version and trigger endpoints."""

from typing import Any

from rest_framework import serializers

from config.api.serializers import BaseSerializer, ReadOnlySerializer, RelatedIdsField, TextListField
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet
from config.db.json_schema import validation_errors
from workflows import schemas
from workflows.choices import RunOutcome
from workflows.models import Workflow, WorkflowTrigger, WorkflowVersion

from .fields import SchemaField, nest_errors


class WorkflowSerializer(BaseSerializer):
    """A workflow with its steps. `agents` lists the IDs of participating agents."""

    definition = SchemaField(shape=schemas.WorkflowDefinition)
    retry_config = SchemaField(shape=schemas.RetryPolicy)
    agents = RelatedIdsField(
        through="workflows.WorkflowAgent",
        near="workflow",
        far="agent",
        required=False,
        help_text="IDs of participating agents.",
    )
    tags = TextListField(required=False, help_text="Tags for filtering.")
    last_run_status = serializers.ChoiceField(
        choices=RunOutcome.choices,
        allow_blank=True,
        read_only=True,
        help_text="Result of the latest run. Empty if the workflow has never run.",
    )

    class Meta:
        model = Workflow
        fields = (
            "name",
            "slug",
            "description",
            "definition",
            "config",
            "agents",
            "timeout",
            "retry_config",
            "status",
            "version",
            "tags",
            "metadata",
            "created_by",
            "last_run_at",
            "last_run_status",
            "run_count",
            "success_count",
            "error_count",
        )


class WorkflowVersionSerializer(ReadOnlySerializer):
    """A published version of a workflow."""

    class Meta:
        model = WorkflowVersion
        fields = ("workflow", "version", "snapshot", "note", "created_by")


class WorkflowTriggerSerializer(BaseSerializer):
    """A workflow trigger. Its secret is write-only."""

    class Meta:
        model = WorkflowTrigger
        fields = (
            "workflow",
            "name",
            "trigger_type",
            "config",
            "secret",
            "is_enabled",
            "next_fire_at",
            "last_fired_at",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        trigger = self.instance or WorkflowTrigger()
        kind = attrs.get("trigger_type", trigger.trigger_type)
        if "config" in attrs or "trigger_type" in attrs or self.instance is None:
            found = validation_errors(schemas.TRIGGERS[kind], attrs.get("config", trigger.config))
            if found:
                raise serializers.ValidationError({"config": nest_errors(found)})
        return attrs


class WorkflowViewSet(TenantViewSet):
    """Workflows, whose steps run on agents, tools and people."""

    serializer_class = WorkflowSerializer
    resource = "workflows"
    ordering_fields = ("created_at", "updated_at", "name", "run_count")
    owner_field = "created_by_id"


class WorkflowVersionViewSet(ReadOnlyTenantViewSet):
    """Published, immutable versions of workflows."""

    serializer_class = WorkflowVersionSerializer
    resource = "workflows"


class WorkflowTriggerViewSet(TenantViewSet):
    """Workflow triggers: manual, scheduled, webhook or event."""

    serializer_class = WorkflowTriggerSerializer
    resource = "workflows"
    ordering_fields = ("created_at", "updated_at", "name")
