"""Answers of the compatible endpoints: run the model and store the answer.

No transaction is open during a request to a model. The client waits on its connection, so a completion is not
resumed when its process dies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from queue import Empty, SimpleQueue
from uuid import UUID

from django.db import DataError

from agents.runtime.event_loop import run_in_event_loop
from config.db.connections import release_connections
from config.serving.threads import outside_pool
from config.tenancy.concurrency import Place
from conversations.completions.results import store_completion, store_completion_error
from conversations.completions.turns import CompletionTurn
from conversations.completions.types import (
    Completion,
    CompletionError,
    CompletionEvent,
    EmitEvent,
    TokenUsage,
)
from conversations.runtime.stream_buffer import KeepAlive
from conversations.streaming.answers import KEEP_ALIVE_SECONDS
from conversations.streaming.threads import run_in_stream_thread


@dataclass(frozen=True, slots=True)
class CompletionStream:
    """The events of a streamed completion, ending with `Completion` or `CompletionError`."""

    answer_id: UUID
    events: Iterator[CompletionEvent]


def start_stream(turn: CompletionTurn, place: Place) -> CompletionStream:
    """Answer the request in a thread and return its events, the first of which has already arrived.

    Args:
        place: the place of the stream, which is released when the thread ends.

    Raises:
        CompletionError: the completion failed before its first event.
    """
    queue: SimpleQueue[CompletionEvent] = SimpleQueue()
    _start_thread(turn, queue, place)
    release_connections()
    events = _read_queue(queue)
    with outside_pool():
        first = next(events)
    if isinstance(first, CompletionError):
        raise first
    return CompletionStream(turn.context.answer_id, chain([first], events))


def run_completion(turn: CompletionTurn, emit: EmitEvent | None = None) -> Completion:
    """Run the model or the agent, and store and return the answer.

    Call it outside any scope.

    Raises:
        CompletionError: the completion failed; the failure is stored too.
    """
    from conversations.completions import models
    from conversations.runtime import loop

    try:
        with loop.bind_turn_context(turn.context):
            answer = run_in_event_loop(models.request_completion, turn, emit)
    except Exception as error:
        failure = models.to_completion_error(error)
        store_completion_error(turn, failure)
        raise failure from error
    turn.context.journal.tool_calls += [
        {"id": call.id, "name": call.name, "input": call.arguments, "client": True} for call in answer.calls
    ]
    try:
        content = store_completion(turn, answer.text, answer.finish)
    except DataError as error:
        failure = CompletionError("bad_response", "The model's answer could not be stored.")
        store_completion_error(turn, failure)
        raise failure from error
    requests = turn.context.meter.calls
    used = TokenUsage(
        sum(call.input_tokens for call in requests), sum(call.output_tokens for call in requests)
    )
    return Completion(turn.context.answer_id, content, answer.calls, answer.finish, used, answer.logprobs)


def _start_thread(turn: CompletionTurn, queue: "SimpleQueue[CompletionEvent]", place: Place) -> None:
    """Run the completion in a thread that puts its events into `queue`."""
    last: CompletionEvent = CompletionError(
        "internal", "An internal error occurred. The server log has the details."
    )

    def run() -> None:
        nonlocal last
        try:
            last = run_completion(turn, queue.put)
        except CompletionError as failure:
            last = failure

    run_in_stream_thread(run, place=place, name="completion", at_end=lambda: queue.put(last))


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
