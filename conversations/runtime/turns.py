"""The turn of an agent: input, tool state and stored outcome.

No transaction is open during a request to a model. Each step opens a short scope and is written to the turn's
journal under a lease, so another process can resume the turn when this one dies.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from agents.choices import IntegrationStatus
from agents.models import Agent, Integration, LlmUsage
from agents.runtime.meter import Meter
from agents.runtime.prices import price
from agents.services.prices import get_tenant_price
from config.db.session import Scope
from config.tenancy.scope import tenant_scope
from conversations.choices import ConversationMode, MessageRole, MessageStatus, ToolStatus
from conversations.models import Conversation, Message, ToolExecution
from conversations.runtime.agent_resolution import get_output_schema, resolve_agent
from conversations.runtime.citations import renumber_citations
from conversations.runtime.context import build_context
from conversations.runtime.journal import Journal, current_call_key, strip_unstorable
from conversations.runtime.stream_buffer import StreamBuffer
from conversations.services.attachments import said_with_files
from conversations.services.conversations import BegunTurn
from conversations.services.feedback import spoken_by
from conversations.services.leases import Lease, lease_for, release
from conversations.services.steps import last_place, steps_of
from knowledge.models import Collection
from knowledge.services.search import FoundPassage, RankExplanation, log_query, search

HISTORY_LENGTH = 20
PASSAGE_ID_FIELDS = ("id", "document_id", "collection_id")
COLLABORATION_PROMPT = (
    "Build on what is right in it: add what is missing, correct what is wrong, and do not repeat it."
)
# The sum of two such counts fits an integer column; endpoints may report any number.
MAX_TOKEN_COUNT = 2**30 - 1


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant, user and actor that a turn runs for."""

    tenant_id: UUID
    user_id: UUID | None
    actor: str

    def scope(self) -> AbstractContextManager[Scope]:
        """Open a short tenant scope for the caller."""
        return tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """Usage of one request to a model."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    provider: str = ""
    integration: str = ""
    # The requested name; a provider may report a longer one.
    asked: str = ""
    cached: int = 0
    latency_ms: int | None = None
    status: int | None = None


@dataclass(slots=True)
class Turn:
    """A turn in progress; answers cite the positions of `passages`."""

    caller: Caller
    conversation_id: UUID
    question: str
    answer_id: UUID
    agent: Agent
    integration: Integration | None
    api_key: str | None = field(repr=False)
    history: list[tuple[str, str]]
    collections: list[Collection]
    # Without a journal the turn is not resumed when its process dies.
    journal: Journal | None = None
    # Number of text fragments stored by an earlier process.
    stored_pieces: int = 0
    live: StreamBuffer | None = None
    # Called before each request to the model, to release resources such as connections.
    before_request: Callable[[], None] | None = None
    passages: list[FoundPassage] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    # Configuration error of the agent; empty when there is none.
    problem: str = ""
    # Additional context for the system prompt.
    extra_context: str = ""
    # JSON Schema of the answer; None for plain text.
    schema: dict[str, Any] | None = None
    meter: Meter | None = None

    def __post_init__(self) -> None:
        for result in self.journal.results.values() if self.journal else ():
            self._remember(result)

    @property
    def lease(self) -> Lease:
        """The lease on the answer held by this process."""
        return self.journal.lease

    def show(self) -> StreamBuffer:
        """Buffer the turn's text so that readers can follow it."""
        self.live = self.live or StreamBuffer(self.lease, self.conversation_id, self.stored_pieces)
        return self.live

    def record_messages(self, messages: list[dict[str, Any]]) -> None:
        """Store the exchanged messages, so that the request is not repeated on resume."""
        live = self.live
        with live.storing if live else nullcontext():
            with self.caller.scope():
                piece = live.piece() if live else None
                self.journal.add_messages(messages, piece)
            if live and piece:
                live.mark_stored(piece)

    def record_call(self, call_id: str, name: str, arguments: dict[str, Any]) -> None:
        """Store that a tool call is about to start."""
        with self.caller.scope():
            self.journal.add_call(call_id, name, arguments)

    def record_result(self, call_id: str, result: dict[str, Any]) -> None:
        """Store the result of a tool call, to be replayed on resume."""
        with self.caller.scope():
            self.journal.add_result(call_id, result)
        self._remember(result)

    def _remember(self, result: dict[str, Any]) -> None:
        """Add the passages and tool calls of a result, in order."""
        self.passages += [_deserialize_passage(row) for row in result.get("passages", ())]
        self.tool_calls += result.get("tool_calls", ())

    def search(self, query: str) -> list[dict[str, Any]]:
        """Search, number the passages and record the call, in one transaction."""
        started, moment, query = time.perf_counter(), timezone.now(), strip_unstorable(query)
        with self.caller.scope():
            execution = ToolExecution.objects.create(
                conversation_id=self.conversation_id,
                message_id=self.answer_id,
                agent_id=self.agent.pk,
                tool_name="search_knowledge",
                tool_input={"query": query},
                status=ToolStatus.RUNNING,
                started_at=moment,
            )
            found = search(query, self.collections)
            log_query(
                query,
                found,
                collections=self.collections,
                started=started,
                agent_id=self.agent.pk,
                conversation_id=self.conversation_id,
            )
            offset = len(self.passages)
            rows = [_render_passage(offset + place, passage) for place, passage in enumerate(found, 1)]
            execution.tool_output = [{"id": row["id"], "score": row["score"]} for row in rows]
            execution.status, execution.completed_at = ToolStatus.COMPLETED, timezone.now()
            execution.execution_time_ms = _elapsed_ms(started)
            execution.save()
            call = {"id": str(execution.pk), "name": "search_knowledge", "input": {"query": query}}
            result = {
                "result": rows,
                "passages": [_serialize_passage(passage) for passage in found],
                "tool_calls": [call],
            }
            if self.journal and (key := current_call_key.get()):
                self.journal.add_result(key, result)
        self._remember(result)
        return rows

    def finish(self, text: str, calls: list[ModelCall]) -> Message:
        """Store the answer with its citations, usage and cost."""
        content, citations = self.extract_citations(text)
        return self._store(calls, status=MessageStatus.COMPLETED, content=content, citations=citations)

    def extract_citations(self, text: str) -> tuple[str, list[dict[str, Any]]]:
        """Return the text to store and its citations; JSON answers have no citations."""
        return (
            renumber_citations(strip_unstorable(text), self.passages)
            if self.schema is None
            else (strip_unstorable(text), [])
        )

    def fail(self, code: str, message: str, calls: list[ModelCall], content: str = "") -> Message:
        """Store the failure with the text generated so far."""
        return self._store(
            calls,
            status=MessageStatus.FAILED,
            error_code=code,
            error_message=message,
            content=strip_unstorable(content),
        )

    def _store(self, calls: list[ModelCall], **changes: Any) -> Message:
        live = self.live
        with live.storing if live else nullcontext():
            with self.caller.scope():
                answer = self._end(calls, changes)
                if live:
                    live.replace_text(answer.content)
                    live.piece(last=True).save(force_insert=True)
            return answer

    def _end(self, calls: list[ModelCall], changes: dict[str, Any]) -> Message:
        if self.journal:
            release(self.lease)
        messages = Message.objects.created_after_id(self.conversation_id)
        answer = messages.select_for_update().get(pk=self.answer_id)
        if answer.status != MessageStatus.PENDING:
            return answer
        rows = self._account(calls, changes.get("error_message", ""))
        cost = sum((row.prompt_cost + row.completion_cost for row in rows), Decimal(0))
        for name, value in changes.items():
            setattr(answer, name, value)
        used = sum(row.prompt_tokens + row.completion_tokens for row in rows)
        answer.token_count = min(used, 2 * MAX_TOKEN_COUNT)
        answer.cost, answer.latency_ms = cost, _elapsed_ms(self.started)
        answer.metadata = {**answer.metadata, **spoken_by(self.agent)}
        answer.tool_calls = self.tool_calls
        answer.tool_used = self.tool_calls[0]["name"] if self.tool_calls else ""
        answer.save()
        Conversation.objects.filter(pk=self.conversation_id).update(
            total_tokens=F("total_tokens") + answer.token_count,
            total_cost=F("total_cost") + cost,
            last_message_at=timezone.now(),
        )
        self._note_connection(calls, changes.get("error_message", ""))
        return answer

    def _account(self, calls: list[ModelCall], error: str) -> list[LlmUsage]:
        """Store one usage row for each request to a model, including failed ones."""
        model, account = self.agent.model_name, self.integration.pk if self.integration else None
        failures = self.meter.failures if self.meter else []
        rows = [LlmUsage(**self._get_owner_columns(), **call.as_columns()) for call in failures]
        for call in calls or ([ModelCall(model, 0, 0)] if error and not failures else []):
            provider = call.provider or self.agent.model_provider
            asked = call.asked or call.model
            terms = self.meter.terms.get((provider, asked)) if self.meter else None
            own = terms.price if terms else get_tenant_price(provider, asked)
            cached = min(call.cached, call.prompt_tokens)
            cost = price(provider, asked, call.prompt_tokens, call.completion_tokens, cached, own=own)
            rows.append(
                LlmUsage(
                    **self._get_owner_columns(),
                    integration_id=call.integration or account,
                    provider=provider,
                    model=call.model[:100],
                    prompt_tokens=call.prompt_tokens,
                    completion_tokens=call.completion_tokens,
                    prompt_cost=cost.sent,
                    completion_cost=cost.received,
                    cost_known=cost.known,
                    latency_ms=_elapsed_ms(self.started) if call.latency_ms is None else call.latency_ms,
                    status_code=call.status,
                    # Failed requests have their own rows and messages.
                    error_message="" if failures else error,
                )
            )
        LlmUsage.objects.bulk_create(rows)
        return rows

    def _get_owner_columns(self) -> dict[str, Any]:
        """Return the owner columns of a usage row."""
        return {
            "tenant_id": self.caller.tenant_id,
            "user_id": self.caller.user_id,
            "agent_id": self.agent.pk,
            "conversation_id": self.conversation_id,
            "message_id": self.answer_id,
        }

    def _note_connection(self, calls: list[ModelCall], error: str) -> None:
        """Mark the integration that answered as connected; the meter records failures."""
        if error or not calls or not calls[-1].integration:
            return
        Integration.objects.filter(pk=calls[-1].integration).update(
            status=IntegrationStatus.CONNECTED, last_error="", last_sync_at=timezone.now()
        )


