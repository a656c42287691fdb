"""The use case of the native API: store a question, run its agents and store their answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from uuid import UUID

from config.api.idempotency import IdempotentRequest, RequestInProgress, ResumableResponse
from config.tenancy.concurrency import Place
from conversations.choices import MessageStatus
from conversations.models import Conversation, Message
from conversations.runtime.loop import run_turn
from conversations.runtime.recovery import defer_resume
from conversations.runtime.turns import Caller, TurnContext, load_turn
from conversations.services.conversations import BegunTurn
from conversations.services.leases import is_due
from conversations.streaming.answers import AnswerEvent, stream_turn
from conversations.streaming.multi_agent import follow_answers, run_agents, stream_agents
from conversations.streaming.threads import FollowedStream, acquire_place

# The conversation and its pending answers; none if only the question is stored.
BegunAnswers = tuple[Conversation, Sequence[BegunTurn]]
# The same with the loaded turn of a single agent.
LoadedAnswers = tuple[Conversation, Sequence[BegunTurn], TurnContext | None]
# Events with the answer they belong to; None starts an answer.
AnswerEvents = Iterator[tuple[Message, AnswerEvent | None]]


def answer_message(
    caller: Caller,
    once: IdempotentRequest,
    begin: Callable[[], BegunAnswers],
    respond: Callable[[Conversation, list[Message]], Any],
    *,
    respond_streamed: Callable[[AnswerEvents], Any] | None = None,
    runs_agents: bool = True,
) -> Any:
    """Store a question, run its agents and store the response under the request's Idempotency-Key.

    Call it outside any scope.

    Args:
        begin: stores the question and its pending answers, in the transaction that claims the key.
        respond: returns the response with the ended answers.
        respond_streamed: returns the response with the events of the running answers, which is not stored: a
            repeated request follows the same answers. Without it the answers are awaited.
        runs_agents: False if `begin` returns no pending answers.

    Raises:
        RequestInProgress: an earlier request with the key has no answer yet.
        ConcurrencyLimitError: too many answers are in progress; nothing is stored.
        Message.DoesNotExist: the conversation was deleted in the meantime.
    """
    response = AnswerResponse(caller, begin, respond, respond_streamed)
    if not runs_agents:
        return once.run_in_steps(caller.scope, response)
    with acquire_place(caller.tenant_id, is_streamed=respond_streamed is not None) as place:
        return once.run_in_steps(caller.scope, replace(response, place=place))


@dataclass(frozen=True, slots=True)
class AnswerResponse(ResumableResponse[LoadedAnswers]):
    """The response to a question.

    Its reference names the conversation and its answers.
    """

    caller: Caller
    store_question: Callable[[], BegunAnswers]
    respond: Callable[[Conversation, list[Message]], Any]
    respond_streamed: Callable[[AnswerEvents], Any] | None = None
    # The place of the stream, if the answers are streamed.
    place: Place | None = None

    def begin(self) -> LoadedAnswers:
        """Store the question and load the turn of a single agent."""
        conversation, messages = self.store_question()
        # With several agents, each turn is loaded after the previous one has ended.
        return conversation, messages, load_turn(messages[0], self.caller) if len(messages) == 1 else None

    def describe(self, begun: LoadedAnswers) -> dict[str, Any]:
        """Return the ids of the conversation and the pending answers."""
        conversation, messages, _ = begun
        return {"conversation": str(conversation.pk), "answers": [str(each.answer.pk) for each in messages]}

    def finish(self, begun: LoadedAnswers) -> Any:
        """Run the agents."""
        conversation, messages, turn = begun
        if messages and self.respond_streamed and self.place:
            place = self.place.transfer()
            single = turn and stream_answer(messages[0].answer, turn, place)
            return self.respond_streamed(single or stream_agents(messages, self.caller, place))
        return self.respond(conversation, [run_turn(turn)] if turn else run_agents(messages, self.caller))

    def resume(self, reference: dict[str, Any]) -> Any:
        """Return the response with the answers that another process completes.

        Raises:
            RequestInProgress: an answer is pending. A worker takes over if its process died.
            Message.DoesNotExist: the conversation was deleted in the meantime.
        """
        with self.caller.scope():
            conversation = (
                Conversation.objects.visible_to(self.caller.user_id)
                .filter(pk=reference["conversation"])
                .first()
            )
            answers = _list_answers(reference)
            if conversation is None or len(answers) < len(reference["answers"]):
                raise Message.DoesNotExist
            pending = [answer for answer in answers if answer.status == MessageStatus.PENDING]
            for answer in pending:
                # The reader of a stream starts the takeover itself.
                if not self.respond_streamed and is_due(answer.pk):
                    defer_resume(self.caller.tenant_id, answer.pk)
        if answers and self.respond_streamed and self.place:
            response = self.respond_streamed(follow_answers(answers, self.caller))
            response.streaming_content = FollowedStream(response.streaming_content, self.place.transfer())
            return response
        if pending:
            raise RequestInProgress
        return self.respond(conversation, answers)

    def can_resume(self, reference: dict[str, Any]) -> bool:
        """Return whether an answer is complete or pending.

        A question without answers needs its conversation.
        """
        if not reference["answers"]:
            return Conversation.objects.filter(pk=reference["conversation"]).exists()
        return any(answer.status != MessageStatus.FAILED for answer in _list_answers(reference))


def _list_answers(reference: dict[str, Any]) -> list[Message]:
    messages = Message.objects.created_after_id(UUID(reference["conversation"]))
    return list(messages.filter(pk__in=reference["answers"]).order_by("sequence_number"))


def stream_answer(answer: Message, turn: TurnContext, place: Place) -> AnswerEvents:
    """Run a single agent and stream its events.

    The place is released when the turn ends.
    """
    events = stream_turn(turn, place)
    return ((answer, event) for event in chain([None], events))
