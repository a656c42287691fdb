"""Buttons that cancel, pause, resume and redrive a run, each with a confirmation."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action

from workflows.choices import ENDED_RUNS, ExecutionStatus
from workflows.models import WorkflowExecution
from workflows.services.backend import backend

IN_PROGRESS = frozenset(ExecutionStatus) - ENDED_RUNS


class RunControlMixin:
    """Actions of the page of a run."""

    actions_detail = ("cancel", "pause", "resume", "redrive")

    def _may_control(self, request, object_id, states):
        access = request.console
        if access.is_platform or not access.allows("workflows", "execute"):
            return False
        # The page asks once for each button.
        if not hasattr(request, "run_status"):
            found = self.get_queryset(request).filter(pk=object_id).order_by()
            request.run_status = found.values_list("status", flat=True).first()
        return request.run_status in states

    def has_cancel_permission(self, request, object_id=None):
        return self._may_control(request, object_id, IN_PROGRESS)

    def has_pause_permission(self, request, object_id=None):
        return self._may_control(request, object_id, {ExecutionStatus.RUNNING, ExecutionStatus.WAITING})

    def has_resume_permission(self, request, object_id=None):
        return self._may_control(request, object_id, {ExecutionStatus.PAUSED})

    def has_redrive_permission(self, request, object_id=None):
        return self._may_control(request, object_id, {ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})

    @action(description="Cancel", permissions=["cancel"], url_path="cancel", icon="cancel")
    def cancel(self, request, object_id):
        """Cancel the run."""
        return self._confirm(request, object_id, backend.cancel, "Cancel the run? Its steps end now.")

    @action(description="Pause", permissions=["pause"], url_path="pause", icon="pause")
    def pause(self, request, object_id):
        """Start no further steps until the run is resumed."""
        return self._confirm(request, object_id, backend.pause, "Pause the run? Steps that run now finish.")

    @action(description="Resume", permissions=["resume"], url_path="resume", icon="play_arrow")
    def resume(self, request, object_id):
        """Continue a paused run."""
        return self._confirm(request, object_id, backend.resume, "Resume the run?")

    @action(description="Redrive", permissions=["redrive"], url_path="redrive", icon="replay")
    def redrive(self, request, object_id):
        """Run the failed steps again."""
        text = "Run the failed and cancelled steps again? Completed steps stay as they are."
        return self._confirm(request, object_id, backend.redrive, text)

    def _confirm(self, request, object_id, change, text):
        """Ask for a confirmation, then change the run."""
        run = WorkflowExecution.objects.select_related("workflow").filter(pk=object_id).first()
        if run is None:
            raise Http404
        page = reverse("admin:workflows_workflowexecution_change", args=[object_id])
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request),
                "title": str(run),
                "opts": self.opts,
                "text": text,
                "next_url": page,
            }
            return TemplateResponse(request, "console/confirm.html", context)
        try:
            done = change(run.pk)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            if done:
                messages.success(request, "Done.")
            else:
                messages.error(request, "The run has changed in the meantime.")
        return HttpResponseRedirect(page)
