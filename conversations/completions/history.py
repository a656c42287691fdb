"""The earlier turns of a stored conversation, for requests that continue it."""

from collections.abc import Iterator
from uuid import UUID

from conversations.choices import MessageRole
from conversations.completions.records import AFTER, INPUT, STORE, load_message
from conversations.completions.types import ChatMessage, ToolCall
from conversations.models import Message
from conversations.services.completions import find_answer, list_messages_until

# Metadata key of a tool message: the result of each call.
TOOL_RESULTS = "results"


def find_stored_answer(identifier: UUID, user_id: UUID) -> tuple[Message, Message] | None:
    """Return the question and the answer with this id, or None.

    The result is None also if the client asked not to store them.
    """
    answer = find_answer(identifier, user_id)
    if answer is None:
        return None
    rows = Message.objects.created_after_id(answer.conversation_id)
    question = rows.filter(conversation_id=answer.conversation_id, pk=answer.reply_to_id).first()
    if question is None or question.metadata.get(STORE) is False:
        return None
    return question, answer


def load_chat_history(answer: Message) -> tuple[ChatMessage, ...]:
    """Return the chat messages up to `answer`, in the open scope."""
    rows = {row.pk: row for row in list_messages_until(answer)}
    return tuple(message for row in _follow_turns(answer, rows) for message in to_chat_messages(row))


def _follow_turns(answer: Message, rows: dict[UUID, Message]) -> list[Message]:
    """Return the questions and answers that led to `answer`, without other branches and failed turns."""
    turns: list[Message] = []
    current: Message | None = rows.get(answer.pk)
    while current is not None:
        question = rows.get(current.reply_to_id) if current.reply_to_id else None
        if question is None or question.metadata.get(STORE) is not False:
            turns[:0] = [question, current] if question else [current]
        after = question.metadata.get(AFTER) if question else None
        if question and after is None:
            # The first turn, or a conversation whose turns do not record what they continue.
            earlier = [row for row in rows.values() if row.sequence_number < question.sequence_number]
            turns[:0] = [row for row in earlier if row.metadata.get(STORE) is not False]
        current = rows.get(UUID(after)) if after else None
    return turns


def to_chat_messages(row: Message) -> Iterator[ChatMessage]:
    """Yield the chat messages that a stored message represents."""
    results = row.metadata.get(TOOL_RESULTS) if row.role == MessageRole.TOOL else None
    if row.metadata.get(INPUT):
        yield from map(load_message, row.metadata[INPUT])
    elif results:
        for result in results:
            yield ChatMessage("tool", result["text"], call_id=result["call_id"])
    elif row.role in (MessageRole.USER, MessageRole.ASSISTANT):
        own = [call for call in row.tool_calls if call.get("client")]
        calls = tuple(ToolCall(call["id"], call["name"], call["input"]) for call in own)
        yield ChatMessage(row.role, row.content, calls=calls)
