"""Import and export of workflows as documents. A file holds the definition; settings stay with the row."""

from typing import Any
from uuid import UUID

from django.db import transaction

from config.db.json_schema import validation_errors
from workflows.language.definition import WorkflowDefinition
from workflows.language.documents import dump_document, load_document
from workflows.language.upgrades import upgrade_document
from workflows.models import Workflow, WorkflowVersion
from workflows.services.publishing import DefinitionError


def export_workflow(
    workflow: Workflow, version: WorkflowVersion | None = None, *, as_json: bool = False
) -> str:
    """Return the draft, or a version, as YAML or JSON. The document has the name of the workflow."""
    stored = version.snapshot["definition"] if version else workflow.definition
    named = {"schema": "conclave.workflow/1", "name": workflow.name, "description": workflow.description}
    document = {**named, **upgrade_document(stored)}
    return dump_document({name: value for name, value in document.items() if value != ""}, as_json=as_json)


@transaction.atomic
def import_workflow(text: str | bytes, *, slug: str, user_id: UUID | None = None) -> tuple[Workflow, bool]:
    """Store a document as the draft of the workflow with this slug, which is created if it does not exist.

    Returns:
        The workflow, and whether it is new.

    Raises:
        workflows.language.documents.DocumentError: the text is malformed.
        DefinitionError: the document has the wrong form.
    """
    original = load_document(text).value
    document = upgrade_document(original)
    if errors := validation_errors(WorkflowDefinition, document):
        raise DefinitionError(document, errors)
    workflow = (
        Workflow.objects.select_for_update(of=("self",), no_key=True)
        .filter(slug=slug, deleted_at=None)
        .first()
    )
    is_new = workflow is None
    workflow = workflow or Workflow(slug=slug, name=slug, created_by_id=user_id)
    workflow.name = _get_text(document, "name") or workflow.name
    workflow.description = _get_text(document, "description") or workflow.description
    # Foreign forms are upgraded by `save`, which keeps the original.
    workflow.definition = original
    workflow.save()
    return workflow, is_new


def _get_text(document: Any, member: str) -> str:
    return str(document.get(member) or "")
