"""Completions by agents or by models of the tenant's integrations.

No transaction is open during a request to a model. The client waits on its connection, so a completion is not
resumed when its process dies.
"""

import contextvars
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from queue import Empty, SimpleQueue
from typing import Any

from asgiref.sync import async_to_sync
from django.db import DataError
from django.utils.text import slugify

from agents.models import Agent, Integration, LlmUsage
from agents.runtime.meter import Meter, ModelRoute
from agents.services.budgets import load_call_terms
from agents.services.integrations import record_answer
from conversations.choices import MessageRole, MessageStatus
from conversations.completions.types import (
    ChatMessage,
    Completion,
    CompletionError,
    CompletionEvent,
    CompletionRequest,
    KeepAlive,
    TokenUsage,
    ToolCall,
)
from conversations.models import Message
from conversations.runtime.agent_resolution import get_output_schema, get_schema_error, resolve_agent
from conversations.runtime.connections import release_connections
from conversations.runtime.context import build_term_context
from conversations.runtime.journal import Journal, strip_unstorable, strip_unstorable_json
from conversations.runtime.metering import get_budget_subjects, get_cost_limits
from conversations.runtime.turns import Caller, ModelCall, Turn
from conversations.services.completions import (
    CompletionQuestion,
    close_completion,
    continue_completion,
    list_messages_until,
    open_completion,
)
from conversations.services.conversations import BegunTurn, agent_by_name
from conversations.services.feedback import spoken_by
from conversations.streaming.answers import KEEP_ALIVE_SECONDS, acquire_stream_slot, release_stream_slot

ANSWER_SECONDS = 300
# Metadata key of a tool message: the result of each call.
TOOL_RESULTS = "results"


class UnknownModelError(LookupError):
    """The tenant has no agent or model of this name."""


class InMemoryJournal(Journal):
    """An in-memory journal, for answers that are never resumed."""

    def _add(self, kind: str, payload: dict[str, Any], call_id: str = "") -> None:
        self._remember(kind, call_id, strip_unstorable_json(payload))


@dataclass(slots=True)
class CompletionTurn(Turn):
    """A turn whose usage comes from its meter.

    It is never resumed, because its client waits on a connection.
    """

    meter: Any = None

    @property
    def is_bare(self) -> bool:
        """Whether the turn uses a model without an agent."""
        return self.agent.pk is None

    def finish(self, text: str, calls: list[ModelCall]) -> str:  # type: ignore[override]
        """Store the answer and return its text with renumbered citations."""
        content, citations = (strip_unstorable(text), []) if self.is_bare else self.extract_citations(text)
        self._close("", status=MessageStatus.COMPLETED, content=content, citations=citations)
        return content

    def fail(self, code: str, message: str, calls: list[ModelCall], content: str = "") -> None:  # type: ignore[override]
        """Store the failure with its code and message."""
        failed = {"status": MessageStatus.FAILED, "error_code": code, "error_message": message}
        self._close(message, content=strip_unstorable(content), **failed)

    def _close(self, error: str, **changes: Any) -> None:
        calls = [*self.meter.failures, *self.meter.calls]
        spent = {
            "token_count": sum(call.input_tokens + call.output_tokens for call in calls),
            "cost": sum((call.cost for call in calls), Decimal(0)),
            "latency_ms": int((time.perf_counter() - self.started) * 1000),
        }
        used = {
            "tool_calls": self.tool_calls,
            "tool_used": self.tool_calls[0]["name"] if self.tool_calls else "",
        }
        if spoken := spoken_by(self.agent):
            used["metadata"] = spoken
        with self.caller.scope():
            if close_completion(self.conversation_id, self.answer_id, **changes, **spent, **used):
                LlmUsage.objects.bulk_create(self._usage(error))
                if self.meter.calls and not error:
                    record_answer(self.meter.calls[-1].route.integration)

    def _usage(self, error: str) -> list[LlmUsage]:
        meter = self.meter
        rows = [
            LlmUsage(**self._get_owner_columns(), **call.as_columns())
            for call in [*meter.failures, *meter.calls]
        ]
        if error and not meter.failures:
            # The requests succeeded; their result could not be used.
            for row in rows:
                row.error_message = error
        if rows or not error:
            return rows
        agent, account = self.agent, self.integration
        named = {"provider": agent.model_provider, "model": agent.model_name[:100]}
        elapsed_ms = int((time.perf_counter() - self.started) * 1000)
        account_id = account.pk if account else None
        failure_columns = {"integration_id": account_id, "latency_ms": elapsed_ms, "error_message": error}
        return [LlmUsage(**self._get_owner_columns(), **named, **failure_columns)]


