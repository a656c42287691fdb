"""The input of a turn, loaded before the model runs."""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.choices import ModelPurpose
from agents.models import Agent, Integration
from agents.runtime.meter import Meter
from agents.services.budgets import BudgetLimit
from agents.services.factory_prompts import RenderedPrompt, render_factory_prompt
from agents.services.payloads import get_payload_kind
from agents.services.runs import with_run_settings
from agents.services.user_settings import apply_user_settings
from config.db.connections import release_connections
from config.db.session import Scope
from config.tenancy.scope import tenant_scope
from conversations.choices import ChatMode, ConversationMode, MeetingPhase, MessageRole, MessageStatus
from conversations.models import Conversation, Message
from conversations.runtime.agent_resolution import get_output_schema, get_schema_error, resolve_agent
from conversations.runtime.answer_options import apply_answer_options, get_answer_options
from conversations.runtime.context import build_context, is_shared
from conversations.runtime.journal import Journal
from conversations.runtime.learned_patterns import find_terms_and_patterns
from conversations.runtime.metering import count_spent, get_budget_subjects, get_cost_limits
from conversations.runtime.stream_buffer import StreamBuffer
from conversations.services.attachments import render_with_files
from conversations.services.conversations import BegunTurn
from conversations.services.glossary import GlossaryTerm
from conversations.services.leases import Lease, acquire_lease
from conversations.services.steps import get_last_sequence, list_steps
from knowledge.models import Collection