def load_turn(begun: BegunTurn, caller: Caller) -> Turn:
    """Load the turn for `begun` in the open scope."""
    live = Agent.objects.select_related("integration").get(pk=begun.answer.agent_id)
    agent, collections, problem = resolve_agent(live, begun.conversation)
    lease = begun.lease or lease_for(begun.answer)
    # A new turn has no steps yet.
    steps = steps_of(begun.answer.pk) if lease.takeovers else []
    return Turn(
        caller=caller,
        conversation_id=begun.conversation.pk,
        # In a meeting, the prompt of each contribution is stored with the answer.
        question=begun.answer.metadata.get("prompt") or _build_question(begun),
        answer_id=begun.answer.pk,
        agent=agent,
        integration=agent.integration,
        api_key=_get_api_key(agent.integration),
        history=_load_history(begun) if agent.memory_enabled else [],
        collections=collections,
        problem=problem,
        extra_context=build_context(agent, begun.conversation, begun.question.content, caller.user_id),
        schema=get_output_schema(agent),
        journal=Journal(lease, begun.conversation.pk, steps),
        stored_pieces=last_place(begun.answer.pk) if lease.takeovers else 0,
    )


def _get_api_key(integration: Integration | None) -> str | None:
    return (integration.credentials or {}).get("api_key") if integration else None


