"""Snapshot, publish and archive agents."""

from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from agents.choices import AgentStatus
from agents.models import Agent, AgentCollection, AgentVersion

# Fields that are not settings: identity, authorship, timestamps and the version number.
UNVERSIONED_FIELDS = frozenset(
    {"id", "tenant", "created_at", "updated_at", "deleted_at", "version", "created_by", "template_id"}
)


def build_snapshot(agent: Agent) -> dict[str, Any]:
    """Return all settings of the agent, JSON-serialisable, with `collections` as IDs."""
    encoder = DjangoJSONEncoder()
    settings: dict[str, Any] = {}
    for field in agent._meta.concrete_fields:
        if field.name not in UNVERSIONED_FIELDS:
            value = getattr(agent, field.attname)
            plain = value is None or isinstance(value, (str, int, float, bool, list, dict))
            settings[field.name] = value if plain else encoder.default(value)
    rows = AgentCollection.objects.filter(agent=agent).order_by("collection_id")
    settings["collections"] = [str(row) for row in rows.values_list("collection_id", flat=True)]
    return settings


@transaction.atomic
def publish_agent(agent: Agent, *, note: str = "", actor: UUID | None = None) -> AgentVersion:
    """Store the agent's settings as its next version.

    Locks the agent, so that concurrent calls get different version numbers.

    Args:
        note: description of what changed.
        actor: ID of the person who publishes.
    """
    agent = Agent.objects.select_for_update(of=("self",)).get(pk=agent.pk)
    latest = (
        AgentVersion.objects.filter(agent=agent)
        .order_by("-version")
        .values_list("version", flat=True)
        .first()
    )
    number = (latest or 0) + 1
    version = AgentVersion(
        agent=agent, version=number, snapshot=build_snapshot(agent), note=note, created_by_id=actor
    )
    version.save(force_insert=True)
    agent.version = number
    agent.save(update_fields=["version", "updated_at"])
    return version


def archive_agent(agent: Agent) -> None:
    """Archive the agent; its conversations and versions are kept."""
    agent.status = AgentStatus.ARCHIVED
    agent.save(update_fields=["status", "updated_at"])
