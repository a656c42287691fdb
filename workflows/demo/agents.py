"""Demo agents."""

from dataclasses import dataclass
from uuid import UUID

from agents.models import Agent, AgentVersion, Integration
from agents.services.agents import build_snapshot
from config.db.bulk import insert_many

from .world import Progress, World

# slug, name, provider, model, price of an input and an output token in millionths of a dollar.
AGENTS = (
    ("support", "Support", "extractive", "extractive-1", 0, 0),
    ("analyst", "Analyst", "openai", "gpt-4.1-mini", 0.4, 1.6),
    ("reviewer", "Reviewer", "anthropic", "claude-sonnet-4-5", 3, 15),
    ("writer", "Writer", "openai", "gpt-4.1", 2, 8),
)
COLUMNS = (
    *("id", "slug", "name", "description", "model_provider", "model_name", "integration_id", "status"),
    *("created_by_id",),
)


@dataclass(frozen=True)
class Cast:
    """An agent in the generated history."""

    id: UUID
    slug: str
    provider: str
    model: str
    sent: float
    received: float


def make_agents(world: World, on_rows: Progress) -> int:
    """Create and publish sample agents.

    Agents of a provider are inactive until an account is connected.
    """
    account = world.id_on(0)
    row = (account, "Sample account", "openai", "disconnected", world.admin_id)
    made = insert_many(
        Integration, ("id", "name", "platform", "status", "user_id"), [row], constants=world.constants
    )
    agents = [_agent(world, spec, account) for spec in AGENTS]
    rows = [tuple(getattr(agent, column) for column in COLUMNS) for agent in agents]
    made += insert_many(Agent, COLUMNS, rows, constants=world.constants)
    versions = [(world.id_on(1), agent.pk, 1, build_snapshot(agent), world.admin_id) for agent in agents]
    made += insert_many(
        AgentVersion,
        ("id", "agent_id", "version", "snapshot", "created_by_id"),
        versions,
        constants=world.constants,
    )
    world.made["cast"] = [
        Cast(agent.pk, spec[0], spec[2], spec[3], spec[4], spec[5])
        for agent, spec in zip(agents, AGENTS, strict=True)
    ]
    on_rows(made)
    return made


def _agent(world: World, spec: tuple[str, str, str, str, float, float], account: UUID) -> Agent:
    slug, name, provider, model, *_ = spec
    return Agent(
        id=world.id_on(0),
        slug=slug,
        name=name,
        description=f"{name} of the demo.",
        model_provider=provider,
        model_name=model,
        integration_id=account if provider == "openai" else None,
        status="active" if provider == "extractive" else "inactive",
        created_by_id=world.admin_id,
    )
