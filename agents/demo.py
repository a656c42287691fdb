"""Demo agents, MCP servers and templates."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents.models import Agent, AgentRun, AgentTemplate, AgentVersion, Integration, LlmUsage, McpServer
from agents.services.agents import build_snapshot
from agents.services.factory_prompts import create_factory_prompts
from config.demo.generator import DemoState, create_once

POSITION = 20
TABLES = (AgentRun, LlmUsage, AgentVersion, Agent, Integration)
# slug, name, provider, model, price of an input and an output token in millionths of a dollar.
AGENTS = (
    ("support", "Support", "extractive", "extractive-1", 0, 0),
    ("analyst", "Analyst", "openai", "gpt-4.1-mini", 0.4, 1.6),
    ("reviewer", "Reviewer", "anthropic", "claude-sonnet-4-5", 3, 15),
    ("writer", "Writer", "openai", "gpt-4.1", 2, 8),
)
COLUMNS = (
    *("slug", "name", "description", "model_provider", "model_name", "integration_id", "status"),
    *("created_by_id",),
)

# Disabled until an operator has installed and reviewed the program.
SERVERS: tuple[dict[str, Any], ...] = (
    {
        "slug": "time",
        "name": "Time",
        "category": "system",
        "command": "mcp-server-time --local-timezone UTC",
        "description": "Returns the time in any time zone.",
    },
    {
        "slug": "fetch",
        "name": "Fetch",
        "category": "integration",
        "command": "mcp-server-fetch",
        "description": "Reads a web page as Markdown.",
    },
    {
        "slug": "git",
        "name": "Git",
        "category": "data",
        "command": "mcp-server-git --repository /srv/repository",
        "description": "Reads the history of one repository.",
        "config_schema": {"type": "object", "properties": {"token": {"type": "string"}}},
    },
)
TEMPLATES: tuple[dict[str, Any], ...] = (
    {
        "name": "Contract reader",
        "description": "Answers questions about contracts and cites the clause.",
        "system_prompt": "You read contracts. Cite the clause that supports your answer. If there is none, say so.",
        "functions": ["search_knowledge"],
        "personality_config": {"tone": "sober", "expertise": "law"},
    },
    {
        "name": "Support desk",
        "description": "Answers customers from the handbook.",
        "system_prompt": "You answer customers kindly and briefly, only from the handbook.",
        "functions": ["search_knowledge"],
        "personality_config": {"tone": "friendly", "expertise": "support"},
    },
    {
        "name": "Meeting notes",
        "description": "Turns a transcript into decisions and tasks.",
        "system_prompt": "List the decisions, then the tasks with owner and date. Do not invent anything.",
        "personality_config": {"tone": "plain", "expertise": "organisation"},
    },
)


@dataclass(frozen=True)
class DemoAgent:
    """An agent in the generated history."""

    id: UUID
    provider: str
    model: str
    sent: float
    received: float


def make_history(state: DemoState) -> None:
    """Create and publish sample agents.

    Agents of a provider are inactive until an account is connected.
    """
    account = state.id_on(0)
    row = (account, "Sample account", "openai", "disconnected", state.admin_id)
    state.insert(Integration, ("name", "platform", "status", "user_id"), [row])
    agents = [_agent(state, spec, account) for spec in AGENTS]
    rows = [(agent.pk, *(getattr(agent, column) for column in COLUMNS)) for agent in agents]
    state.insert(Agent, COLUMNS, rows)
    versions = [(state.id_on(1), agent.pk, 1, build_snapshot(agent), state.admin_id) for agent in agents]
    state.insert(AgentVersion, ("agent_id", "version", "snapshot", "created_by_id"), versions)
    for agent, spec in zip(agents, AGENTS, strict=True):
        state.agents[agent.slug] = DemoAgent(agent.pk, *spec[2:])


def _agent(state: DemoState, spec: tuple[str, str, str, str, float, float], account: UUID) -> Agent:
    slug, name, provider, model, *_ = spec
    return Agent(
        id=state.id_on(0),
        slug=slug,
        name=name,
        description=f"{name} of the demo.",
        model_provider=provider,
        model_name=model,
        integration_id=account if provider == "openai" else None,
        status="active" if provider == "extractive" else "inactive",
        created_by_id=state.admin_id,
    )


def make_platform_samples() -> None:
    """Create MCP servers and factory prompts; requires the platform scope."""
    create_factory_prompts()
    for fields in SERVERS:
        create_once(McpServer, {"slug": fields["slug"]}, fields | {"is_public": True, "status": "disabled"})


def make_user_samples(user_id: UUID) -> None:
    """Create public templates of the acting user; requires a tenant scope."""
    for fields in TEMPLATES:
        create_once(AgentTemplate, {"name": fields["name"]}, fields | {"user_id": user_id, "is_public": True})