@dataclass(slots=True)
class CompletionRun:
    """A completion in progress."""

    request: CompletionRequest
    turn: CompletionTurn

    @property
    def used(self) -> TokenUsage:
        calls = self.turn.meter.calls
        return TokenUsage(sum(call.input_tokens for call in calls), sum(call.output_tokens for call in calls))


def begin_completion(
    request: CompletionRequest, caller: Caller, *, after: Message | None = None
) -> CompletionRun:
    """Store the question and load the turn, in the open scope.

    Args:
        after: the previous answer, to continue its conversation.

    Raises:
        UnknownModelError: no agent or model has the requested name.
        ConversationClosed: the agent is not active.
        ConversationClosedError: the conversation of `after` cannot be continued.
    """
    agent, named = resolve_model(request.model)
    asked, model = _build_question(request), agent.model_name
    speaker = agent if named is None else None
    if after is None:
        begun = open_completion(
            speaker, asked=asked, model=model, user_id=caller.user_id, metadata=request.origin
        )
    else:
        begun = continue_completion(after, speaker, asked=asked, model=model, user_id=caller.user_id)
    return CompletionRun(request, _build_turn(begun, caller, agent, request))


def _build_question(request: CompletionRequest) -> CompletionQuestion:
    """Return the last message, or all trailing tool results, for storing."""
    if request.messages[-1].role != "tool":
        return CompletionQuestion(strip_unstorable(request.question))
    results = list(takewhile(lambda said: said.role == "tool", reversed(request.messages)))[::-1]
    stored_results = [{"call_id": said.call_id, "text": strip_unstorable(said.text)} for said in results]
    return CompletionQuestion(
        "\n".join(row["text"] for row in stored_results), MessageRole.TOOL, {TOOL_RESULTS: stored_results}
    )


def load_chat_history(answer: Message) -> tuple[ChatMessage, ...]:
    """Return the chat messages up to `answer`, in the open scope."""
    spoken: list[ChatMessage] = []
    for row in list_messages_until(answer):
        results = row.metadata.get(TOOL_RESULTS) if row.role == MessageRole.TOOL else None
        if results:
            spoken += [ChatMessage("tool", result["text"], call_id=result["call_id"]) for result in results]
        elif row.role in (MessageRole.USER, MessageRole.ASSISTANT):
            own = [call for call in row.tool_calls if call.get("client")]
            calls = tuple(ToolCall(call["id"], call["name"], call["input"]) for call in own)
            spoken.append(ChatMessage(row.role, row.content, calls=calls))
    return tuple(spoken)


def _build_turn(begun: BegunTurn, caller: Caller, agent: Agent, request: CompletionRequest) -> CompletionTurn:
    collections, problem, extra_context, schema = [], "", "", None
    if agent.pk:
        agent, collections, problem = resolve_agent(agent, begun.conversation)
        extra_context = build_term_context(begun.conversation, begun.question.content, caller.user_id)
        schema = get_output_schema(agent)
        if request.schema is not None:
            schema = {"title": request.schema_name, **request.schema}
            problem = problem or get_schema_error(schema, agent)
    subjects = get_budget_subjects(caller, agent)
    route = ModelRoute(agent.model_provider, agent.model_name, agent.integration, agent.timeout)
    terms = load_call_terms(subjects, *route.key)
    integration = agent.integration
    return CompletionTurn(
        caller=caller,
        conversation_id=begun.conversation.pk,
        question=begun.question.content,
        answer_id=begun.answer.pk,
        agent=agent,
        integration=integration,
        api_key=(integration.credentials or {}).get("api_key") if integration else None,
        history=[],
        collections=collections,
        problem=problem,
        extra_context=extra_context,
        schema=schema,
        journal=InMemoryJournal(None, begun.conversation.pk, []),  # type: ignore[arg-type]
        meter=Meter(caller.scope, subjects, {route.key: terms}, get_cost_limits(agent)),
    )


