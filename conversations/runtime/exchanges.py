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
from agents.runtime.metering import Meter, Route
from agents.services.budgets import terms_of
from agents.services.integrations import note_answer
from conversations.choices import MessageRole, MessageStatus
from conversations.models import Message
from conversations.runtime.briefing import words_of
from conversations.runtime.connections import give_back
from conversations.runtime.journal import Journal, cleaned, storable
from conversations.runtime.metering import cost_limit, subjects_of
from conversations.runtime.speaking import schema_of, speaking, unfit
from conversations.runtime.streaming import KEEP_ALIVE_SECONDS, leave_place, take_place
from conversations.runtime.turns import Caller, ModelCall, Turn
from conversations.runtime.wishes import Call, Event, Outcome, Said, Used, Waiting, Wish, WishFailed
from conversations.services.conversations import BegunTurn, agent_by_name
from conversations.services.exchanges import Asked, close_exchange, continue_exchange, open_exchange, up_to
from conversations.services.feedback import spoken_by

ANSWER_SECONDS = 300
# Metadata key of a tool message: the result of each call.
RESULTS = "results"


class UnknownModel(LookupError):
    """The tenant has no agent or model of this name."""


class MemoryJournal(Journal):
    """An in-memory journal, for answers that are never resumed."""

    def _add(self, kind: str, payload: dict[str, Any], call_id: str = "") -> None:
        self._remember(kind, call_id, cleaned(payload))


@dataclass(slots=True)
class WireTurn(Turn):
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
        content, citations = (storable(text), []) if self.is_bare else self.cited(text)
        self._close("", status=MessageStatus.COMPLETED, content=content, citations=citations)
        return content

    def fail(self, code: str, message: str, calls: list[ModelCall], content: str = "") -> None:  # type: ignore[override]
        """Store the failure with its code and message."""
        failed = {"status": MessageStatus.FAILED, "error_code": code, "error_message": message}
        self._close(message, content=storable(content), **failed)

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
            if close_exchange(self.conversation_id, self.answer_id, **changes, **spent, **used):
                LlmUsage.objects.bulk_create(self._usage(error))
                if self.meter.calls and not error:
                    note_answer(self.meter.calls[-1].route.integration)

    def _usage(self, error: str) -> list[LlmUsage]:
        meter = self.meter
        rows = [LlmUsage(**self._for_whom(), **call.as_columns()) for call in [*meter.failures, *meter.calls]]
        if error and not meter.failures:
            # The requests succeeded; their result could not be used.
            for row in rows:
                row.error_message = error
        if rows or not error:
            return rows
        agent, account = self.agent, self.integration
        named = {"provider": agent.model_provider, "model": agent.model_name[:100]}
        waited = int((time.perf_counter() - self.started) * 1000)
        account_id = account.pk if account else None
        never = {"integration_id": account_id, "latency_ms": waited, "error_message": error}
        return [LlmUsage(**self._for_whom(), **named, **never)]


@dataclass(slots=True)
class Exchange:
    """A completion in progress."""

    wish: Wish
    turn: WireTurn

    @property
    def used(self) -> Used:
        calls = self.turn.meter.calls
        return Used(sum(call.input_tokens for call in calls), sum(call.output_tokens for call in calls))


def begin(wish: Wish, caller: Caller, *, after: Message | None = None) -> Exchange:
    """Store the question and load the turn, in the open scope.

    Args:
        after: the previous answer, to continue its conversation.

    Raises:
        UnknownModel: no agent or model has the requested name.
        ConversationClosed: the agent is not active.
        ExchangeOver: the conversation of `after` cannot be continued.
    """
    agent, named = find_model(wish.model)
    asked, model = _asked(wish), agent.model_name
    speaker = agent if named is None else None
    if after is None:
        begun = open_exchange(speaker, asked=asked, model=model, user_id=caller.user_id, metadata=wish.origin)
    else:
        begun = continue_exchange(after, speaker, asked=asked, model=model, user_id=caller.user_id)
    return Exchange(wish, _turn(begun, caller, agent, wish))


def _asked(wish: Wish) -> Asked:
    """Return the last message, or all trailing tool results, for storing."""
    if wish.messages[-1].role != "tool":
        return Asked(storable(wish.question))
    results = list(takewhile(lambda said: said.role == "tool", reversed(wish.messages)))[::-1]
    kept = [{"call_id": said.call_id, "text": storable(said.text)} for said in results]
    return Asked("\n".join(row["text"] for row in kept), MessageRole.TOOL, {RESULTS: kept})


