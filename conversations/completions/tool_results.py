"""Tool results in the client's messages, and the calls they answer."""

from collections.abc import Iterable

from conversations.completions.types import ChatMessage


def find_unexpected_result(messages: Iterable[ChatMessage]) -> str | None:
    """Return the id of the first tool result without an unanswered call before it."""
    unanswered: set[str] = set()
    for message in messages:
        if message.role != "tool":
            unanswered.update(call.id for call in message.calls)
        elif message.call_id in unanswered:
            unanswered.remove(message.call_id)
        else:
            return message.call_id
    return None
