"""Threads: conversations whose earlier messages the server keeps, so that clients send only the new ones."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.api.exceptions import Problem
from conversations.api.wire_models import CompatError, validate_schema
from conversations.completions.history import find_stored_answer, load_chat_history
from conversations.completions.records import THREAD
from conversations.completions.types import ChatMessage
from conversations.models import Message

from .schemas import ContinueThreadParam, MessagesRequest

PREFIX = "msg_"
# Members that are set when a thread is created and apply to all its turns.
CREATE_ONLY = ("system", "tools")


@dataclass(frozen=True, slots=True)
class ThreadTurn:
    """A request of a thread with the members of its creation, and the turns before it."""

    request: MessagesRequest
    record: dict[str, Any]
    history: tuple[ChatMessage, ...] = ()
    previous: Message | None = None


class ThreadNotFoundError(Problem):
    status_code = 404
    default_code = "thread_not_found"

    def __init__(self, identifier: str) -> None:
        super().__init__(
            f"No thread found for previous_message_id '{identifier}'. Create a thread with the whole conversation.",
            parameter="thread.previous_message_id",
        )


def load_thread_turn(body: MessagesRequest, user_id: UUID) -> ThreadTurn:
    """Return the request completed by its thread, in the open scope.

    Raises:
        ThreadNotFoundError: the previous message does not exist or belongs to no thread.
        CompatError: the request changes what the thread's creation set.
    """
    given = body.model_dump(include=set(CREATE_ONLY), exclude_unset=True, by_alias=True)
    if not isinstance(body.thread, ContinueThreadParam):
        return ThreadTurn(body, {THREAD: given} if body.thread else {})
    identifier = body.thread.previous_message_id
    found = _find_turn(identifier, user_id)
    if found is None or THREAD not in found[0].metadata:
        raise ThreadNotFoundError(identifier)
    question, answer = found
    created = question.metadata[THREAD]
    for name in CREATE_ONLY:
        if name in given and given[name] != created.get(name):
            raise CompatError(name, f"{name} cannot change in a thread.", "thread_fingerprint_mismatch")
    request = validate_schema(MessagesRequest, body.model_dump(exclude_unset=True, by_alias=True) | created)
    return ThreadTurn(request, {THREAD: created}, load_chat_history(answer), answer)


def _find_turn(identifier: str, user_id: UUID) -> tuple[Message, Message] | None:
    try:
        return find_stored_answer(UUID(identifier.removeprefix(PREFIX)), user_id)
    except ValueError:
        return None
