"""Request bodies of `/v1/responses` and their conversion to completion requests."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from conversations.api.parameters import ITEM, REASONING, RESPONSES
from conversations.api.wire_models import CompatError, WireModel
from conversations.completions.records import RESPONSE
from conversations.completions.types import ChatMessage, CompletionRequest, ToolCall

from .schemas import (
    JSON_ONLY,
    ContentPartParam,
    Effort,
    FunctionParam,
    JsonSchema,
    Name,
    Sampling,
    Verbosity,
    parse_content,
    to_tool,
)

# Value of `include` that requests log probabilities.
LOGPROBS = "message.output_text.logprobs"
ITEM_REFERENCE = "item_reference"


class Item(WireModel):
    table = ITEM

    id: str | None = None
    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[ContentPartParam] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[ContentPartParam] | None = None


class FunctionTool(FunctionParam):
    type: Literal["function"]


class NamedFunction(WireModel):
    type: Literal["function"]
    name: Name


class Format(JsonSchema):
    type: Literal["text", "json_object", "json_schema"] = "text"


class Text(WireModel):
    format: Format | None = None
    verbosity: Verbosity | None = None


class Reasoning(WireModel):
    table = REASONING

    effort: Effort | None = None


class ResponseRequest(Sampling):
    table = RESPONSES

    input: str | list[Item] = Field(default_factory=list)
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedFunction | None = None
    text: Text | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    include: list[str] | None = None
    reasoning: Reasoning | None = None


def to_completion_request(
    asked: ResponseRequest, before: tuple[ChatMessage, ...], references: Mapping[str, ChatMessage]
) -> CompletionRequest:
    """Convert the request to a completion request, with the messages `before` it.

    Args:
        references: the messages of earlier answers, by the identifiers of their items.
    """
    system, spoken = _to_chat_messages(asked, references)
    instructions = [message.text for message in (*before, *system) if message.role == "system"]
    merged = _merge_calls(spoken)
    messages = (*(message for message in before if message.role != "system"), *merged)
    if not spoken or messages[-1].role == "assistant":
        raise CompatError("input", "The input must end with a user message or a tool result.")
    shape = asked.text.format if asked.text else None
    json_object = bool(shape and shape.type == "json_object")
    if json_object:
        instructions.append(JSON_ONLY)
    structured = shape if shape and shape.type == "json_schema" else None
    chosen = asked.tool_choice or "auto"
    return CompletionRequest(
        model=asked.model,
        messages=messages,
        instructions="\n\n".join([asked.instructions or "", *instructions]).strip(),
        tools=tuple(to_tool(tool) for tool in asked.tools or ()),
        choice=chosen.name if isinstance(chosen, NamedFunction) else chosen,
        **(structured.members() if structured else {}),
        json_object=json_object,
        is_stored=asked.store is not False,
        settings=_settings(asked),
        record={RESPONSE: asked.model_dump(exclude={"input", "stream"}, exclude_none=True, by_alias=True)},
        stored_messages=(*system, *merged),
        names={"effort": "reasoning.effort", "verbosity": "text.verbosity", "logprobs": "include"},
        origin={"source": "openai.responses", "model": asked.model, "client_metadata": asked.metadata or {}},
    )


def _to_chat_messages(
    asked: ResponseRequest, references: Mapping[str, ChatMessage]
) -> tuple[list[ChatMessage], list[ChatMessage]]:
    """Return the system messages and the other messages of the input."""
    items = [Item(role="user", content=asked.input)] if isinstance(asked.input, str) else asked.input
    system = [item for item in items if item.role in ("system", "developer")]
    spoken = [item for item in items if item not in system and item.type != "reasoning"]
    return (
        [ChatMessage("system", parse_content(item.content)[0]) for item in system],
        [_to_chat_message(item, references) for item in spoken],
    )


def _settings(asked: ResponseRequest) -> dict[str, Any]:
    return asked.sampling(
        max_tokens=asked.max_output_tokens,
        logprobs=LOGPROBS in (asked.include or ()) or None,
        effort=asked.reasoning.effort if asked.reasoning else None,
        verbosity=asked.text.verbosity if asked.text else None,
    )


def _to_chat_message(item: Item, references: Mapping[str, ChatMessage]) -> ChatMessage:
    if item.type == ITEM_REFERENCE and item.id in references:
        message = references[item.id]
        calls = tuple(call for call in message.calls if item.id.endswith(f"_{call.id}"))
        return replace(message, text="", calls=calls) if calls else replace(message, calls=())
    if item.type == "message" and item.role:
        text, images = parse_content(item.content)
        if images and item.role != "user":
            raise CompatError("input", "Only messages with the role user can contain images.")
        return ChatMessage(item.role, text, images)
    if item.type == "function_call" and item.call_id and item.name:
        return ChatMessage("assistant", calls=(ToolCall(item.call_id, item.name, item.arguments or "{}"),))
    if item.type == "function_call_output" and item.call_id:
        text, images = parse_content(item.output)
        if images:
            raise CompatError("input", "Images in tool results are not supported.")
        return ChatMessage("tool", text, call_id=item.call_id)
    raise CompatError("input", f"An input item of type {item.type} is unsupported or incomplete.")


def _merge_calls(spoken: list[ChatMessage]) -> list[ChatMessage]:
    """Merge consecutive tool calls into one message of the model."""
    merged: list[ChatMessage] = []
    for message in spoken:
        last = merged[-1] if merged else None
        if last and last.role == message.role == "assistant":
            merged[-1] = ChatMessage(
                "assistant", last.text + message.text, calls=(*last.calls, *message.calls)
            )
        else:
            merged.append(message)
    return merged
