"""Start of runs: `POST /workflows/{id}/run/` and `/batch/`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.decorators import action

from agents.runtime.concurrency import waiting_for_model
from config.api.exceptions import Conflict, Invalid
from config.api.idempotency import ResumableResponse
from config.api.serializers import ObjectField
from config.api.views import json_response
from config.tenancy.concurrency import ConcurrencyLimitError
from conversations.api.callers import CallerMixin
from workflows.choices import ENDED_RUNS
from workflows.models import Workflow, WorkflowExecution, WorkflowVersion
from workflows.services.backend import backend
from workflows.services.lookup import get_version
from workflows.services.run_events import wait_for_run

from .run_serializers import WorkflowExecutionSerializer

MAX_WAIT_SECONDS = 60
MAX_BATCH = 100


class NewRunSerializer(serializers.Serializer):
    """Input of a run."""

    input = ObjectField(required=False, help_text="Input, valid in the schema of the version.")
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="Version to run, by default the latest."
    )
    priority = serializers.IntegerField(
        default=0,
        min_value=-100,
        max_value=100,
        help_text="Steps of runs with a higher priority start first.",
    )


class NewBatchSerializer(serializers.Serializer):
    """Inputs of several runs of a workflow."""

    inputs = serializers.ListField(
        child=ObjectField(), min_length=1, max_length=MAX_BATCH, help_text="Input of each run."
    )
    atomic = serializers.BooleanField(default=False, help_text="Whether one invalid input refuses all runs.")
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="Version to run, by default the latest."
    )


class BatchResultSerializer(serializers.Serializer):
    """The run of an input, or why it did not start."""

    run_id = serializers.UUIDField(allow_null=True, help_text="The run, or null.")
    error = serializers.CharField(allow_blank=True, help_text="Error. Empty if the run started.")


class BatchSerializer(serializers.Serializer):
    """The results in the order of the inputs."""

    results = BatchResultSerializer(many=True)


@dataclass(frozen=True, slots=True)
class RunResponse(ResumableResponse[UUID]):
    """The response to the start of a run. Its reference names the run."""

    view: Any
    start: Callable[[], UUID]
    seconds: float

    def begin(self) -> UUID:
        """Start the run."""
        return self.start()

    def describe(self, begun: UUID) -> dict[str, Any]:
        """Return the ID of the run."""
        return {"run": str(begun)}

    def finish(self, begun: UUID) -> HttpResponse:
        """Return the run: 200 if it ended in time, else 202. Without a free place, it does not wait."""
        try:
            run = self._wait(begun)
        except WorkflowExecution.DoesNotExist:
            raise Http404 from None
        response: HttpResponse = self.view.rendered_row(
            WorkflowExecutionSerializer, run, 200 if run.status in ENDED_RUNS else 202
        )
        response["Location"] = f"/api/v1/workflow-executions/{begun}/"
        return response

    def _wait(self, run_id: UUID) -> WorkflowExecution:
        if self.seconds:
            try:
                with waiting_for_model(self.view.credential.tenant_id):
                    return wait_for_run(self.view.scoped, run_id, self.seconds)
            except ConcurrencyLimitError:
                pass
        return wait_for_run(self.view.scoped, run_id, 0)

    def resume(self, reference: dict[str, Any]) -> HttpResponse:
        """Return the response with the run of an earlier request."""
        return self.finish(UUID(reference["run"]))

    def can_resume(self, reference: dict[str, Any]) -> bool:
        """Return whether the run exists."""
        return WorkflowExecution.objects.filter(pk=reference["run"]).exists()


class RunActions(CallerMixin):
    """Actions of workflows that start runs. List it before the viewset."""

    @property
    def scope(self) -> str:
        return "manual" if self.action == "run" else "request"

    @property
    def extra_parameters(self) -> tuple[str, ...]:
        return ("wait",) if self.action == "run" else super().extra_parameters

    @extend_schema(
        request=NewRunSerializer,
        responses={200: WorkflowExecutionSerializer, 202: WorkflowExecutionSerializer},
        parameters=[
            OpenApiParameter(
                "wait",
                {"type": "number", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": 0},
                description="Seconds to wait for the end of the run.",
            )
        ],
    )
    @action(detail=True, methods=["post"])
    def run(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Start a run. The status is 200 if it ended within `wait` seconds, else 202."""
        data = self.validate_body(NewRunSerializer)
        seconds = _parse_wait(request.query_params.get("wait"))
        response = RunResponse(self, lambda: self._start(data), seconds)
        return self.idempotent_request().run_in_steps(self.scoped, response)

    @extend_schema(request=NewBatchSerializer, responses={200: BatchSerializer})
    @action(detail=True, methods=["post"])
    def batch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Start a run for each input: all of them or none with `atomic`, else those whose input is valid."""
        data = self.validate_body(NewBatchSerializer)
        workflow = self.get_object()
        version = _find_version(workflow, data.get("version"))
        results, errors = [], {}
        for place, values in enumerate(data["inputs"]):
            try:
                with transaction.atomic():
                    run = self._start_run(workflow, version, values)
                results.append({"run_id": str(run.pk), "error": ""})
            except ValidationError as error:
                errors[place] = error.messages
                results.append({"run_id": None, "error": " ".join(error.messages)})
        if errors and data["atomic"]:
            raise exceptions.ValidationError({"inputs": errors})
        return json_response({"results": results})

    def _start(self, data: dict[str, Any]) -> UUID:
        workflow = self.get_object()
        version = _find_version(workflow, data.get("version"))
        try:
            run = self._start_run(workflow, version, data.get("input"), priority=data["priority"])
        except ValidationError as error:
            if "workflow" in getattr(error, "error_dict", {}):
                raise Conflict(" ".join(error.messages), code="workflow_not_ready") from error
            raise
        return run.pk

    def _start_run(self, workflow: Workflow, version: Any, values: Any, **options: Any) -> WorkflowExecution:
        user_id = self.credential.user_id
        return backend.start(workflow, input_data=values, version=version, user_id=user_id, **options)


def _find_version(workflow: Workflow, number: int | None) -> WorkflowVersion | None:
    try:
        return get_version(workflow, number)
    except WorkflowVersion.DoesNotExist as error:
        raise exceptions.ValidationError({"version": str(error)}) from None


def _parse_wait(text: str | None) -> float:
    try:
        seconds = float(text or 0)
    except ValueError:
        seconds = -1.0
    # False for NaN, too.
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise Invalid(f"wait must be a number from 0 to {MAX_WAIT_SECONDS}.", code="invalid_wait")
    return seconds
