"""Questions of the compatible endpoints, answered once per Idempotency-Key."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from uuid import UUID

from config.api.exceptions import Conflict
from config.api.idempotency import IdempotentRequest, RequestInProgress, ResumableResponse
from config.tenancy.concurrency import Place
from conversations.choices import MessageStatus
from conversations.completions.answers import CompletionStream, run_completion, start_stream
from conversations.completions.records import STORE
from conversations.completions.stored_answers import load_completion
from conversations.completions.turns import CompletionTurn, begin_completion
from conversations.completions.types import (
    Completion,
    CompletionError,
    CompletionRequest,
    build_deltas,
)
from conversations.models import Message
from conversations.runtime.turns import Caller
from conversations.streaming.threads import acquire_place


@dataclass(frozen=True, slots=True)
class CompletionResponse(ResumableResponse[CompletionTurn]):
    """The response to a completion request.

    Its reference names the conversation and the answer.

    Attributes:
        after: the previous answer, to continue its conversation.
        place: the place of the stream, if the answer is streamed.
    """

    caller: Caller
    request: CompletionRequest
    respond: Callable[[Completion], Any]
    respond_streamed: Callable[[CompletionStream], Any] | None = None
    after: Message | None = None
    place: Place | None = None

    def begin(self) -> CompletionTurn:
        """Store the question and load the turn."""
        return begin_completion(self.request, self.caller, after=self.after)

    def describe(self, begun: CompletionTurn) -> dict[str, Any]:
        """Return the ids of the conversation and the pending answer."""
        return {"conversation": str(begun.context.conversation_id), "answer": str(begun.context.answer_id)}

    def finish(self, begun: CompletionTurn) -> Any:
        """Answer the request.

        Raises:
            CompletionError: the completion failed.
        """
        if self.respond_streamed and self.place:
            return self.respond_streamed(start_stream(begun, self.place.transfer()))
        return self.respond(run_completion(begun))

    def resume(self, reference: dict[str, Any]) -> Any:
        """Return the stored answer of an earlier request.

        Raises:
            RequestInProgress: the answer is pending.
            CompletionError: the answer failed.
            Conflict: the answer was deleted, or the client asked not to store it.
        """
        with self.caller.scope():
            completion = _load_answer(reference)
        if self.respond_streamed:
            events = chain(build_deltas(completion.text, completion.calls), [completion])
            return self.respond_streamed(CompletionStream(completion.answer_id, events))
        return self.respond(completion)

    def can_resume(self, reference: dict[str, Any]) -> bool:
        """Return whether the answer is complete or pending."""
        return _find(reference, reference["answer"]).exclude(status=MessageStatus.FAILED).exists()


def answer_completion(once: IdempotentRequest, response: CompletionResponse) -> Any:
    """Return the response, stored under the request's Idempotency-Key. Call it outside any scope.

    Raises:
        CompletionError: the completion failed; the failure is stored too.
        ConcurrencyLimitError: the tenant or the process has its maximum number of streams or model requests.
        RequestInProgress: an earlier request with the key has no answer yet.

    Also raises the exceptions of `begin_completion`.
    """
    caller, is_streamed = response.caller, response.respond_streamed is not None
    with acquire_place(caller.tenant_id, is_streamed=is_streamed) as place:
        return once.run_in_steps(caller.scope, replace(response, place=place))


def _find(reference: dict[str, Any], message_id: UUID | str | None) -> Any:
    conversation_id = UUID(reference["conversation"])
    return Message.objects.created_after_id(conversation_id).filter(
        conversation_id=conversation_id, pk=message_id
    )


def _load_answer(reference: dict[str, Any]) -> Completion:
    answer = _find(reference, reference["answer"]).first()
    question = _find(reference, answer.reply_to_id).first() if answer else None
    if answer is not None and answer.status == MessageStatus.PENDING:
        raise RequestInProgress
    if answer is not None and answer.status == MessageStatus.FAILED:
        raise CompletionError(answer.error_code, answer.error_message)
    if question is None or question.metadata.get(STORE) is False:
        raise Conflict("The answer of the first request with this Idempotency-Key is not stored.")
    return load_completion(answer)
