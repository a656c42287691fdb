"""Patterns learned from answers that fit a question, in one statement with the glossary terms in it.

`workflows.services.answer_learning` counts them. `Tenant.settings["learning"]["enabled"]` set to false switches this
off.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents.choices import MCP_PREFIX
from agents.models import Agent
from agents.services.mcp import usable_configs
from config.db.prepared import run_prepared
from config.tenancy.scope import require_scope
from conversations.services import glossary
from conversations.services.glossary import GlossaryTerm
from knowledge.models import Collection
from knowledge.services.confidence import current_confidence_sql, get_half_life

# Two uses without a failure, or two failures.
MIN_CONFIDENCE = 0.3
# Patterns of each kind that an agent gets.
MAX_PATTERNS = 5
MAX_KEY_LENGTH = 255
ENABLED = "settings #> '{learning,enabled}' IS DISTINCT FROM 'false'"
_PATTERNS = """
(SELECT {is_personal}, {data}::text, '', '', false, '{{}}'::text[], occurrences, failure_count, sure FROM (
  SELECT p.*, {current} AS sure, row_number() OVER (PARTITION BY {kind} ORDER BY {current} DESC, id) AS place
  FROM {table} p WHERE tenant_id = %(tenant)s::uuid AND {fits}
    AND EXISTS (SELECT FROM tenants_tenant WHERE id = %(tenant)s::uuid AND {enabled})
) ranked WHERE sure >= %(least)s AND place <= %(most)s ORDER BY {kind}, place)"""
# Rows without a key are not in the index of the keys.
_KEYS = """key <> '' AND (key = ANY(%(keys)s::text[])
  OR EXISTS (SELECT FROM unnest(%(servers)s::text[]) prefix WHERE starts_with(key, prefix)){more})"""
PERSON_SQL = _PATTERNS.format(
    table="knowledge_learningpattern",
    is_personal="true",
    data="data",
    kind="pattern_type",
    current=current_confidence_sql("p"),
    fits="user_id = %(user_id)s::uuid AND " + _KEYS.format(more=" OR starts_with(key, 'term:')"),
    enabled=ENABLED,
)
# Without an engagement in the scope, the rows of all engagements are visible.
AGENT_SQL = _PATTERNS.format(
    table="workflows_agentlearningpattern",
    is_personal="false",
    data="raw_evidence",
    kind="insight_type",
    current=current_confidence_sql("p", "confidence_score"),
    fits="(engagement_id IS NULL OR engagement_id = %(engagement_id)s::uuid) AND " + _KEYS.format(more=""),
    enabled=ENABLED,
)
SQL = f"""
SELECT NULL::boolean AS is_personal, t.*, NULL::integer, NULL::integer, NULL::float8 FROM ({glossary.SQL}) t
UNION ALL {PERSON_SQL} UNION ALL {AGENT_SQL}
"""


@dataclass(frozen=True, slots=True)
class LearnedPattern:
    """Names of what was used in answers, and counts."""

    is_personal: bool
    data: dict[str, str]
    uses: int
    failures: int
    confidence: float


def find_terms_and_patterns(
    agent: Agent, question: str, user_id: UUID | None, collections: Sequence[Collection]
) -> tuple[list[GlossaryTerm], list[LearnedPattern]]:
    """Return the glossary terms in the question, and what was learned about the agent and the person.

    An agent without memory gets no patterns. Tools that the person may not use are left out. Needs the scope of the
    person.
    """
    if not agent.memory_enabled:
        return glossary.find_terms(question), []
    names, servers = _list_tools(agent, collections, user_id)
    tools = [get_tool_key(name, *whose) for whose in ((), (agent,)) for name in names]
    parameters = {
        **glossary.get_parameters(question),
        "user_id": user_id,
        "engagement_id": require_scope().engagement_id,
        "keys": [get_model_key(agent, agent.model_name), *tools],
        "servers": [f"{get_tool_key(name, *whose)}__" for whose in ((), (agent,)) for name in servers],
        "half_life": get_half_life(),
        "least": MIN_CONFIDENCE,
        "most": MAX_PATTERNS,
    }
    terms, patterns = list[tuple[Any, ...]](), list[LearnedPattern]()
    for is_personal, *term, uses, failures, confidence in run_prepared(SQL, parameters):
        if is_personal is None:
            terms.append(tuple(term))
        else:
            patterns.append(LearnedPattern(is_personal, json.loads(term[0]), uses, failures, confidence))
    return glossary.filter_whole_words(question, terms), patterns


def _list_tools(
    agent: Agent, collections: Sequence[Collection], user_id: UUID | None
) -> tuple[list[str], list[str]]:
    """Return the names of the agent's own tools, and the servers whose tools the person may use."""
    names = [each for each in agent.tools if not each.startswith(MCP_PREFIX)]
    remote = [each.removeprefix(MCP_PREFIX) for each in agent.tools if each.startswith(MCP_PREFIX)]
    usable = {each.mcp_server.slug for each in usable_configs(user_id)} if remote else set()
    servers = {each.partition("/")[0] for each in remote} & usable
    return ([*names, "search_knowledge"] if collections else names), sorted(servers)


def get_model_key(agent: Agent, model: str) -> str:
    """Return the key of a pattern about a model of an agent."""
    return f"agent:{agent.pk}:model:{model}"[:MAX_KEY_LENGTH]


def get_tool_key(name: str, agent: Agent | None = None) -> str:
    """Return the key of a pattern about a tool, of an agent or of a person."""
    return f"{f'agent:{agent.pk}:' if agent else ''}tool:{name}"[:MAX_KEY_LENGTH]


def get_term_key(term: str) -> str:
    """Return the key of a pattern about a glossary term."""
    return f"term:{term.lower()}"[:MAX_KEY_LENGTH]
