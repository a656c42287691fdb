"""Request bodies in OpenAI's format and their conversion."""

import base64
import binascii
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from conversations.api.parameters import CHAT, CHAT_MESSAGE, CONTENT_PART, FUNCTION, STREAM_OPTIONS
from conversations.api.wire_models import UNSUPPORTED, CompatError, WireModel
from conversations.completions.types import ChatMessage, ClientTool, ImageContent, ToolCall

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
Verbosity = Literal["low", "medium", "high"]
JSON_ONLY = "Answer with a single JSON object and nothing else."


class FunctionParam(WireModel):
    table = FUNCTION

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolParam(WireModel):
    type: Literal["function"]
    function: FunctionParam


class FunctionCallParam(WireModel):
    name: Name
    arguments: str = "{}"


class ToolCallParam(WireModel):
    id: str
    type: Literal["function"] = "function"
    function: FunctionCallParam


class ImageUrl(WireModel):
    url: str
    detail: str | None = None


class FileParam(WireModel):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class ContentPartParam(FileParam):
    table = CONTENT_PART

    type: str
    # Chat completions nest the members of a file.
    file: FileParam | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    detail: str | None = None


class ChatMessageParam(WireModel):
    table = CHAT_MESSAGE

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPartParam] | None = None
    name: str | None = None
    tool_calls: list[ToolCallParam] | None = None
    tool_call_id: str | None = None


class JsonSchema(WireModel):
    name: Name = "answer"
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema", default_factory=dict)
    strict: bool | None = None

    def members(self) -> dict[str, Any]:
        """Return the schema as members of a completion request."""
        return {
            "schema": self.schema_,
            "schema_name": self.name,
            "schema_description": self.description or "",
            "schema_strict": self.strict,
        }


class ResponseFormat(WireModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(WireModel):
    table = STREAM_OPTIONS

    include_usage: bool = False


class NamedFunction(WireModel):
    name: Name


class NamedTool(WireModel):
    type: Literal["function"]
    function: NamedFunction


class Sampling(WireModel):
    """Sampling settings of chat completions and responses."""

    model: Name
    stream: bool | None = False
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    def sampling(self, **further: Any) -> dict[str, Any]:
        """Return the settings of the request that are not null."""
        settings = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "parallel_tool_calls": self.parallel_tool_calls,
            "top_logprobs": self.top_logprobs,
            **further,
        }
        return {name: value for name, value in settings.items() if value is not None}


class ChatRequest(Sampling):
    table = CHAT

    messages: Annotated[list[ChatMessageParam], Field(min_length=1)]
    tools: list[ToolParam] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    response_format: ResponseFormat | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Literal[1] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, int] | None = None
    logprobs: bool | None = None
    reasoning_effort: Effort | None = None
    verbosity: Verbosity | None = None


def to_tool(function: FunctionParam) -> ClientTool:
    """Convert a function to a client tool."""
    schema = function.parameters or {"type": "object", "properties": {}}
    return ClientTool(function.name, function.description or "", schema, function.strict)


def to_chat_message(message: ChatMessageParam) -> ChatMessage:
    """Convert a message of any role."""
    text, images = parse_content(message.content)
    calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ())
    if message.name and message.role != "tool":
        raise CompatError(
            "messages", "Unsupported parameter: 'messages.name'. Name the speaker in the text.", UNSUPPORTED
        )
    if message.role == "tool" and not message.tool_call_id:
        raise CompatError("messages", "A message with the role tool requires `tool_call_id`.")
    if images and message.role != "user":
        raise CompatError("messages", "Only messages with the role user can contain images.")
    return ChatMessage(message.role, text, images, calls, message.tool_call_id or "", message.name or "")


def parse_content(content: str | list[ContentPartParam] | None) -> tuple[str, tuple[ImageContent, ...]]:
    """Return the text and the images of a message."""
    if content is None or isinstance(content, str):
        return content or "", ()
    texts, images = [], []
    for part in content:
        if part.image_url is not None:
            source = part.image_url
            address = source if isinstance(source, str) else source.url
            detail = part.detail if isinstance(source, str) else source.detail
            images.append(replace(parse_image(address), detail=detail or ""))
        elif (part.text if part.text is not None else part.refusal) is not None:
            texts.append(part.text or part.refusal or "")
        else:
            raise CompatError("messages", f"Content of type {part.type} is not supported.")
    return "\n".join(texts), tuple(images)


def parse_image(address: str) -> ImageContent:
    """Decode the image of a data URL; other URLs are not fetched.

    Raises:
        CompatError: the address is not a data URL of a supported image.
    """
    head, comma, data = address.partition(",")
    media_type = head.removeprefix("data:").partition(";")[0]
    if not comma or not head.endswith(";base64") or media_type not in IMAGES:
        raise CompatError("messages", f"Send images as data URLs of one of these types: {', '.join(IMAGES)}.")
    try:
        return ImageContent(base64.b64decode(data, validate=True), media_type)
    except binascii.Error:
        raise CompatError("messages", "The image is not valid base64.") from None
