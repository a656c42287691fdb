"""Members of a completion request that are stored with its question.

They serve to continue or retrieve it later.
"""

import base64
from typing import Any

from conversations.completions.types import ChatMessage, ImageContent, ToolCall

# Keys of the question's metadata: the messages of the turn if its text does not represent them, the previous answer,
# the members of a response or a thread that later requests need, and `False` for a question that is not stored.
INPUT, AFTER, RESPONSE, THREAD, STORE = "input", "after", "response", "thread", "store"
# Key of the answer's metadata: the finish reason of an incomplete answer.
FINISH = "finish_reason"


def dump_message(message: ChatMessage) -> dict[str, Any]:
    """Return the message as JSON, without empty members."""
    members = {
        "role": message.role,
        "text": message.text,
        "images": [
            {
                "data": base64.b64encode(image.data).decode(),
                "media_type": image.media_type,
                "detail": image.detail,
            }
            for image in message.images
        ],
        "calls": [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.calls],
        "call_id": message.call_id,
        "name": message.name,
        "is_error": message.is_error,
    }
    return {name: value for name, value in members.items() if value}


def load_message(stored: dict[str, Any]) -> ChatMessage:
    """Return the message that `dump_message` stored."""
    images = [
        ImageContent(base64.b64decode(image["data"]), image["media_type"], image["detail"])
        for image in stored.get("images", ())
    ]
    calls = tuple(ToolCall(**call) for call in stored.get("calls", ()))
    plain = {name: value for name, value in stored.items() if name not in ("images", "calls")}
    return ChatMessage(**plain, images=tuple(images), calls=calls)


def dump_turn(messages: tuple[ChatMessage, ...]) -> dict[str, Any]:
    """Return the metadata that represents the messages of a turn.

    It is empty for a single text of the user.
    """
    only = messages[0] if len(messages) == 1 else None
    if only and only.role == "user" and not only.images:
        return {}
    return {INPUT: [dump_message(message) for message in messages]}