HISTORY_LENGTH = 20
USER_INSTRUCTIONS = "Instructions of the user for you, within those above:"
# Purposes of the answers in a meeting, by phase.
PURPOSES = {
    MeetingPhase.QUESTIONING: ModelPurpose.INITIAL_ASSESSMENT,
    MeetingPhase.EXPERT_INPUT: ModelPurpose.EXECUTIVE_ASSESSMENT,
    MeetingPhase.PLANNING: ModelPurpose.SIMPLE_PLANNING,
    MeetingPhase.SUMMARY: ModelPurpose.FINAL_RESPONSE,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant, user and actor that a turn runs for."""

    tenant_id: UUID
    user_id: UUID | None
    actor: str
    engagement_id: UUID | None = None

    def scope(self) -> AbstractContextManager[Scope]:
        """Open a short tenant scope for the caller."""
        return tenant_scope(
            self.tenant_id, user=self.user_id, engagement=self.engagement_id, actor=self.actor
        )


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
    # The glossary terms in the question. Only its first answer has them, so that they are counted once.
    terms: tuple[str, ...] = ()
    # JSON Schema of the answer; None for plain text.
    schema: dict[str, Any] | None = None
    # The question of the meeting that the answer contributes to, if any.
    meeting_id: UUID | None = None
    # The flow that the conversation names in its metadata, if any.
    flow_id: UUID | None = None
    # IDs of the prompts in the question and its context, besides that of the agent.
    question_prompt_ids: tuple[str, ...] = ()
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
    def prompt_ids(self) -> list[str]:
        """The IDs of the prompts besides that of the agent."""
        return [*self.question_prompt_ids, *self.journal.prompt_ids]

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
    purpose = PURPOSES.get(begun.answer.metadata.get("phase", ""), ModelPurpose.CHAT)
    agent, collections, problem = resolve_agent(live, begun.conversation, purpose=purpose)
    options = get_answer_options(begun.answer)
    budget = apply_answer_options(agent, options)
    if options.output_schema is not None:
        problem = problem or get_schema_error(options.output_schema, agent)
    own = _apply_user_settings(begun, agent, caller)
    lease = begun.lease or acquire_lease(begun.answer)
    # A new turn has no steps yet.
    steps = list_steps(begun.answer.pk) if lease.takeovers else []
    journal = Journal(lease, begun.conversation.pk, steps)
    # In a meeting, the prompt of each contribution is stored with the answer.
    given = begun.answer.metadata.get("prompt")
    question = RenderedPrompt(given) if given else _build_question(begun)
    mode = _render_mode_prompt(begun, caller)
    terms, patterns = find_terms_and_patterns(agent, begun.question.content, caller.user_id, collections)
    context = build_context(agent, begun.conversation, terms, patterns, caller.user_id)
    return TurnContext(
        caller=caller,
        conversation_id=begun.conversation.pk,
        question=question.text,
        question_prompt_ids=tuple(str(each.prompt_id) for each in (question, mode) if each.prompt_id),
        answer_id=begun.answer.pk,
        agent=agent,
        api_key=get_api_key(agent.integration),
        collections=collections,
        journal=journal,
        meter=_resume_meter(build_meter(caller, agent, budget), journal, agent),
        history=_load_history(begun) if agent.memory_enabled else [],
        problem=problem,
        extra_context="\n\n".join(part for part in (mode.text, own, context) if part),
        terms=name_terms(begun, terms),
        schema=get_output_schema(agent),
        flow_id=get_flow_id(begun.conversation),
        meeting_id=begun.question.pk if "phase" in begun.answer.metadata else None,
        stored_pieces=get_last_sequence(begun.answer.pk) if lease.takeovers else 0,
    )


def _apply_user_settings(begun: BegunTurn, agent: Agent, caller: Caller) -> str:
    """Apply the user's settings to the agent, and return the user's instructions, if there are any."""
    instructions = apply_user_settings(agent, caller.user_id)
    # In shared conversations, others would see in the answers what the user wrote about oneself.
    if not instructions or is_shared(begun.conversation, caller.user_id):
        return ""
    return f"{USER_INSTRUCTIONS}\n{instructions}"


def _render_mode_prompt(begun: BegunTurn, caller: Caller) -> RenderedPrompt:
    """Return the instructions of the chat mode, if it has any."""
    if begun.answer.metadata.get("mode") != ChatMode.SOCRATIC:
        return RenderedPrompt("")
    return render_factory_prompt("conversation.socratic", user_id=caller.user_id)


def build_meter(caller: Caller, agent: Agent, budget: tuple[BudgetLimit, ...] = ()) -> Meter:
    """Return a meter of the calls that `agent` makes for `caller`, within the budget of the answer."""
    return Meter(
        caller.scope,
        get_budget_subjects(caller, agent),
        further=(*get_cost_limits(agent), *budget),
        rest=release_connections,
        payloads=get_payload_kind(agent),
    )


def _resume_meter(meter: Meter, journal: Journal, agent: Agent) -> Meter:
    """Return the meter with what earlier processes of the turn used, for limits per answer."""
    if journal.responses and meter.further:
        meter.spent |= count_spent(journal, agent)
    return meter


def name_terms(begun: BegunTurn, terms: list[GlossaryTerm]) -> tuple[str, ...]:
    """Return the names of the terms if this is the first answer to the question."""
    is_first = begun.answer.sequence_number == begun.question.sequence_number + 1
    return tuple(each.term for each in terms) if is_first else ()


def get_flow_id(conversation: Conversation) -> UUID | None:
    """Return the flow that the conversation's metadata names as `flow_id`, if any."""
    try:
        return UUID(conversation.metadata["flow_id"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def get_api_key(integration: Integration | None) -> str | None:
    """Return the API key of the integration, if any."""
    credentials: Any = integration.credentials if integration else None
    return (credentials or {}).get("api_key")


def _build_question(begun: BegunTurn) -> RenderedPrompt:
    """Return the question with its attachments, and the prompt that it contains.

    In collaborative conversations, append the earlier agents' answers to the same question.
    """
    asked = render_with_files([begun.question])[0]
    if begun.conversation.mode != ConversationMode.COLLABORATIVE:
        return RenderedPrompt(asked)
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
        return RenderedPrompt(asked)
    prompt = render_factory_prompt("conversation.collaboration", user_id=begun.question.user_id)
    text = "\n\n".join([asked, "Others have answered:", *lines, prompt.text])
    return RenderedPrompt(text, prompt.prompt_id)


def _load_history(begun: BegunTurn) -> list[tuple[str, str]]:
    # In multi mode each agent sees only its own answers, unless the router chooses one of them for each question.
    is_routed = begun.answer.metadata.get("mode") == ChatMode.SMART_ROUTER
    mine = Q(role=MessageRole.USER) | Q(agent_id=begun.answer.agent_id)
    only = mine if begun.conversation.mode == ConversationMode.MULTI and not is_routed else Q()
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
