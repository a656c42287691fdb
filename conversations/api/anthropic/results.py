"""Schemas of responses in Anthropic's format, for the OpenAPI document.

A test validates the responses of all operations against them.
"""

from typing import Any, Literal

from pydantic import BaseModel


class Model(BaseModel):
    type: Literal["model"]
    id: str
    display_name: str
    created_at: str


class ModelList(BaseModel):
    data: list[Model]
    has_more: bool
    first_id: str | None
    last_id: str | None


class TextBlock(BaseModel):
    type: Literal["text"]
    text: str
    citations: None


class ToolUseBlock(BaseModel):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


class Usage(BaseModel):
    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int


class Message(BaseModel):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[TextBlock | ToolUseBlock]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use", "refusal"]
    stop_sequence: None
    usage: Usage


class TokenCount(BaseModel):
    input_tokens: int


# Schemas by route and method. The routes of models answer both clients.
RESULTS: dict[tuple[str, str], type[BaseModel]] = {
    ("openai-models", "get"): ModelList,
    ("openai-model", "get"): Model,
    ("anthropic-messages", "post"): Message,
    ("anthropic-count-tokens", "post"): TokenCount,
}
