"""Rewriting of search queries, for agents with `{"query_rewriting": true}` in `config`.

The agent's model rewrites a query with the factory prompt `search.query`, within the budgets of the turn. The offline
model, which cannot, gets the synonyms of glossary terms in the query instead.
"""

import logging
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async

from agents.choices import Provider
from agents.runtime.providers import classify_error
from agents.services.factory_prompts import RenderedPrompt, render_factory_prompt
from conversations.runtime.journal import strip_unstorable
from conversations.runtime.model_requests import request_agent_model
from conversations.runtime.turn_results import get_model_usage
from knowledge.services.terminology import expand_query

if TYPE_CHECKING:
    from conversations.runtime.turns import TurnContext

SETTING = "query_rewriting"
MAX_QUERIES, MAX_QUERY_LENGTH, MAX_TEXT_LENGTH, MAX_HISTORY = 3, 400, 2000, 4
LIST_MARKER = re.compile(r"^(?:[-*•]|\d{1,2}[.)])\s+")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RewrittenQuery:
    """The queries to search with, the usage of the model that wrote them, and its prompt, if that has a row."""

    queries: list[str]
    usage: tuple[dict[str, Any], ...] = ()
    prompt_id: UUID | None = None


async def rewrite_query(turn: "TurnContext", query: str) -> RewrittenQuery:
    """Return the query with further ones that mean the same; only the query if rewriting is off or fails."""
    config = turn.agent.config
    if not isinstance(config, dict) or config.get(SETTING) is not True or not query.strip():
        return RewrittenQuery([query])
    if turn.agent.model_provider == Provider.EXTRACTIVE:
        return RewrittenQuery([await sync_to_async(_add_synonyms)(turn, query)])
    prompt = await sync_to_async(_render_prompt)(turn)
    try:
        response = await _request_queries(turn, prompt.text, query)
    except Exception as error:  # noqa: BLE001 (the search works without it)
        logger.warning("query rewriting failed: %s", classify_error(error).kind)
        return RewrittenQuery([query], prompt_id=prompt.prompt_id)
    usage = tuple(asdict(each) for each in get_model_usage([response]))
    return RewrittenQuery(parse_queries(query, response.text or ""), usage, prompt.prompt_id)


def _add_synonyms(turn: "TurnContext", query: str) -> str:
    with turn.caller.scope():
        return expand_query(query)


def _render_prompt(turn: "TurnContext") -> RenderedPrompt:
    with turn.caller.scope():
        return render_factory_prompt("search.query", user_id=turn.caller.user_id)


async def _request_queries(turn: "TurnContext", instructions: str, query: str) -> Any:
    lines = [
        *({"from": role, "text": text[:MAX_TEXT_LENGTH]} for role, text in turn.history[-MAX_HISTORY:]),
        {"from": "user", "text": turn.question[:MAX_TEXT_LENGTH]},
        {"query": query[:MAX_TEXT_LENGTH]},
    ]
    return await request_agent_model(turn, instructions, lines)


def parse_queries(query: str, text: str) -> list[str]:
    """Return the query and the different ones in the model's answer, one on each line."""
    queries, known = [query], {query.casefold()}
    for line in strip_unstorable(text).splitlines():
        found = LIST_MARKER.sub("", line.strip())[:MAX_QUERY_LENGTH].strip()
        if found and found.casefold() not in known and len(queries) <= MAX_QUERIES:
            known.add(found.casefold())
            queries.append(found)
    return queries
