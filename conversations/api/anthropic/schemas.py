"""Request bodies in Anthropic's format and their conversion to completion requests."""

import base64
import binascii
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from conversations.api.compat import CompatError
from conversations.completions.types import ChatMessage, ClientTool, CompletionRequest, ImageContent, ToolCall

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ImageSourceParam(BaseModel):
    type: str
    media_type: str = ""
    data: str = ""


class ContentBlockParam(BaseModel):
    type: str
    text: str | None = None
    source: ImageSourceParam | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: "str | list[ContentBlockParam] | None" = None


class MessageParam(BaseModel):
    role: Literal["user", "assistant"]
    content: str | list[ContentBlockParam]


class ToolParam(BaseModel):
    type: Literal["custom"] | None = None
    name: Name
    description: str | None = None
    input_schema: dict[str, Any]


class ToolChoiceParam(BaseModel):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class CountRequest(BaseModel):
    model: Name
    messages: Annotated[list[MessageParam], Field(min_length=1)]
    system: str | list[ContentBlockParam] | None = None
    tools: list[ToolParam] | None = None
    tool_choice: ToolChoiceParam | None = None


class MessagesRequest(CountRequest):
    max_tokens: Annotated[int, Field(ge=1)]
    stream: bool | None = False
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop_sequences: list[str] | None = None
    metadata: dict[str, Any] | None = None


def to_completion_request(asked: CountRequest) -> CompletionRequest:
    """Convert the request to a completion request."""
    messages = tuple(part for message in asked.messages for part in to_chat_messages(message))
    if messages[-1].role == "assistant":
        raise CompatError("messages", "The last message must come from the user.")
    chosen = asked.tool_choice
    choice = {"any": "required", "tool": (chosen.name if chosen else "") or ""}.get(
        chosen.type if chosen else ""
    )
    origin = {"source": "anthropic.messages", "model": asked.model}
    return CompletionRequest(
        model=asked.model,
        messages=messages,
        instructions=parse_text(asked.system),
        tools=tuple(
            ClientTool(tool.name, tool.description or "", tool.input_schema) for tool in asked.tools or ()
        ),
        choice=choice or (chosen.type if chosen else "auto"),
        settings=_settings(asked) if isinstance(asked, MessagesRequest) else {},
        origin={**origin, "client_metadata": getattr(asked, "metadata", None) or {}},
    )


def _settings(asked: MessagesRequest) -> dict[str, Any]:
    one = asked.tool_choice and asked.tool_choice.disable_parallel_tool_use
    settings = {
        "max_tokens": asked.max_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "stop_sequences": asked.stop_sequences,
        "parallel_tool_calls": False if one else None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def to_chat_messages(message: MessageParam) -> list[ChatMessage]:
    """Convert a message to one or more; tool results are blocks of user messages."""
    if isinstance(message.content, str):
        return [ChatMessage(message.role, message.content)]
    messages, texts, images, calls = list[ChatMessage](), list[str](), list[ImageContent](), list[ToolCall]()
    for block in message.content:
        if block.type == "text":
            texts.append(block.text or "")
        elif block.type == "image" and block.source:
            images.append(_parse_image(block.source))
        elif block.type == "tool_use" and block.id and block.name:
            calls.append(ToolCall(block.id, block.name, json.dumps(block.input or {})))
        elif block.type == "tool_result" and block.tool_use_id:
            messages.append(ChatMessage("tool", parse_text(block.content), call_id=block.tool_use_id))
        elif block.type not in ("thinking", "redacted_thinking"):
            raise CompatError(
                "messages", f"A content block of type {block.type} is unsupported or incomplete."
            )
    if texts or images or calls or not messages:
        messages.append(ChatMessage(message.role, "\n".join(texts), tuple(images), tuple(calls)))
    return messages


def parse_text(content: str | list[ContentBlockParam] | None) -> str:
    """Return the text of the blocks."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(block.text or "" for block in content)


def _parse_image(source: ImageSourceParam) -> ImageContent:
    if source.type != "base64" or not source.media_type.startswith("image/"):
        raise CompatError("messages", "Image URLs are not supported. Send images as base64.")
    try:
        return ImageContent(base64.b64decode(source.data, validate=True), source.media_type)
    except binascii.Error:
        raise CompatError("messages", "The image is not valid base64.") from None
