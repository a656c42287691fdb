"""One turn of an agent: what it needs, what its tools may do, how its outcome is stored.

No transaction is open while a model thinks. Each step opens a short scope of its own, so whatever happens
to the model or the process, the question is stored and the answer is either complete or failed with a reason.
"""

import re
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from agents.choices import IntegrationStatus
from agents.models import Agent, AgentCollection, Integration, LlmUsage
from agents.runtime.prices import price
from agents.services.prompts import PromptProblem, count_use, instructions_of
from agents.services.versions import as_published
from conversations.choices import MessageRole, MessageStatus, ToolStatus
from conversations.models import Conversation, Message, ToolExecution
from conversations.services.conversations import BegunTurn
from knowledge.models import Collection
from knowledge.services.search import FoundPassage, log_query, search
from tenants.scoping import Scope, tenant_scope

HISTORY = 20
# What an integer column takes of two such counts added up; an endpoint may report anything.
MOST_TOKENS = 2**30 - 1
# Not attached to a word or a bracket: quoted code such as `row[1]` cites nothing.
MARKER = re.compile(r"(?<![\w)])\[(\d{1,3})\]")
UNCITED = re.compile(r"\s?\0")
SNIPPET = 300


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a turn runs."""

    tenant_id: UUID
    user_id: UUID | None
    actor: str

    def scope(self) -> AbstractContextManager[Scope]:
        """A short scope of the caller's tenant."""
        return tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to a model, as it is accounted for."""

    model: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(slots=True)
class Turn:
    """A turn under way. `passages` grow with each search; their numbers are what answers cite."""

    caller: Caller
    conversation_id: UUID
    question: str
    answer_id: UUID
    agent: Agent
    integration: Integration | None
    api_key: str | None = field(repr=False)
    history: list[tuple[str, str]]
    collections: list[Collection]
    passages: list[FoundPassage] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    # Where the turn goes on after a person's decision (conversations.runtime.approvals).
    resumption: Any = None
    # Why the agent cannot speak as it is set up; empty when it can.
    problem: str = ""

    def search(self, query: str) -> list[dict[str, Any]]:
        """The search tool: find passages, number them, keep the record of it."""
        started, moment, query = time.perf_counter(), timezone.now(), storable(query)
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
            self.passages += found
            rows = [_as_row(offset + place, passage) for place, passage in enumerate(found, 1)]
            execution.tool_output = [{"id": row["id"], "score": row["score"]} for row in rows]
            execution.status, execution.completed_at = ToolStatus.COMPLETED, timezone.now()
            execution.execution_time_ms = _milliseconds(started)
            execution.save()
        self.tool_calls.append(
            {"id": str(execution.pk), "name": "search_knowledge", "input": {"query": query}}
        )
        return rows

    def finish(self, text: str, calls: list[ModelCall]) -> Message:
        """Store the answer, what it cites, what it used and cost."""
        content, citations = cite(storable(text), self.passages)
        with self.caller.scope():
            return self._store(calls, status=MessageStatus.COMPLETED, content=content, citations=citations)

    def fail(self, code: str, message: str, calls: list[ModelCall], content: str = "") -> Message:
        """Store that there is no answer, and why; what was said so far is kept."""
        with self.caller.scope():
            return self._store(
                calls,
                status=MessageStatus.FAILED,
                error_code=code,
                error_message=message,
                content=storable(content),
            )

    def _store(self, calls: list[ModelCall], **changes: Any) -> Message:
        messages = Message.objects.younger_than(self.conversation_id)
        answer = messages.select_for_update().get(pk=self.answer_id)
        if answer.status != MessageStatus.PENDING:
            return answer
        cost = self._account(calls, changes.get("error_message", ""))
        for name, value in changes.items():
            setattr(answer, name, value)
        used = sum(call.prompt_tokens + call.completion_tokens for call in calls)
        answer.token_count = min(used, 2 * MOST_TOKENS)
        answer.cost, answer.latency_ms = cost, _milliseconds(self.started)
        answer.tool_calls = self.tool_calls
        answer.tool_used = self.tool_calls[0]["name"] if self.tool_calls else ""
        answer.save()
        Conversation.objects.filter(pk=self.conversation_id).update(
            total_tokens=F("total_tokens") + answer.token_count,
            total_cost=F("total_cost") + cost,
            last_message_at=timezone.now(),
        )
        self._note_connection(changes.get("error_message", ""))
        return answer

    def _account(self, calls: list[ModelCall], error: str) -> Decimal:
        provider, model = self.agent.model_provider, self.agent.model_name
        rows = []
        for call in calls or ([ModelCall(model, 0, 0)] if error else []):
            sent = price(provider, call.model, call.prompt_tokens, 0)
            received = price(provider, call.model, 0, call.completion_tokens)
            rows.append(
                LlmUsage(
                    tenant_id=self.caller.tenant_id,
                    user_id=self.caller.user_id,
                    agent_id=self.agent.pk,
                    integration_id=self.integration.pk if self.integration else None,
                    conversation_id=self.conversation_id,
                    message_id=self.answer_id,
                    provider=provider,
                    model=call.model[:100],
                    prompt_tokens=call.prompt_tokens,
                    completion_tokens=call.completion_tokens,
                    prompt_cost=sent.amount,
                    completion_cost=received.amount,
                    cost_known=sent.known and received.known,
                    latency_ms=_milliseconds(self.started),
                    error_message=error,
                )
            )
        LlmUsage.objects.bulk_create(rows)
        return sum((row.prompt_cost + row.completion_cost for row in rows), Decimal(0))

    def _note_connection(self, error: str) -> None:
        if self.integration is None:
            return
        state = IntegrationStatus.ERROR if error else IntegrationStatus.CONNECTED
        changes: dict[str, Any] = {"status": state, "last_error": error}
        if not error:
            changes["last_sync_at"] = timezone.now()
        Integration.objects.filter(pk=self.integration.pk).update(**changes)


def load_turn(begun: BegunTurn, caller: Caller) -> Turn:
    """Everything the model needs for `begun`, read in the scope that is open."""
    conversation = begun.conversation
    live = Agent.objects.select_related("integration").get(pk=conversation.agent_id)
    agent, pinned = as_published(live, conversation.agent_version)
    reading = AgentCollection.objects.filter(agent_id=agent.pk).values("collection_id")
    problem = _speak(agent)
    return Turn(
        caller=caller,
        conversation_id=begun.conversation.pk,
        question=begun.question.content,
        answer_id=begun.answer.pk,
        agent=agent,
        integration=agent.integration,
        api_key=_api_key(agent.integration),
        history=_history(begun) if agent.memory_enabled else [],
        collections=list(
            Collection.objects.filter(pk__in=reading if pinned is None else pinned).order_by("slug")
        ),
        problem=problem,
    )


def _speak(agent: Agent) -> str:
    """Give the agent the text of the prompt that it names; says why when it cannot be had."""
    try:
        agent.system_prompt, prompt = instructions_of(agent)
    except PromptProblem as error:
        return str(error)
    if prompt is not None:
        count_use(prompt.pk)
    return ""


def _api_key(integration: Integration | None) -> str | None:
    return (integration.credentials or {}).get("api_key") if integration else None


def storable(text: str) -> str:
    """`text` without what PostgreSQL cannot hold: NUL and lone surrogates, which models may send."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def cite(text: str, passages: list[FoundPassage]) -> tuple[str, list[dict[str, Any]]]:
    """Number the passages that `text` cites in the order it cites them; marks of no passage are taken out."""
    order: dict[int, int] = {}

    def renumber(mark: re.Match[str]) -> str:
        number = int(mark.group(1))
        if not 1 <= number <= len(passages):
            return "\0"
        return f"[{order.setdefault(number, len(order) + 1)}]"

    content = UNCITED.sub("", MARKER.sub(renumber, text))
    citations = [_citation(place, passages[number - 1], content) for number, place in order.items()]
    return content, citations