def _serialize_passage(passage: FoundPassage) -> dict[str, Any]:
    """Serialize a passage to JSON."""
    ids = {name: str(value) for name in PASSAGE_ID_FIELDS if (value := getattr(passage, name)) is not None}
    return {**asdict(passage), **ids}


def _deserialize_passage(row: dict[str, Any]) -> FoundPassage:
    """Deserialize a passage from JSON."""
    ids = {name: UUID(row[name]) for name in PASSAGE_ID_FIELDS if row.get(name)}
    return FoundPassage(**{**row, **ids, "explanation": RankExplanation(**row.get("explanation", {}))})


def _render_passage(number: int, passage: FoundPassage) -> dict[str, Any]:
    return {
        "number": number,
        "id": str(passage.id),
        "document": passage.filename,
        "title": passage.title,
        "text": passage.text,
        "context": passage.context,
        "page": passage.page,
        "score": round(passage.score, 4),
    }


def _build_question(begun: BegunTurn) -> str:
    """Return the question with its attachments.

    In collaborative conversations, append the earlier agents' answers to the same question.
    """
    asked = said_with_files([begun.question])[0]
    if begun.conversation.mode != ConversationMode.COLLABORATIVE:
        return asked
    before = Message.objects.created_after_id(begun.conversation.pk).filter(
        conversation_id=begun.conversation.pk,
        reply_to_id=begun.question.pk,
        sequence_number__lt=begun.answer.sequence_number,
        status=MessageStatus.COMPLETED,
    )
    lines = [
        f"{row.agent.name}: {row.content}"
        for row in before.select_related("agent").order_by("sequence_number")
    ]
    if not lines:
        return asked
    return "\n\n".join([asked, "Others have answered:", *lines, COLLABORATION_PROMPT])


def _load_history(begun: BegunTurn) -> list[tuple[str, str]]:
    # In multi mode each agent sees only its own answers.
    mine = Q(role=MessageRole.USER) | Q(agent_id=begun.answer.agent_id)
    only = mine if begun.conversation.mode == ConversationMode.MULTI else Q()
    rows = (
        Message.objects.created_after_id(begun.conversation.pk)
        .filter(
            only,
            conversation_id=begun.conversation.pk,
            sequence_number__lt=begun.question.sequence_number,
            status=MessageStatus.COMPLETED,
            role__in=[MessageRole.USER, MessageRole.ASSISTANT],
        )
        .order_by("-sequence_number")[:HISTORY_LENGTH]
    )
    lines = list(reversed(rows))
    return list(zip([row.role for row in lines], said_with_files(lines), strict=True))


def _elapsed_ms(started: float) -> int:
    return int((time.perf_counter() - started) * 1000)