def said_before(answer: Message) -> tuple[Said, ...]:
    """Return the chat messages up to `answer`, in the open scope."""
    spoken: list[Said] = []
    for row in up_to(answer):
        results = row.metadata.get(RESULTS) if row.role == MessageRole.TOOL else None
        if results:
            spoken += [Said("tool", result["text"], call_id=result["call_id"]) for result in results]
        elif row.role in (MessageRole.USER, MessageRole.ASSISTANT):
            own = [call for call in row.tool_calls if call.get("client")]
            calls = tuple(Call(call["id"], call["name"], call["input"]) for call in own)
            spoken.append(Said(row.role, row.content, calls=calls))
    return tuple(spoken)


def _turn(begun: BegunTurn, caller: Caller, agent: Agent, wish: Wish) -> WireTurn:
    collections, problem, briefing, schema = [], "", "", None
    if agent.pk:
        agent, collections, problem = speaking(agent, begun.conversation)
        briefing = words_of(begun.conversation, begun.question.content, caller.user_id)
        schema = schema_of(agent)
        if wish.schema is not None:
            schema = {"title": wish.schema_name, **wish.schema}
            problem = problem or unfit(schema, agent)
    subjects = subjects_of(caller, agent)
    route = Route(agent.model_provider, agent.model_name, agent.integration, agent.timeout)
    terms = terms_of(subjects, *route.key)
    integration = agent.integration
    return WireTurn(
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
        briefing=briefing,
        schema=schema,
        journal=MemoryJournal(None, begun.conversation.pk, []),  # type: ignore[arg-type]
        meter=Meter(caller.scope, subjects, {route.key: terms}, cost_limit(agent)),
    )


def find_model(name: str) -> tuple[Agent, Integration | None]:
    """Return the agent called `name`, or an unsaved one for `<integration>/<model>`.

    Raises:
        UnknownModel: neither exists.
    """
    account, slash, model = name.partition("/")
    if not slash:
        agent = agent_by_name(name, related=["integration"])
        if agent is None:
            raise UnknownModel(name)
        return agent, None
    for row in Integration.objects.all():
        if model and account in (slugify(row.name), row.name, str(row.pk)):
            return _bare(row, model), row
    raise UnknownModel(name)


def _bare(account: Integration, model: str) -> Agent:
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


def answer(exchange: Exchange) -> Outcome:
    """Run the completion and store its result. Call it outside any scope and transaction.

    Raises:
        WishFailed: the completion failed; the failure is stored too.
    """
    return _settled(exchange, None)


def _settled(exchange: Exchange, emit: Any) -> Outcome:
    from conversations.runtime import loop, wire_model

    try:
        with loop.about_turn(exchange.turn):
            text, calls, finish = async_to_sync(wire_model.ask)(exchange, emit)
    except Exception as error:
        failure = wire_model.reason(error)
        exchange.turn.fail(failure.code, failure.message, [])
        raise failure from error
    return _stored(exchange, text, calls, finish)


def _stored(exchange: Exchange, text: str, calls: tuple[Call, ...], finish: str) -> Outcome:
    turn = exchange.turn
    turn.tool_calls += [
        {"id": call.id, "name": call.name, "input": call.arguments, "client": True} for call in calls
    ]
    try:
        content = turn.finish(text, [])
    except DataError as error:
        failure = WishFailed("bad_response", "The model's answer could not be stored.")
        turn.fail(failure.code, failure.message, [])
        raise failure from error
    return Outcome(turn.answer_id, content, calls, finish, exchange.used)


def stream(exchange: Exchange) -> Iterator[Event]:
    """Run the completion in a thread and stream its events, ending with `Outcome` or `WishFailed`.

    Raises:
        TooManyStreams: the process has reached its limit of streams; raised before the first event.
    """
    take_place()
    queue: SimpleQueue[Event] = SimpleQueue()
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_run, exchange, queue), daemon=True, name="exchange")
    try:
        thread.start()
    except BaseException:
        leave_place()
        raise
    give_back()
    return _read(queue)


def _run(exchange: Exchange, queue: "SimpleQueue[Event]") -> None:
    last: Event = WishFailed("internal", "An internal error occurred. The server log has the details.")
    exchange.turn.meter.rest = give_back
    try:
        last = _settled(exchange, queue.put)
    except WishFailed as failure:
        last = failure
    finally:
        give_back()
        leave_place()
        queue.put(last)


def _read(queue: "SimpleQueue[Event]") -> Iterator[Event]:
    while True:
        try:
            event = queue.get(timeout=KEEP_ALIVE_SECONDS)
        except Empty:
            yield Waiting()
            continue
        yield event
        if isinstance(event, Outcome | WishFailed):
            return
