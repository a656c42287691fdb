"""Answers of several agents to one message.

In multi mode the agents answer independently; in collaborative mode each builds on the answers before it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from config.tenancy.concurrency import Place
from conversations.models import Message
from conversations.runtime.lease_renewal import lease_renewer
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, load_turn, with_stream_buffer
from conversations.services.conversations import BegunTurn
from conversations.streaming.answers import AnswerEvent, follow_answer
from conversations.streaming.threads import run_in_stream_thread


def run_agents(begun: Sequence[BegunTurn], caller: Caller, *, is_streamed: bool = False) -> list[Message]:
    """Run the agents one after the other. Call it outside any scope.

    All leases are renewed from the start, so no other process takes over an answer that has not started.
    """
    answers = []
    with ExitStack() as stack:
        for each in begun:
            stack.enter_context(lease_renewer.renewing(each.held_lease))
        for each in begun:
            with caller.scope():
                turn = load_turn(each, caller)
            if is_streamed:
                turn = with_stream_buffer(turn)
            answers.append(run_turn(turn))
    return answers


def stream_agents(
    begun: Sequence[BegunTurn], caller: Caller, place: Place
) -> Iterator[tuple[Message, AnswerEvent | None]]:
    """Run the agents in a thread and stream their events in order; the first of each agent is None.

    Args:
        place: the place of the stream, released when the last agent ends.
    """
    run_in_stream_thread(lambda: run_agents(begun, caller, is_streamed=True), place=place, name="round")
    return follow_answers([each.answer for each in begun], caller)


def follow_answers(
    answers: Sequence[Message], caller: Caller
) -> Iterator[tuple[Message, AnswerEvent | None]]:
    """Stream the events of answers of any process in order.

    The first event of each answer is None.
    """
    for answer in answers:
        yield answer, None
        for event in follow_answer(caller, answer.conversation_id, answer.pk):
            yield answer, event