def _citation(place: int, passage: FoundPassage, content: str) -> dict[str, Any]:
    quote = next((line for line in _quoted(content, place) if line in " ".join(passage.text.split())), "")
    return {
        "number": place,
        "chunk": str(passage.id),
        "document": str(passage.document_id),
        "title": passage.title or passage.filename,
        "source": passage.source,
        "context": passage.context,
        "page": passage.page,
        "score": round(passage.score, 4),
        "quote": quote or passage.text[:SNIPPET],
    }


def _quoted(content: str, place: int) -> list[str]:
    """The stretches of `content` that end in the mark `[place]`."""
    return [
        " ".join(part.split("]")[-1].split()) for part in content.split(f"[{place}]")[:-1] if part.strip()
    ]


def _as_row(number: int, passage: FoundPassage) -> dict[str, Any]:
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


def _history(begun: BegunTurn) -> list[tuple[str, str]]:
    rows = (
        Message.objects.younger_than(begun.conversation.pk)
        .filter(
            conversation_id=begun.conversation.pk,
            sequence_number__lt=begun.question.sequence_number,
            status=MessageStatus.COMPLETED,
            role__in=[MessageRole.USER, MessageRole.ASSISTANT],
        )
        .order_by("-sequence_number")[:HISTORY]
    )
    return [(row.role, row.content) for row in reversed(rows)]


def _milliseconds(started: float) -> int:
    return int((time.perf_counter() - started) * 1000)
