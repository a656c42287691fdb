"""Request bodies in OpenAI's format and their conversion. Members without effect are ignored."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from conversations.api.compat import CompatError
from conversations.completions.types import ChatMessage, ClientTool, ImageContent, ToolCall

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
JSON_ONLY = "Answer with a single JSON object and nothing else."


class FunctionParam(BaseModel):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolParam(BaseModel):
    type: Literal["function"]
    function: FunctionParam


class FunctionCallParam(BaseModel):
    name: Name
    arguments: str = "{}"


class ToolCallParam(BaseModel):
    id: str
    type: Literal["function"] = "function"
    function: FunctionCallParam


class ImageUrl(BaseModel):
    url: str


class ContentPartParam(BaseModel):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None


class ChatMessageParam(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPartParam] | None = None
    name: str | None = None
    tool_calls: list[ToolCallParam] | None = None
    tool_call_id: str | None = None


class JsonSchema(BaseModel):
    name: Name = "answer"
    schema_: dict[str, Any] = Field(alias="schema", default_factory=dict)
    strict: bool | None = None


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(BaseModel):
    include_usage: bool = False


class NamedFunction(BaseModel):
    name: Name


class NamedTool(BaseModel):
    type: Literal["function"]
    function: NamedFunction


class Sampling(BaseModel):
    """Sampling settings of chat completions and responses."""

    model: Name
    stream: bool | None = False
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None

    def sampling(self, **further: Any) -> dict[str, Any]:
        """Return the given settings under their pydantic-ai names."""
        settings = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "parallel_tool_calls": self.parallel_tool_calls,
            **further,
        }
        return {name: value for name, value in settings.items() if value is not None}


class ChatRequest(Sampling):
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


def to_tool(function: FunctionParam) -> ClientTool:
    """Convert a function to a client tool."""
    schema = function.parameters or {"type": "object", "properties": {}}
    return ClientTool(function.name, function.description or "", schema, function.strict)


def to_chat_message(message: ChatMessageParam) -> ChatMessage:
    """Convert a message of any role."""
    text, images = parse_content(message.content)
    calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ())
    if message.role == "tool" and not message.tool_call_id:
        raise CompatError("messages", "A message with the role tool requires `tool_call_id`.")
    return ChatMessage(message.role, text, images, calls, message.tool_call_id or "")


def parse_content(content: str | list[ContentPartParam] | None) -> tuple[str, tuple[ImageContent, ...]]:
    """Return the text and the images of a message."""
    if content is None or isinstance(content, str):
        return content or "", ()
    texts, images = [], []
    for part in content:
        if part.image_url is not None:
            images.append(
                parse_image(part.image_url if isinstance(part.image_url, str) else part.image_url.url)
            )
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
