"""Agent versions: read, restore and compare published snapshots.

The agent's row is the draft; a version is a snapshot of it at the time of publishing.
"""

import copy
from typing import Any
from uuid import UUID

from django.db import transaction

from agents.models import Agent, AgentCollection, AgentVersion, Integration
from agents.services.agents import build_snapshot
from audit.services.events import record_event
from knowledge.models import Collection

# Fields that always come from the draft: its name in URLs, its status and its template.
DRAFT_ONLY_FIELDS = frozenset({"slug", "status", "template_id"})
# Rows that may have been deleted since the version was published.
REFERENCE_MODELS = {"integration": Integration}


def latest_version(agent: Agent) -> AgentVersion | None:
    """Return the version that new conversations use, or None if never published."""
    return AgentVersion.objects.filter(agent=agent).order_by("-version").first()


def apply_version(agent: Agent, version: AgentVersion | None) -> tuple[Agent, list[UUID] | None]:
    """Return an unsaved copy of the agent as published, and its collection IDs.

    Settings added after the version keep their current value; references to deleted rows become None.

    Returns:
        The unchanged agent and None if there is no version.
    """
    if version is None:
        return agent, None
    published = copy.copy(agent)
    published._state = copy.copy(agent._state)
    published._state.fields_cache = {}
    for name, value in _restorable_settings(version.snapshot):
        field = Agent._meta.get_field(name)
        setattr(published, field.attname, field.to_python(value))  # type: ignore[union-attr]
    return published, [UUID(each) for each in version.snapshot.get("collections", [])]


def _restorable_settings(snapshot: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the settings that the model still has, with references checked."""
    field_names = {field.name for field in Agent._meta.concrete_fields} - DRAFT_ONLY_FIELDS
    found = [(name, value) for name, value in snapshot.items() if name in field_names]
    return [(name, _existing_reference(name, value)) for name, value in found]


def _existing_reference(name: str, value: Any) -> Any:
    target = REFERENCE_MODELS.get(name)
    if target is None or value is None:
        return value
    return value if target.objects.filter(pk=value).exists() else None


@transaction.atomic
def restore_version(agent: Agent, version: AgentVersion, *, actor: UUID | None = None) -> Agent:
    """Restore a version's settings as the draft, without publishing it.

    Raises:
        ValueError: if the version belongs to another agent.
    """
    if version.agent_id != agent.pk:
        raise ValueError("This version belongs to another agent.")
    agent = Agent.objects.select_for_update(of=("self",)).get(pk=agent.pk)
    for name, value in _restorable_settings(version.snapshot):
        field = Agent._meta.get_field(name)
        setattr(agent, field.attname, field.to_python(value))  # type: ignore[union-attr]
    agent.save()
    _restore_collections(agent, [UUID(each) for each in version.snapshot.get("collections", [])])
    record_event(
        "agent.restored", resource=agent, metadata={"version": version.version, "by": str(actor or "")}
    )
    return agent


def _restore_collections(agent: Agent, wanted: list[UUID]) -> None:
    """Set the agent's collections, skipping deleted ones."""
    there = set(Collection.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    rows = AgentCollection.objects.filter(agent=agent)
    current = set(rows.values_list("collection_id", flat=True))
    rows.filter(collection_id__in=current - there).delete()
    for collection in sorted(there - current):
        AgentCollection(agent=agent, collection_id=collection).save(force_insert=True)


def diff_versions(older: dict[str, Any], newer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the differences as `field`, `before` and `after`, sorted by field name."""
    names = sorted(older.keys() | newer.keys())
    return [
        {"field": name, "before": older.get(name), "after": newer.get(name)}
        for name in names
        if older.get(name) != newer.get(name)
    ]


def diff_with_draft(version: AgentVersion, agent: Agent) -> list[dict[str, Any]]:
    """Return the differences between a version and the draft."""
    return diff_versions(version.snapshot, build_snapshot(agent))
