"""The tools that an agent has in a turn."""

import logging
import time
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone

from agents.runtime.semantic_evidence import get_similarity
from conversations.choices import ToolStatus
from conversations.models import ToolExecution
from conversations.runtime.exceptions import TurnError
from conversations.runtime.journal import current_call_key, serialize_passage, strip_unstorable
from conversations.runtime.mcp_tools import build_mcp_tools
from conversations.runtime.query_rewriting import RewrittenQuery, rewrite_query
from conversations.runtime.reranking import RankedPassages, search_and_rank
from conversations.runtime.retrieval_options import expand_found_passages, get_retrieval_options
from conversations.runtime.tools import build_tool, build_tools
from conversations.runtime.turns import TurnContext
from knowledge.services.query_fusion import search_queries
from knowledge.services.search import FoundPassage, log_query

logger = logging.getLogger(__name__)


def build_toolset(turn: TurnContext) -> list[Any]:
    """Return the agent's tools as asynchronous Pydantic AI tools and toolsets.

    Tools wrap database access in `sync_to_async` and open a short scope of `turn.caller`. Each call is journaled.
    A call that was running when its process died is repeated if the tool's metadata has `{"idempotent": True}`;
    otherwise the model receives an error that the call was interrupted. An agent without collections has no search.
    """
    search_tools = [_build_search_tool(turn)] if turn.collections else []
    return [*search_tools, *build_tools(turn), *build_mcp_tools(turn)]


def _build_search_tool(turn: TurnContext) -> Any:
    async def search_knowledge(query: str) -> list[dict[str, Any]]:
        """Search what you know. Returns numbered passages, best first.

        Args:
            query: what to look for, in natural language.
        """
        query, started, ranked = strip_unstorable(query), time.perf_counter(), None
        rewritten = await rewrite_query(turn, query)
        try:
            ranked = await search_and_rank(turn, rewritten.queries)
            return await sync_to_async(search_passages)(turn, query, rewritten, ranked, started=started)
        except Exception as error:
            logger.exception("search failed")
            turn.journal.usage += [*rewritten.usage, *(ranked.usage if ranked else ())]
            raise TurnError("search_failed", "The knowledge base could not be searched.") from error

    return build_tool(search_knowledge, "search_knowledge", metadata={"idempotent": True, "atomic": True})


def search_passages(
    turn: TurnContext,
    query: str,
    rewritten: RewrittenQuery,
    ranked: RankedPassages | None = None,
    *,
    started: float,
) -> list[dict[str, Any]]:
    """Search, number the passages and record the call, in one transaction.

    `ranked` are passages found before; `started` is `time.perf_counter()` of the beginning.
    """
    with turn.caller.scope():
        execution = ToolExecution.objects.create(
            conversation_id=turn.conversation_id,
            message_id=turn.answer_id,
            agent_id=turn.agent.pk,
            tool_name="search_knowledge",
            tool_input={"query": query},
            status=ToolStatus.RUNNING,
            started_at=timezone.now(),
        )
        found, expanded = _find_passages(turn, rewritten, ranked)
        record = log_query(
            query,
            found,
            collections=turn.collections,
            started=started,
            agent_id=turn.agent.pk,
            conversation_id=turn.conversation_id,
            filters={"queries": rewritten.queries} if rewritten.queries != [query] else None,
        )
        numbered = list(enumerate(expanded, len(turn.journal.passages) + 1))
        rows = [_render_passage(*each, get_similarity(each[1], turn.collections)) for each in numbered]
        execution.metadata = {"query": str(record.pk), "queries": rewritten.queries}
        _complete(execution, [_describe_passage(*each) for each in numbered], started)
        call = {"id": str(execution.pk), "name": "search_knowledge", "input": {"query": query}}
        result = {"result": rows, "passages": list(map(serialize_passage, expanded)), "tool_calls": [call]}
        turn.journal.add_result(current_call_key.get(), result | _render_requests(rewritten, ranked))
    return rows


def _find_passages(
    turn: TurnContext, rewritten: RewrittenQuery, ranked: RankedPassages | None
) -> tuple[list[FoundPassage], list[FoundPassage]]:
    """Return the passages as found, and with the text around them."""
    options = get_retrieval_options(turn.agent)
    found = (
        ranked.passages
        if ranked
        else search_queries(rewritten.queries, turn.collections, diversity=options.diversity)
    )
    return found, expand_found_passages(found, tokens=options.expand_tokens)


def _complete(execution: ToolExecution, output: list[dict[str, Any]], started: float) -> None:
    execution.tool_output = output
    execution.status, execution.completed_at = ToolStatus.COMPLETED, timezone.now()
    execution.execution_time_ms = int((time.perf_counter() - started) * 1000)
    execution.save()


def _render_requests(*requests: RewrittenQuery | RankedPassages | None) -> dict[str, Any]:
    """Return the prompts and the usage of the model requests, as the journal stores them."""
    found = [each for each in requests if each]
    prompts = [str(each.prompt_id) for each in found if each.prompt_id]
    usage = [row for each in found for row in each.usage]
    return ({"prompts": prompts} if prompts else {}) | ({"usage": usage} if usage else {})


def _describe_passage(number: int, passage: FoundPassage) -> dict[str, Any]:
    """Return what the trace of a search shows of a passage; `number` is the one that the model sees."""
    return {
        "number": number,
        "id": str(passage.id),
        "document": str(passage.document_id),
        "title": passage.title or passage.filename,
        "source": passage.source,
        "page": passage.page,
        "score": round(passage.score, 4),
    }


def _render_passage(number: int, passage: FoundPassage, similarity: float | None) -> dict[str, Any]:
    row = {
        "number": number,
        "id": str(passage.id),
        "document": passage.filename,
        "title": passage.title,
        "text": passage.text,
        "context": passage.context,
        "page": passage.page,
        "score": round(passage.score, 4),
    }
    return row if similarity is None else row | {"similarity": round(similarity, 4)}
