"""Reranking of passages by the agent's model, for agents with `{"reranker": "model"}` in `config`.

The model orders all candidates in one request (Sun and others, "Is ChatGPT Good at Search?", 2023) with the factory
prompt `search.ranking`, within the budgets of the turn. The offline model cannot; its passages keep their order.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async

from agents.choices import Provider
from agents.runtime.providers import classify_error
from agents.services.factory_prompts import RenderedPrompt, render_factory_prompt
from conversations.runtime.model_requests import request_agent_model
from conversations.runtime.retrieval_options import get_retrieval_options
from conversations.runtime.turn_results import get_model_usage
from knowledge.services.query_fusion import search_queries
from knowledge.services.reranking import explain_passage
from knowledge.services.search import FoundPassage

if TYPE_CHECKING:
    from conversations.runtime.turns import TurnContext

SETTING, BY_MODEL = "reranker", "model"
CANDIDATES, LIMIT, MAX_TEXT_LENGTH, MAX_QUERY_LENGTH = 20, 8, 800, 2000
NUMBER = re.compile(r"[0-9]{1,9}")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RankedPassages:
    """The passages of a search, the usage of the model that ranked them, and its prompt, if that has a row."""

    passages: list[FoundPassage]
    usage: tuple[dict[str, Any], ...] = ()
    prompt_id: UUID | None = None


async def search_and_rank(turn: "TurnContext", queries: Sequence[str]) -> RankedPassages | None:
    """Return the passages in the order of the agent's model; None if the agent does not rerank."""
    config = turn.agent.config
    if not isinstance(config, dict) or config.get(SETTING) != BY_MODEL:
        return None
    if turn.agent.model_provider == Provider.EXTRACTIVE or not queries[0].strip():
        return None
    candidates, prompt = await sync_to_async(_find_candidates)(turn, queries)
    if len(candidates) < 2:
        return RankedPassages(candidates)
    try:
        response = await _request_order(turn, prompt.text, queries[0], candidates)
    except Exception as error:  # noqa: BLE001 (the search works without it)
        logger.warning("reranking failed: %s", classify_error(error).kind)
        failed = [explain_passage(each, rerank_error="the model failed") for each in candidates[:LIMIT]]
        return RankedPassages(failed, prompt_id=prompt.prompt_id)
    usage = tuple(asdict(each) for each in get_model_usage([response]))
    return RankedPassages(order_passages(candidates, response.text or ""), usage, prompt.prompt_id)


def _find_candidates(
    turn: "TurnContext", queries: Sequence[str]
) -> tuple[list[FoundPassage], RenderedPrompt]:
    with turn.caller.scope():
        diversity = get_retrieval_options(turn.agent).diversity
        candidates = search_queries(queries, turn.collections, limit=CANDIDATES, diversity=diversity)
        return candidates, render_factory_prompt("search.ranking", user_id=turn.caller.user_id)


async def _request_order(
    turn: "TurnContext", instructions: str, query: str, candidates: Sequence[FoundPassage]
) -> Any:
    lines: list[dict[str, Any]] = [
        {"passage": number, "title": found.title, "text": found.text[:MAX_TEXT_LENGTH]}
        for number, found in enumerate(candidates, 1)
    ]
    lines.append({"query": query[:MAX_QUERY_LENGTH]})
    return await request_agent_model(turn, instructions, lines)


def order_passages(candidates: Sequence[FoundPassage], text: str) -> list[FoundPassage]:
    """Return the best candidates by the numbers in the model's answer.

    Repeated and unknown numbers are ignored; candidates without a number follow in their order.
    """
    numbers = dict.fromkeys(int(found) for found in NUMBER.findall(text[:MAX_QUERY_LENGTH]))
    named = [number - 1 for number in numbers if 1 <= number <= len(candidates)]
    if not named:
        return [
            explain_passage(each, rerank_error="the model named no passage") for each in candidates[:LIMIT]
        ]
    ranked = [
        explain_passage(candidates[index], rerank_score=round(1 - place / len(candidates), 4))
        for place, index in enumerate(named)
    ]
    rest = [each for index, each in enumerate(candidates) if index not in set(named)]
    return [*ranked, *rest][:LIMIT]
