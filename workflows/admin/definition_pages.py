"""Console page of a workflow's definition: graph, YAML editor, versions with their changes, and triggers."""

from itertools import zip_longest

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from config.db.json_schema import validation_errors
from workflows.admin.run_pages import draw_definition
from workflows.language.definition import WorkflowDefinition
from workflows.language.documents import DocumentError, dump_document, load_document
from workflows.language.upgrades import upgrade_document
from workflows.models import Workflow
from workflows.services.publishing import DefinitionError, name_step, publish
from workflows.services.version_diff import diff_versions, diff_with_draft

MAX_VERSIONS = 20


class DefinitionForm(forms.Form):
    """A definition as YAML or JSON. `errors_by_line` lists its errors with their lines."""

    text = forms.CharField(
        label="Definition",
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 30, "spellcheck": "false", "wrap": "off"}),
    )
    note = forms.CharField(label="Note", max_length=500, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.errors_by_line = []
        self.document = None

    def clean_text(self):
        try:
            self.document = load_document(self.cleaned_data["text"])
        except DocumentError as error:
            self.errors_by_line = [(error.line, error.message)]
            raise ValidationError("The text is not a YAML document.") from error
        value = self.document.value
        if not isinstance(value, dict):
            raise ValidationError("The document is not an object.")
        if errors := validation_errors(WorkflowDefinition, value):
            self.add_errors([(place, name_step(value, place, text)) for place, text in errors])
            raise ValidationError("The definition is not valid.")
        return upgrade_document(value)

    def add_errors(self, errors):
        """Add errors with paths, in the order of their lines."""
        found = [(self.document.find_line(tuple(place)), text) for place, text in errors]
        self.errors_by_line = sorted([*self.errors_by_line, *found])


class DefinitionPageMixin:
    """Page of a definition, at `<id>/definition/`."""

    actions_detail = ("open_definition",)

    @action(description="Definition", url_path="open-definition")
    def open_definition(self, request, object_id):
        """Open the page of the definition."""
        return HttpResponseRedirect(reverse("admin:workflows_workflow_definition", args=[object_id]))

    def get_urls(self):
        view = self.admin_site.admin_view(self.definition_view)
        page = path("<uuid:object_id>/definition/", view, name="workflows_workflow_definition")
        return [page, *super().get_urls()]

    def definition_view(self, request, object_id):
        """Show the definition, and check, save or publish the one that was posted."""
        workflow = Workflow.objects.filter(pk=object_id).first()
        if not self.has_view_permission(request, workflow):
            raise PermissionDenied
        if workflow is None:
            raise Http404
        is_writable = self.has_change_permission(request, workflow) and not request.console.is_platform
        form = DefinitionForm(request.POST or None, initial={"text": dump_document(workflow.definition)})
        if request.method == "POST":
            if not is_writable:
                raise PermissionDenied
            if form.is_valid() and save_definition(request, workflow, form):
                return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Definition of {workflow}",
            "opts": self.opts,
            "workflow": workflow,
            "form": form,
            "is_writable": is_writable,
            "graph": draw_definition(workflow.definition, title=f"Steps of {workflow}"),
            "versions": list_versions(workflow),
            "triggers": workflow.triggers.order_by("name"),
        }
        return TemplateResponse(request, "console/definition.html", context)


def save_definition(request, workflow, form):
    """Save or publish a valid definition as the button says, and return whether the page is done."""
    wanted = request.POST.get("action")
    if wanted not in ("save", "publish"):
        messages.success(request, "The definition is valid.")
        return False
    workflow.definition = form.cleaned_data["text"]
    workflow.save(update_fields=["definition", "updated_at"])
    if wanted == "save":
        messages.success(request, "The draft is saved.")
        return True
    try:
        version = publish(workflow, note=form.cleaned_data["note"], user_id=request.user.pk)
    except DefinitionError as error:
        form.add_errors(error.errors)
        form.add_error("text", "The draft is saved, but cannot be published.")
        return False
    messages.success(request, f"Version {version.version} is published.")
    return True


def list_versions(workflow):
    """Return the latest versions, newest first, each with its changes; the draft comes first if it differs."""
    rows = list(workflow.versions.select_related("created_by").order_by("-version")[: MAX_VERSIONS + 1])
    shown = [
        {"version": row, "changes": diff_versions(older, row)} for row, older in zip_longest(rows, rows[1:])
    ][:MAX_VERSIONS]
    draft = diff_with_draft(rows[0] if rows else None, workflow)
    return [*([{"version": None, "changes": draft}] if draft else []), *shown]