def resolve_model(name: str) -> tuple[Agent, Integration | None]:
    """Return the agent called `name`, or an unsaved one for `<integration>/<model>`.

    Raises:
        UnknownModelError: neither exists.
    """
    account, slash, model = name.partition("/")
    if not slash:
        agent = agent_by_name(name, related=["integration"])
        if agent is None:
            raise UnknownModelError(name)
        return agent, None
    for row in Integration.objects.all():
        if model and account in (slugify(row.name), row.name, str(row.pk)):
            return _build_unsaved_agent(row, model), row
    raise UnknownModelError(name)


def _build_unsaved_agent(account: Integration, model: str) -> Agent:
    """Return an unsaved agent without instructions, to use a model alone."""
    return Agent(
        id=None,
        name=model,
        model_provider=account.platform,
        model_name=model,
        integration=account,
        system_prompt="",
        timeout=ANSWER_SECONDS,
    )


def run_completion(exchange: CompletionRun) -> Completion:
    """Run the completion and store its result. Call it outside any scope and transaction.

    Raises:
        CompletionError: the completion failed; the failure is stored too.
    """
    return _run_and_store(exchange, None)


def _run_and_store(exchange: CompletionRun, emit: Any) -> Completion:
    from conversations.completions import models
    from conversations.runtime import loop

    try:
        with loop.bind_turn_context(exchange.turn):
            text, calls, finish = async_to_sync(models.request_completion)(exchange, emit)
    except Exception as error:
        failure = models.to_completion_error(error)
        exchange.turn.fail(failure.code, failure.message, [])
        raise failure from error
    return _store_completion(exchange, text, calls, finish)


def _store_completion(
    exchange: CompletionRun, text: str, calls: tuple[ToolCall, ...], finish: str
) -> Completion:
    turn = exchange.turn
    turn.tool_calls += [
        {"id": call.id, "name": call.name, "input": call.arguments, "client": True} for call in calls
    ]
    try:
        content = turn.finish(text, [])
    except DataError as error:
        failure = CompletionError("bad_response", "The model's answer could not be stored.")
        turn.fail(failure.code, failure.message, [])
        raise failure from error
    return Completion(turn.answer_id, content, calls, finish, exchange.used)


def stream_completion(exchange: CompletionRun) -> Iterator[CompletionEvent]:
    """Run the completion in a thread and stream its events, ending with `Completion` or `CompletionError`.

    Raises:
        TooManyStreamsError: the process has reached its limit of streams; raised before the first event.
    """
    acquire_stream_slot()
    queue: SimpleQueue[CompletionEvent] = SimpleQueue()
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(_run_in_thread, exchange, queue), daemon=True, name="exchange"
    )
    try:
        thread.start()
    except BaseException:
        release_stream_slot()
        raise
    release_connections()
    return _read_queue(queue)


def _run_in_thread(exchange: CompletionRun, queue: "SimpleQueue[CompletionEvent]") -> None:
    last: CompletionEvent = CompletionError(
        "internal", "An internal error occurred. The server log has the details."
    )
    exchange.turn.meter.rest = release_connections
    try:
        last = _run_and_store(exchange, queue.put)
    except CompletionError as failure:
        last = failure
    finally:
        release_connections()
        release_stream_slot()
        queue.put(last)


def _read_queue(queue: "SimpleQueue[CompletionEvent]") -> Iterator[CompletionEvent]:
    while True:
        try:
            event = queue.get(timeout=KEEP_ALIVE_SECONDS)
        except Empty:
            yield KeepAlive()
            continue
        yield event
        if isinstance(event, Completion | CompletionError):
            return
