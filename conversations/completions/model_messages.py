"""Conversion of the client's messages to Pydantic AI's.

Import this module lazily: it imports Pydantic AI, which takes seconds.
"""

from typing import Any

from pydantic_ai import TextPart, ToolCallPart
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolReturnPart,
    UserPromptPart,
)

from conversations.completions.types import ChatMessage, CompletionRequest, ImageContent


def to_model_messages(request: CompletionRequest) -> list[ModelMessage]:
    """Convert the client's messages; merge adjacent user and tool messages into one request."""
    names = {call.id: call.name for message in request.messages for call in message.calls}
    messages: list[ModelMessage] = []
    for message in request.messages:
        if message.role == "assistant":
            messages.append(_to_model_response(message))
        elif messages and isinstance(messages[-1], ModelRequest):
            messages[-1] = ModelRequest(parts=[*messages[-1].parts, _to_request_part(message, names)])
        else:
            messages.append(ModelRequest(parts=[_to_request_part(message, names)]))
    return messages


def add_instructions(messages: list[ModelMessage], request: CompletionRequest) -> list[ModelMessage]:
    """Put the client's instructions on the last request, where the model reads them."""
    if request.instructions and messages and isinstance(messages[-1], ModelRequest):
        messages[-1] = ModelRequest(parts=messages[-1].parts, instructions=request.instructions)
    return messages


def _to_model_response(message: ChatMessage) -> ModelResponse:
    parts: list[Any] = [TextPart(message.text)] if message.text else []
    parts += [ToolCallPart(call.name, call.arguments, call.id) for call in message.calls]
    return ModelResponse(parts=parts)


def _to_request_part(message: ChatMessage, names: dict[str, str]) -> Any:
    if message.role == "tool":
        return ToolReturnPart(
            message.name or names.get(message.call_id, "tool"),
            message.text,
            message.call_id,
            outcome="failed" if message.is_error else "success",
        )
    if not message.images:
        return UserPromptPart(message.text)
    images = [_to_binary_content(image) for image in message.images]
    return UserPromptPart([message.text, *images] if message.text else images)


def _to_binary_content(image: ImageContent) -> BinaryContent:
    metadata = {"detail": image.detail} if image.detail else None
    return BinaryContent(image.data, media_type=image.media_type, vendor_metadata=metadata)
