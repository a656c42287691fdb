"""Actions that cancel, pause, resume and redrive a run."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Conflict
from config.api.views import bodyless
from workflows.models import WorkflowExecution
from workflows.services.backend import backend

from .run_serializers import WorkflowExecutionSerializer

CONTROL_VERBS = dict.fromkeys(("cancel", "pause", "resume", "redrive"), "execute")
RESPONSES = {200: WorkflowExecutionSerializer}


class RedriveSerializer(serializers.Serializer):
    """How the failed steps of a run start again."""

    again = serializers.BooleanField(
        default=False,
        help_text="Whether steps repeat their effects in other systems: they get new idempotency keys.",
    )


class RunControlActions:
    """Actions that change the course of a run. List it before the viewset.

    The user who started a run needs `workflows:execute`, others `workflows:write` too.
    """

    @bodyless(responses=RESPONSES)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Cancel a run. Steps in progress stop."""
        return self._control(backend.cancel, "The run has ended.")

    @bodyless(responses=RESPONSES)
    @action(detail=True, methods=["post"])
    def pause(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Pause a run. Steps in progress end, and no further step starts."""
        return self._control(backend.pause, "The run is not in progress.")

    @bodyless(responses=RESPONSES)
    @action(detail=True, methods=["post"])
    def resume(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Continue a paused run."""
        return self._control(backend.resume, "The run is not paused.")

    @extend_schema(request=RedriveSerializer, responses=RESPONSES)
    @action(detail=True, methods=["post"])
    def redrive(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Start the failed and cancelled steps of a run again. Completed steps stay."""
        again = self.validate_body(RedriveSerializer)["again"]  # type: ignore[attr-defined]
        run = self._get_run()
        try:
            backend.redrive(run.pk, again=again)
        except ValidationError as error:
            raise Conflict(" ".join(error.messages), code="wrong_run_state") from error
        return self.respond_with(run.pk)  # type: ignore[attr-defined]

    def _control(self, change: Callable[[UUID], bool], refusal: str) -> HttpResponse:
        run = self._get_run()
        if not change(run.pk):
            raise Conflict(refusal, code="wrong_run_state")
        return self.respond_with(run.pk)  # type: ignore[attr-defined]

    def _get_run(self) -> WorkflowExecution:
        """Return the run.

        Raises:
            Forbidden: another user started it, and the caller may not change workflows.
        """
        run = self.get_object()  # type: ignore[attr-defined]
        if run.user_id != self.credential.user_id:  # type: ignore[attr-defined]
            self.require("workflows", "write")  # type: ignore[attr-defined]
        return run
