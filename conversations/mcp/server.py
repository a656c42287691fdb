"""The tools that Conclave offers to MCP clients.

Each tool acts on behalf of the API key in short scopes of its tenant. The MCP library is imported lazily because
importing it takes seconds.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from django.db import DatabaseError
from pydantic import AwareDatetime, Field, StringConstraints

from agents.choices import AgentStatus
from agents.models import Agent
from agents.runtime.concurrency import model_requests
from config.api.credentials import Credential
from config.api.permissions import explain_missing
from config.db.constraint_messages import LIMIT_MESSAGE
from config.db.errors import exceeds_limit
from config.tenancy.concurrency import ConcurrencyLimitError
from conversations.choices import MessageStatus
from conversations.models import Conversation, Message
from conversations.runtime.journal import strip_unstorable
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import begin_turn, find_agent, start_conversation
from conversations.tool_registry import load_mcp_tools
from knowledge.models import Collection
from knowledge.schemas import MAX_EXPAND_TOKENS, LanguageCode
from knowledge.services.passage_expansion import ExpandedPassage, expand_passages
from knowledge.services.search import log_query, search

MAX_ROWS = 100
MAX_PASSAGES = 20
FilterText = Annotated[str, StringConstraints(max_length=100)]
INSTRUCTIONS = (
    "Conclave holds an organisation's knowledge, agents and conversations. List the collections before you search "
    "one, the agents before you ask one, and the workflows before you start one. Answers cite their sources."
)
current_credential: ContextVar[Credential] = ContextVar("conclave_mcp_asking")


class McpRequestError(Exception):
    """A missing or forbidden object; the message is for the client."""


def get_caller(resource: str, verb: str) -> Caller:
    """Return the caller of a tool after checking its permission.

    Raises:
        McpRequestError: the role or the key does not allow it.
    """
    credential = current_credential.get()
    if not credential.allows(resource, verb):
        raise McpRequestError(explain_missing(credential, resource, verb))
    return Caller(credential.tenant_id, credential.user_id, credential.actor, credential.engagement_id)


def list_agents() -> list[dict[str, str]]:
    """List the agents that can be asked."""
    with get_caller("agents", "read").scope():
        rows = Agent.objects.filter(status=AgentStatus.ACTIVE).order_by("slug")[:MAX_ROWS]
        return [{"slug": row.slug, "name": row.name, "description": row.description} for row in rows]


def list_collections() -> list[dict[str, Any]]:
    """List the collections of documents that can be searched."""
    with get_caller("collections", "read").scope():
        rows = Collection.objects.order_by("slug")[:MAX_ROWS]
        return [
            {"slug": row.slug, "name": row.name, "description": row.description, "chunks": row.chunk_count}
            for row in rows
        ]


def search_collection(
    collection: str,
    query: str,
    limit: int = 8,
    documents: Annotated[list[UUID], Field(max_length=100)] | None = None,
    tags: Annotated[list[FilterText], Field(max_length=20)] | None = None,
    languages: Annotated[list[LanguageCode], Field(max_length=20)] | None = None,
    uploaded_after: AwareDatetime | None = None,
    uploaded_before: AwareDatetime | None = None,
    expand_tokens: Annotated[int, Field(ge=0, le=MAX_EXPAND_TOKENS)] = 0,
    diversity: Annotated[float, Field(ge=0, le=1)] = 0,
) -> list[dict[str, Any]]:
    """Search a collection. Returns the best passages first, with their sources.

    Args:
        collection: the collection's slug.
        query: what to look for, in natural language.
        limit: maximum number of passages, from 1 to 20.
        documents: ids of documents to search.
        tags: tags, of which the document must have one.
        languages: languages of the passages, as ISO 639-1 codes.
        uploaded_after: earliest upload of the document, with time zone.
        uploaded_before: upload of the document before this time, with time zone.
        expand_tokens: maximum number of tokens of text around each passage.
        diversity: how much to avoid passages that resemble better ones, from 0 to 1.
    """
    filters: dict[str, Any] = {"documents": documents, "tags": tags, "languages": languages}
    filters |= {"uploaded_after": uploaded_after, "uploaded_before": uploaded_before}
    filters = {name: value for name, value in filters.items() if value}
    with get_caller("collections", "read").scope():
        match = Collection.objects.filter(slug=collection).first()
        if match is None:
            raise McpRequestError(f'Collection "{collection[:100]}" not found.')
        query, started = strip_unstorable(query), time.perf_counter()
        passages = search(
            query, [match], limit=max(1, min(limit, MAX_PASSAGES)), filters=filters, diversity=diversity
        )
        log_query(query, passages, collections=[match], started=started, filters=filters)
        return [_render_passage(each) for each in expand_passages(passages, tokens=expand_tokens)]


def _render_passage(found: ExpandedPassage) -> dict[str, Any]:
    passage = found.passage
    return {
        "text": found.text,
        "title": passage.title,
        "source": passage.source,
        "document": str(passage.document_id),
        "page": passage.page,
        "score": round(passage.score, 4),
    }


def ask_agent(agent: str, question: str, conversation: str = "") -> dict[str, Any]:
    """Ask an agent. Returns its answer with citations, and the conversation to continue.

    Args:
        agent: the agent's slug.
        question: the question to ask.
        conversation: id of a conversation with this agent to continue; a new one by default.
    """
    get_caller("conversations", "write")
    caller = get_caller("agents", "execute")
    if not question.strip():
        raise McpRequestError("The question must not be empty.")
    try:
        with model_requests.acquire(caller.tenant_id):
            return _ask_agent(caller, agent, question, conversation)
    except ConcurrencyLimitError as error:
        raise McpRequestError(str(error.detail)) from error
    except DatabaseError as error:
        if not exceeds_limit(error):
            raise
        raise McpRequestError(LIMIT_MESSAGE) from error


def _ask_agent(caller: Caller, agent: str, question: str, conversation: str) -> dict[str, Any]:
    with caller.scope():
        match = find_agent(strip_unstorable(agent))
        if match is None:
            raise McpRequestError(f'Agent "{agent[:100]}" not found.')
        try:
            row = (
                _get_conversation(conversation)
                if conversation
                else start_conversation(match, user_id=caller.user_id)
            )
            if row.agent_id != match.pk:
                raise McpRequestError("The conversation belongs to a different agent.")
            turn = load_turn(
                begin_turn(row.pk, content=strip_unstorable(question), user_id=caller.user_id), caller
            )
        except ValidationError as error:
            raise McpRequestError("; ".join(error.messages)) from error
    answer = run_turn(turn)
    if answer.status == MessageStatus.FAILED:
        raise McpRequestError(f"{answer.error_code}: {answer.error_message}")
    return {
        "conversation": str(row.pk),
        "status": str(answer.status),
        "answer": answer.content,
        "citations": [
            {name: each[name] for name in ("number", "source", "quote")} for each in answer.citations
        ],
    }


def read_conversation(conversation: str, limit: int = 50) -> dict[str, Any]:
    """Read a conversation that you take part in. Returns its latest messages, oldest first.

    Args:
        conversation: id of the conversation.
        limit: maximum number of messages, from 1 to 100.
    """
    with get_caller("conversations", "read").scope():
        row = _get_conversation(conversation)
        messages = Message.objects.created_after_id(row.pk).filter(conversation_id=row.pk)
        latest = messages.order_by("-sequence_number")[: max(1, min(limit, MAX_ROWS))]
        said = [
            {"role": each.role, "status": each.status, "content": each.content} for each in reversed(latest)
        ]
    return {"title": row.title, "status": str(row.status), "messages": said}


def _get_conversation(identifier: str) -> Conversation:
    """Return the conversation if it is visible to the caller."""
    try:
        pk = UUID(identifier)
    except ValueError:
        pk = UUID(int=0)
    row = Conversation.objects.visible_to(current_credential.get().user_id).filter(pk=pk).first()
    if row is None:
        raise McpRequestError("Conversation not found.")
    return row


TOOLS: tuple[Callable[..., Any], ...] = (
    list_agents,
    list_collections,
    search_collection,
    ask_agent,
    read_conversation,
)


@cache
def get_server() -> Any:
    """Return the stateless MCP server with `TOOLS` and registered tools, shared by all requests."""
    from mcp.server.mcpserver import MCPServer

    mcp_server = MCPServer("conclave", title="Conclave", instructions=INSTRUCTIONS)
    for tool in (*TOOLS, *load_mcp_tools()):
        mcp_server.tool(name=tool.__name__, structured_output=True)(_run_on_request_thread(tool))
    return mcp_server


def _run_on_request_thread(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the tool in a coroutine on the request's thread and connection."""
    from functools import wraps

    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    async def run(**arguments: Any) -> Any:
        try:
            return await sync_to_async(tool)(**arguments)
        except McpRequestError as refusal:
            raise ToolError(str(refusal)) from None

    return run
