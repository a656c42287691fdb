"""Workflow endpoints."""

from rest_framework import serializers

from config.api.serializers import BaseSerializer, RelatedIdsField, TextListField
from config.api.viewsets import TenantViewSet
from workflows import schemas
from workflows.choices import RunOutcome
from workflows.models import Workflow

from .fields import SchemaField
from .publishing import PublishingActions
from .runs import RunActions


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


class WorkflowViewSet(RunActions, PublishingActions, TenantViewSet):
    """Workflows, whose steps run on agents, tools and people."""

    serializer_class = WorkflowSerializer
    resource = "workflows"
    ordering_fields = ("created_at", "updated_at", "name", "run_count")
    owner_field = "created_by_id"
    verbs = {
        "publish": "write",
        "check_definition": "read",
        "restore": "write",
        "changes": "read",
        "export": "read",
        "import_document": "write",
        "run": "execute",
        "batch": "execute",
    }
