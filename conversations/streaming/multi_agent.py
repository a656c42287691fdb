"""Answers of several agents to one message.

In multi mode the agents answer independently; in collaborative mode each builds on the answers before it.
"""

import contextvars
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from conversations.models import Message
from conversations.runtime.connections import release_connections
from conversations.runtime.lease_renewal import lease_renewer
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import BegunTurn
from conversations.streaming.answers import (
    AnswerEvent,
    acquire_stream_slot,
    follow_answer,
    release_stream_slot,
)


def run_agents(begun: Sequence[BegunTurn], caller: Caller, *, is_streamed: bool = False) -> list[Message]:
    """Run the agents one after the other. Call it outside any scope.

    All leases are renewed from the start, so no other process takes over an answer that has not started.
    """
    answers = []
    with ExitStack() as stack:
        for each in begun:
            stack.enter_context(lease_renewer.renewing(each.lease))
        for each in begun:
            with caller.scope():
                turn = load_turn(each, caller)
            if is_streamed:
                turn.before_request = release_connections
                turn.show()
            answers.append(run_turn(turn))
    return answers


def stream_agents(begun: Sequence[BegunTurn], caller: Caller) -> Iterator[tuple[BegunTurn, AnswerEvent]]:
    """Run the agents in a thread and stream their events in order.

    Raises:
        TooManyStreamsError: the process has reached its limit of streams; raised before the first event.
    """
    acquire_stream_slot()

    def run() -> None:
        try:
            run_agents(begun, caller, is_streamed=True)
        finally:
            release_connections()
            release_stream_slot()

    try:
        threading.Thread(
            target=contextvars.copy_context().run, args=(run,), daemon=True, name="round"
        ).start()
    except BaseException:
        release_stream_slot()
        raise
    return _follow_agents(begun, caller)


def _follow_agents(begun: Sequence[BegunTurn], caller: Caller) -> Iterator[tuple[BegunTurn, AnswerEvent]]:
    for each in begun:
        for event in follow_answer(caller, each.conversation.pk, each.answer.pk):
            yield each, event
