"""Request bodies in Anthropic's format and their conversion to completion requests."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from conversations.api.parameters import MESSAGES, OUTPUT_CONFIG, TOOL
from conversations.api.wire_models import CompatError, WireModel
from conversations.completions.types import ChatMessage, ClientTool, CompletionRequest

from .blocks import ContentBlockParam, parse_text, to_chat_messages

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class MessageParam(WireModel):
    role: Literal["user", "assistant"]
    content: str | list[ContentBlockParam]


class ToolParam(WireModel):
    table = TOOL

    type: Literal["custom"] | None = None
    name: Name
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None


class ToolChoiceParam(WireModel):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class OutputFormatParam(WireModel):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfigParam(WireModel):
    table = OUTPUT_CONFIG

    format: OutputFormatParam | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None


class ThinkingParam(WireModel):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int, Field(ge=1024)] | None = None
    display: str | None = None


class CreateThreadParam(WireModel):
    type: Literal["create"]


class ContinueThreadParam(WireModel):
    type: Literal["continue"]
    previous_message_id: str


class CountRequest(WireModel):
    table = MESSAGES

    model: Name
    messages: list[MessageParam]
    system: str | list[ContentBlockParam] | None = None
    tools: list[ToolParam] | None = None
    tool_choice: ToolChoiceParam | None = None
    output_config: OutputConfigParam | None = None
    # The beta's earlier name of `output_config.format`.
    output_format: OutputFormatParam | None = None
    thinking: ThinkingParam | None = None

    def list_contents(self) -> list[str | list[ContentBlockParam] | None]:
        """Return the contents of the system prompt and the messages."""
        return [self.system, *(message.content for message in self.messages)]


class MessagesRequest(CountRequest):
    max_tokens: Annotated[int, Field(ge=1)]
    stream: bool | None = False
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop_sequences: list[str] | None = None
    metadata: dict[str, Any] | None = None
    thread: Annotated[CreateThreadParam | ContinueThreadParam, Field(discriminator="type")] | None = None


def to_completion_request(
    asked: CountRequest, before: tuple[ChatMessage, ...] = (), record: dict[str, Any] | None = None
) -> CompletionRequest:
    """Convert the request to a completion request, with the messages `before` it.

    Args:
        record: members to store with the question, if the request belongs to a thread.
    """
    messages = tuple(
        part for message in asked.messages for part in to_chat_messages(message.role, message.content)
    )
    if not messages or messages[-1].role == "assistant":
        raise CompatError("messages", "The last message must come from the user.")
    chosen = asked.tool_choice
    choice = {"any": "required", "tool": (chosen.name if chosen else "") or ""}.get(
        chosen.type if chosen else ""
    )
    shape = (asked.output_config and asked.output_config.format) or asked.output_format
    origin = {"source": "anthropic.messages", "model": asked.model}
    return CompletionRequest(
        model=asked.model,
        messages=(*before, *messages),
        instructions=parse_text(asked.system, "system"),
        tools=tuple(
            ClientTool(tool.name, tool.description or "", tool.input_schema, tool.strict)
            for tool in asked.tools or ()
        ),
        choice=choice or (chosen.type if chosen else "auto"),
        schema=shape.schema_ if shape else None,
        settings=_settings(asked) if isinstance(asked, MessagesRequest) else {},
        names={"effort": "output_config.effort", "parallel_tool_calls": "disable_parallel_tool_use"},
        record=record or {},
        stored_messages=messages,
        origin={**origin, "client_metadata": getattr(asked, "metadata", None) or {}},
    )


def _settings(asked: MessagesRequest) -> dict[str, Any]:
    one = asked.tool_choice and asked.tool_choice.disable_parallel_tool_use
    thinks = asked.thinking and asked.thinking.type != "disabled"
    settings = {
        "max_tokens": asked.max_tokens,
        "temperature": asked.temperature,
        "top_k": asked.top_k,
        "top_p": asked.top_p,
        "stop_sequences": asked.stop_sequences,
        "parallel_tool_calls": False if one else None,
        "effort": asked.output_config.effort if asked.output_config else None,
        "thinking": asked.thinking.model_dump(exclude_none=True) if asked.thinking and thinks else None,
    }
    return {name: value for name, value in settings.items() if value is not None}
