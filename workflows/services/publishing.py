"""Publishing of workflows. The workflow's row is the draft; a version is immutable."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.services.events import record_event
from config.db.json_schema import SchemaError
from workflows.language.definition import WorkflowDefinition
from workflows.language.steps import Path
from workflows.language.upgrades import upgrade_document
from workflows.models import Workflow, WorkflowTrigger, WorkflowVersion
from workflows.services.definition_checks import (
    PINNED,
    find_definition_errors,
    find_version,
    get_step_id,
    list_workflows,
)
from workflows.services.lookup import get_latest_version
from workflows.services.triggers import prepare_trigger


class DefinitionError(ValidationError):
    """A definition that cannot be published.

    Attributes:
        errors: path and message of each error.
    """

    def __init__(self, document: Any, errors: list[SchemaError]) -> None:
        self.errors = [(path, name_step(document, path, text)) for path, text in errors]
        super().__init__(
            {"definition": [f"{'.'.join(map(str, path))}: {text}" for path, text in self.errors]}
        )


def name_step(document: Any, path: Path, text: str) -> str:
    """Return an error's message with the ID of its step."""
    step = get_step_id(document, path)
    return f"Step {step}: {text}" if step else text


@transaction.atomic
def publish(workflow: Workflow, *, note: str = "", user_id: UUID | None = None) -> WorkflowVersion:
    """Store the draft as the next version.

    Locks the workflow, so that concurrent calls get different numbers.

    Raises:
        DefinitionError: the draft is invalid; each message names the path and the step.
    """
    workflow = Workflow.objects.select_for_update(of=("self",), no_key=True).get(pk=workflow.pk)
    document = upgrade_document(workflow.definition)
    if errors := find_definition_errors(document, slug=workflow.slug):
        raise DefinitionError(document, errors)
    latest = get_latest_version(workflow)
    version = WorkflowVersion(
        workflow=workflow,
        version=latest.version + 1 if latest else 1,
        snapshot=build_snapshot(workflow, document),
        note=note,
        created_by_id=user_id,
    )
    version.save(force_insert=True)
    workflow.version = version.version
    workflow.save(update_fields=["version", "updated_at"])
    _store_triggers(workflow, WorkflowDefinition.model_validate(document))
    record_event(
        "workflow.published",
        resource=workflow,
        metadata={"version": version.version, "by": str(user_id or "")},
    )
    return version


def build_snapshot(workflow: Workflow, document: Any) -> dict[str, Any]:
    """Return what a version stores. Pinned workflows get the number of their latest version."""
    return {
        "definition": _pin_workflows(document),
        "config": workflow.config,
        "timeout": workflow.timeout,
        "retry": workflow.retry_config,
    }


def _store_triggers(workflow: Workflow, definition: WorkflowDefinition) -> None:
    """Create or change the triggers that the definition names. Other triggers of the workflow stay."""
    for entry in definition.triggers:
        trigger = WorkflowTrigger.objects.filter(workflow=workflow, name=entry.name).first()
        wanted = {"trigger_type": entry.type, "config": entry.model_extra or {}}
        if trigger is None:
            trigger = WorkflowTrigger(workflow=workflow, name=entry.name)
            changed = {*wanted, "is_enabled"}
        else:
            changed = {name for name, value in wanted.items() if getattr(trigger, name) != value}
        if changed:
            for name, value in wanted.items():
                setattr(trigger, name, value)
            prepare_trigger(trigger, changed)
            trigger.save()


def _pin_workflows(document: dict[str, Any]) -> dict[str, Any]:
    found = {**document, "schema": "conclave.workflow/1"}
    for path, slug, wanted in list_workflows(WorkflowDefinition.model_validate(document)):
        step = path[:-1]
        if wanted == PINNED and (version := find_version(slug)):
            found = _set_member(found, (*step, "version"), version.version)
    return found


def _set_member(value: Any, path: Path, member: Any) -> Any:
    """Return a copy of nested JSON with one member set."""
    if not path:
        return member
    first, *rest = path
    copied = list(value) if isinstance(value, list) else dict(value)
    copied[first] = _set_member(value[first] if rest else None, tuple(rest), member)  # type: ignore[index, call-overload]
    return copied


@transaction.atomic
def restore_version(workflow: Workflow, version: WorkflowVersion, *, user_id: UUID | None = None) -> Workflow:
    """Restore a version as the draft, without publishing it.

    Raises:
        ValueError: the version belongs to another workflow.
    """
    if version.workflow_id != workflow.pk:
        raise ValueError("This version belongs to another workflow.")
    workflow = Workflow.objects.select_for_update(of=("self",), no_key=True).get(pk=workflow.pk)
    snapshot = version.snapshot
    workflow.definition = snapshot["definition"]
    workflow.config = snapshot.get("config", workflow.config)
    workflow.timeout = snapshot.get("timeout", workflow.timeout)
    workflow.retry_config = snapshot.get("retry", workflow.retry_config)
    workflow.save()
    record_event(
        "workflow.restored",
        resource=workflow,
        metadata={"version": version.version, "by": str(user_id or "")},
    )
    return workflow
