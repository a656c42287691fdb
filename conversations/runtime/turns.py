"""The input of a turn, loaded before the model runs."""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db.models import Q

from agents.models import Agent, Integration
from agents.runtime.meter import Meter
from agents.services.factory_prompts import render_factory_prompt
from agents.services.runs import with_run_settings
from config.db.connections import release_connections
from config.db.session import Scope
from config.tenancy.scope import tenant_scope
from conversations.choices import ConversationMode, MessageRole, MessageStatus
from conversations.models import Message
from conversations.runtime.agent_resolution import get_output_schema, resolve_agent
from conversations.runtime.context import build_context
from conversations.runtime.journal import Journal
from conversations.runtime.metering import get_budget_subjects, get_cost_limits
from conversations.runtime.stream_buffer import StreamBuffer
from conversations.services.attachments import render_with_files
from conversations.services.conversations import BegunTurn
from conversations.services.leases import Lease, acquire_lease
from conversations.services.steps import get_last_sequence, list_steps
from knowledge.models import Collection

HISTORY_LENGTH = 20


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
class TurnContext:
    """A question, its pending answer and what the agent needs to answer it.

    No transaction is open during a request to a model. Each step opens a short scope of `caller` and is written to
    `journal` under a lease, so another process can resume the turn when this one dies.
    """

    caller: Caller
    conversation_id: UUID
    question: str
    answer_id: UUID
    agent: Agent
    api_key: str | None = field(repr=False)
    collections: list[Collection]
    journal: Journal
    meter: Meter
    history: list[tuple[str, str]] = field(default_factory=list)
    # Configuration error of the agent; empty when there is none.
    problem: str = ""
    # Additional context for the system prompt.
    extra_context: str = ""
    # JSON Schema of the answer; None for plain text.
    schema: dict[str, Any] | None = None
    # The question of the meeting that the answer contributes to, if any.
    meeting_id: UUID | None = None
    # Number of text fragments stored by an earlier process.
    stored_pieces: int = 0
    # The text so far, for readers; None if nobody can follow the answer.
    live: StreamBuffer | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def lease(self) -> Lease:
        """The lease on the answer held by this process."""
        return self.journal.held_lease

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the turn was loaded."""
        return int((time.perf_counter() - self.started) * 1000)


def with_stream_buffer(turn: TurnContext) -> TurnContext:
    """Return the turn with a buffer of its text that readers can follow."""
    if turn.live:
        return turn
    return replace(turn, live=StreamBuffer(turn.lease, turn.conversation_id, turn.stored_pieces))


def load_turn(begun: BegunTurn, caller: Caller) -> TurnContext:
    """Load the turn for `begun` in the open scope."""
    live = with_run_settings(Agent.objects.select_related("integration")).get(pk=begun.answer.agent_id)
    agent, collections, problem = resolve_agent(live, begun.conversation)
    lease = begun.lease or acquire_lease(begun.answer)
    # A new turn has no steps yet.
    steps = list_steps(begun.answer.pk) if lease.takeovers else []
    return TurnContext(
        caller=caller,
        conversation_id=begun.conversation.pk,
        # In a meeting, the prompt of each contribution is stored with the answer.
        question=begun.answer.metadata.get("prompt") or _build_question(begun),
        answer_id=begun.answer.pk,
        agent=agent,
        api_key=get_api_key(agent.integration),
        collections=collections,
        journal=Journal(lease, begun.conversation.pk, steps),
        meter=build_meter(caller, agent),
        history=_load_history(begun) if agent.memory_enabled else [],
        problem=problem,
        extra_context=build_context(agent, begun.conversation, begun.question.content, caller.user_id),
        schema=get_output_schema(agent),
        meeting_id=begun.question.pk if "phase" in begun.answer.metadata else None,
        stored_pieces=get_last_sequence(begun.answer.pk) if lease.takeovers else 0,
    )


def build_meter(caller: Caller, agent: Agent) -> Meter:
    """Return a meter of the calls that `agent` makes for `caller`."""
    return Meter(
        caller.scope,
        get_budget_subjects(caller, agent),
        further=get_cost_limits(agent),
        rest=release_connections,
    )


def get_api_key(integration: Integration | None) -> str | None:
    """Return the API key of the integration, if any."""
    credentials: Any = integration.credentials if integration else None
    return (credentials or {}).get("api_key")


def _build_question(begun: BegunTurn) -> str:
    """Return the question with its attachments.

    In collaborative conversations, append the earlier agents' answers to the same question.
    """
    asked = render_with_files([begun.question])[0]
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
    prompt = render_factory_prompt("conversation.collaboration", user_id=begun.question.user_id)
    return "\n\n".join([asked, "Others have answered:", *lines, prompt.text])


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
    return list(zip([row.role for row in lines], render_with_files(lines), strict=True))
