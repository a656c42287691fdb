"""Answers of several agents to one message.

In multi mode the agents answer independently; in collaborative mode each builds on the answers before it.
"""

import contextvars
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from conversations.models import Message
from conversations.runtime.connections import give_back
from conversations.runtime.keeper import keeper
from conversations.runtime.loop import run_turn
from conversations.runtime.streaming import Event, follow_answer, leave_place, take_place
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import BegunTurn


def run_round(begun: Sequence[BegunTurn], caller: Caller, *, is_streamed: bool = False) -> list[Message]:
    """Run the agents one after the other. Call it outside any scope.

    All leases are renewed from the start, so no other process takes over an answer that has not started.
    """
    answers = []
    with ExitStack() as stack:
        for each in begun:
            stack.enter_context(keeper.holding(each.lease))
        for each in begun:
            with caller.scope():
                turn = load_turn(each, caller)
            if is_streamed:
                turn.between = give_back
                turn.show()
            answers.append(run_turn(turn))
    return answers


def stream_round(begun: Sequence[BegunTurn], caller: Caller) -> Iterator[tuple[BegunTurn, Event]]:
    """Run the agents in a thread and stream their events in order.

    Raises:
        TooManyStreams: the process has reached its limit of streams; raised before the first event.
    """
    take_place()

    def run() -> None:
        try:
            run_round(begun, caller, is_streamed=True)
        finally:
            give_back()
            leave_place()

    try:
        threading.Thread(
            target=contextvars.copy_context().run, args=(run,), daemon=True, name="round"
        ).start()
    except BaseException:
        leave_place()
        raise
    return _followed(begun, caller)


def _followed(begun: Sequence[BegunTurn], caller: Caller) -> Iterator[tuple[BegunTurn, Event]]:
    for each in begun:
        for event in follow_answer(caller, each.conversation.pk, each.answer.pk):
            yield each, event
