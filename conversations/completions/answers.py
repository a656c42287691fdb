"""Use cases of the compatible endpoints: store a question, run the model and store the answer.

No transaction is open during a request to a model. The client waits on its connection, so a completion is not
resumed when its process dies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from queue import Empty, SimpleQueue
from uuid import UUID

from asgiref.sync import async_to_sync
from django.db import DataError

from agents.runtime.concurrency import model_requests
from config.db.connections import release_connections
from config.serving.threads import outside_pool
from config.tenancy.concurrency import Place
from conversations.completions.results import store_completion, store_completion_error
from conversations.completions.turns import CompletionTurn, begin_completion
from conversations.completions.types import (
    Completion,
    CompletionError,
    CompletionEvent,
    CompletionRequest,
    EmitEvent,
    TokenUsage,
)
from conversations.models import Message
from conversations.runtime.stream_buffer import KeepAlive
from conversations.runtime.turns import Caller
from conversations.streaming.answers import KEEP_ALIVE_SECONDS
from conversations.streaming.threads import open_stream, run_in_stream_thread


@dataclass(frozen=True, slots=True)
class CompletionStream:
    """The events of a streamed completion, ending with `Completion` or `CompletionError`."""

    answer_id: UUID
    events: Iterator[CompletionEvent]


def complete(request: CompletionRequest, caller: Caller, *, after: Message | None = None) -> Completion:
    """Answer the request and return the stored answer. Call it outside any scope.

    Raises:
        CompletionError: the completion failed; the failure is stored too.
        ConcurrencyLimitError: the tenant or the process waits for its maximum number of model responses.

    Also raises the exceptions of `begin_completion`.
    """
    with model_requests.acquire(caller.tenant_id):
        with caller.scope():
            turn = begin_completion(request, caller, after=after)
        return _run(turn, None)


def stream_completion(
    request: CompletionRequest, caller: Caller, *, after: Message | None = None
) -> CompletionStream:
    """Answer the request in a thread and return its events, the first of which has already arrived.

    Raises:
        ConcurrencyLimitError: the tenant or the process has its maximum number of streams.
        CompletionError: the completion failed before its first event.

    Also raises the exceptions of `begin_completion`.
    """
    queue: SimpleQueue[CompletionEvent] = SimpleQueue()
    with open_stream(caller.tenant_id) as place:
        with caller.scope():
            turn = begin_completion(request, caller, after=after)
        _start_thread(turn, queue, place.transfer())
    release_connections()
    events = _read_queue(queue)
    with outside_pool():
        first = next(events)
    if isinstance(first, CompletionError):
        raise first
    return CompletionStream(turn.context.answer_id, chain([first], events))


def _run(turn: CompletionTurn, emit: EmitEvent | None) -> Completion:
    from conversations.completions import models
    from conversations.runtime import loop

    try:
        with loop.bind_turn_context(turn.context), outside_pool():
            answer = async_to_sync(models.request_completion)(turn, emit)
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
            last = _run(turn, queue.put)
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
