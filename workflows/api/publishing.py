"""Publishing of workflows, their versions, and the check of definitions."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Invalid
from config.api.serializers import ReadOnlySerializer
from config.api.views import json_response
from config.api.viewsets import ReadOnlyTenantViewSet
from workflows.language.documents import DocumentError
from workflows.language.upgrades import upgrade_document
from workflows.models import Workflow, WorkflowVersion
from workflows.services.definition_checks import find_definition_errors, get_step_id
from workflows.services.lookup import get_latest_version, get_version
from workflows.services.publishing import DefinitionError, publish, restore_version
from workflows.services.version_diff import diff_versions, diff_with_draft
from workflows.services.workflow_files import export_workflow, import_workflow

from .fields import nest_errors

YAML = "application/yaml"


class WorkflowVersionSerializer(ReadOnlySerializer):
    """A published version of a workflow."""

    class Meta:
        model = WorkflowVersion
        fields = ("workflow", "version", "snapshot", "note", "created_by")


class PublishWorkflowSerializer(serializers.Serializer):
    """Parameters for publishing a workflow."""

    note = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default="", help_text="Description of changes."
    )


class RestoreWorkflowSerializer(serializers.Serializer):
    """Parameters for restoring a version."""

    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, help_text="Number of the version to restore."
    )


class CheckDefinitionSerializer(serializers.Serializer):
    """Parameters for checking a definition."""

    definition = serializers.JSONField(
        required=False, help_text="Definition to check, in any accepted form. Default: the draft."
    )


class DefinitionProblemSerializer(serializers.Serializer):
    """An error in a definition."""

    pointer = serializers.CharField(help_text="JSON pointer in the definition, such as /steps/1/agent.")
    step = serializers.CharField(allow_blank=True, help_text="ID of the step, or empty.")
    detail = serializers.CharField(help_text="Error message.")


class CheckedDefinitionSerializer(serializers.Serializer):
    """Result of checking a definition."""

    valid = serializers.BooleanField(help_text="Whether the definition can be published.")
    errors = DefinitionProblemSerializer(many=True, help_text="Errors in the definition.")
    definition = serializers.JSONField(help_text="The definition in the current form.")


class WorkflowChangeSerializer(serializers.Serializer):
    """One difference between two versions."""

    path = serializers.CharField(help_text="Path, such as definition.steps.draft.prompt.")
    change = serializers.ChoiceField(choices=["added", "removed", "changed"], help_text="Kind of change.")
    before = serializers.JSONField(allow_null=True, help_text="Value before the change.")
    after = serializers.JSONField(allow_null=True, help_text="Value after the change.")


class ImportWorkflowSerializer(serializers.Serializer):
    """A document to import."""

    slug = serializers.SlugField(
        max_length=100, help_text="Slug of the workflow; created if it does not exist."
    )
    document = serializers.CharField(
        max_length=1_000_000, trim_whitespace=False, help_text="The definition as YAML or JSON text."
    )


class PublishingActions:
    """`publish`, `validate`, `restore`, `changes`, `export` and `import` of workflows."""

    extra_media_types = (YAML,)

    @property
    def extra_parameters(self) -> tuple[str, ...]:
        return ("as",) if getattr(self, "action", None) == "export" else ()

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "as", str, enum=["json", "yaml"], default="yaml", description="Format of the file."
            )
        ],
        responses={
            (200, YAML): OpenApiResponse(OpenApiTypes.OBJECT, description="The draft as a document."),
            (200, "application/json"): OpenApiResponse(
                OpenApiTypes.OBJECT, description="By docs/reference/workflow.schema.json."
            ),
        },
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def export(self: Any, request: Any, **kwargs: Any) -> HttpResponse:
        """Export the draft as a document in YAML or JSON, with sorted keys."""
        export_format = request.GET.get("as", "yaml")
        if export_format not in ("json", "yaml"):
            raise Invalid("`as` is not a valid format. Use one of: json, yaml.", code="invalid_parameter")
        workflow = self.get_object()
        text = export_workflow(workflow, as_json=export_format == "json")
        response = HttpResponse(text, content_type=f"application/{export_format}")
        response["Content-Disposition"] = f'attachment; filename="{workflow.slug}.{export_format}"'
        return response

    @extend_schema(request=ImportWorkflowSerializer)
    @action(detail=False, methods=["post"], url_path="import")
    def import_document(self: Any, request: Any, **kwargs: Any) -> HttpResponse:
        """Store a document as the draft of a workflow, which is created if it does not exist."""
        parameters = self.validate_body(ImportWorkflowSerializer)
        try:
            workflow, _ = import_workflow(
                parameters["document"], slug=parameters["slug"], user_id=self.credential.user_id
            )
        except DocumentError as error:
            raise serializers.ValidationError({"document": [str(error)]}) from error
        except DefinitionError as error:
            raise serializers.ValidationError({"document": error.messages}) from error
        return self.respond_with(workflow.pk)

    @extend_schema(request=PublishWorkflowSerializer, responses={201: WorkflowVersionSerializer})
    @action(detail=True, methods=["post"])
    def publish(self: Any, request: Any, **kwargs: Any) -> HttpResponse:
        """Publish the draft as a new version, which new runs follow."""
        parameters = self.validate_body(PublishWorkflowSerializer)
        workflow = self.get_object(lock=True)
        try:
            version = publish(workflow, note=parameters["note"], user_id=self.credential.user_id)
        except DefinitionError as error:
            raise serializers.ValidationError({"definition": nest_errors(error.errors)}) from error
        return self.rendered_row(WorkflowVersionSerializer, version, 201)

    @extend_schema(request=CheckDefinitionSerializer, responses={200: CheckedDefinitionSerializer})
    @action(detail=True, methods=["post"], url_path="validate")
    def check_definition(self: Any, request: Any, **kwargs: Any) -> HttpResponse:
        """List the errors that prevent the publication of a definition. Nothing is stored."""
        parameters = self.validate_body(CheckDefinitionSerializer)
        workflow = self.get_object()
        document = upgrade_document(parameters.get("definition", workflow.definition))
        errors = [
            {
                "pointer": "".join(f"/{_escape(member)}" for member in path),
                "step": get_step_id(document, path),
                "detail": text,
            }
            for path, text in find_definition_errors(document, slug=workflow.slug)
        ]
        return json_response({"valid": not errors, "errors": errors, "definition": document})

    @extend_schema(request=RestoreWorkflowSerializer)
    @action(detail=True, methods=["post"])
    def restore(self: Any, request: Any, **kwargs: Any) -> HttpResponse:
        """Restore an earlier version as the draft. Publish the workflow to apply it."""
        parameters = self.validate_body(RestoreWorkflowSerializer)
        workflow = self.get_object(lock=True)
        try:
            version: Any = get_version(workflow, parameters["version"])
        except WorkflowVersion.DoesNotExist:
            raise Http404 from None
        restore_version(workflow, version, user_id=self.credential.user_id)
        return self.respond_with(workflow.pk)

    @extend_schema(responses={200: WorkflowChangeSerializer(many=True)})
    @action(detail=True, methods=["get"], pagination_class=None)
    def changes(self: Any, request: Any, **kwargs: Any) -> HttpResponse:
        """List the changes of the draft since the latest version."""
        workflow: Workflow = self.get_object()
        return json_response(diff_with_draft(get_latest_version(workflow), workflow))


class WorkflowVersionViewSet(ReadOnlyTenantViewSet):
    """Published, immutable versions of workflows."""

    serializer_class = WorkflowVersionSerializer
    resource = "workflows"
    verbs = {"diff": "read"}

    @property
    def extra_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("against",) if getattr(self, "action", None) == "diff" else ()

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "against",
                UUID,
                description="ID of another version of the workflow. Default: the previous one.",
            )
        ],
        responses={200: WorkflowChangeSerializer(many=True)},
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def diff(self, request: Any, **kwargs: Any) -> HttpResponse:
        """List the changes from another version to this one."""
        version = self.get_object()
        others = self.get_queryset().filter(workflow_id=version.workflow_id)
        if given := request.GET.get("against"):
            against = others.filter(pk=_parse_id(given)).first()
            if against is None:
                raise Http404
        else:
            against = others.filter(version__lt=version.version).order_by("-version").first()
        return json_response(diff_versions(against, version))


def _escape(member: str | int) -> str:
    return str(member).replace("~", "~0").replace("/", "~1")


def _parse_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise serializers.ValidationError({"against": "Must be a valid UUID."}) from None
