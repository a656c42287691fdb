"""The use case of the native API: store a question, run its agents and store their answers."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from config.api.idempotency import IdempotentRequest
from conversations.models import Conversation, Message
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, TurnContext, load_turn
from conversations.services.conversations import BegunTurn
from conversations.streaming.answers import AnswerEvent, stream_turn
from conversations.streaming.multi_agent import run_agents, stream_agents

# The conversation and its pending answers; none if only the question is stored.
BegunAnswers = tuple[Conversation, Sequence[BegunTurn]]
# Events with the answer they belong to; None starts an answer.
AnswerEvents = Iterator[tuple[Message, AnswerEvent | None]]


def answer_message(
    caller: Caller,
    once: IdempotentRequest,
    begin: Callable[[], BegunAnswers],
    respond: Callable[[Conversation, list[Message]], Any],
    *,
    respond_streamed: Callable[[AnswerEvents], Any] | None = None,
) -> Any:
    """Store a question, run its agents and store the response under the request's Idempotency-Key.

    Call it outside any scope.

    Args:
        begin: stores the question and its pending answers, in the transaction that claims the key.
        respond: returns the response with the ended answers.
        respond_streamed: returns the response with the events of the running answers, which is not stored. Without
            it the answers are awaited.

    Raises:
        TooManyStreamsError: the process has reached its limit of streams; the answers are stored as failed.
        Message.DoesNotExist: the conversation was deleted in the meantime.
    """

    def load() -> tuple[Conversation, Sequence[BegunTurn], TurnContext | None]:
        conversation, messages = begin()
        # With several agents, each turn is loaded after the previous one has ended.
        return conversation, messages, load_turn(messages[0], caller) if len(messages) == 1 else None

    def run(loaded: tuple[Conversation, Sequence[BegunTurn], TurnContext | None]) -> Any:
        conversation, messages, turn = loaded
        if messages and respond_streamed:
            return respond_streamed(
                stream_answer(messages[0].answer, turn) if turn else stream_agents(messages, caller)
            )
        return respond(conversation, [run_turn(turn)] if turn else run_agents(messages, caller))

    return once.run_in_steps(caller.scope, load, run)


def stream_answer(answer: Message, turn: TurnContext) -> AnswerEvents:
    """Run a single agent and stream its events.

    Raises:
        TooManyStreamsError: the process has reached its limit of streams; the answer is stored as failed.
    """
    events = stream_turn(turn)
    return ((answer, event) for event in chain([None], events))
