"""Format-neutral requests, results and stream events of completions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from conversations.runtime.stream_buffer import KeepAlive


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a client-side tool; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ImageContent:
    """An image attached to a message."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One chat message.

    `role` is user, assistant or tool. For a tool message, `call_id` and `name` identify the call it answers.
    """

    role: str
    text: str = ""
    images: tuple[ImageContent, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ClientTool:
    """A tool that the client executes; `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A completion request, independent of the API dialect.

    Attributes:
        model: an agent's slug or id, or `<integration>/<model>`.
        choice: `auto`, `none`, `required`, or the name of one tool.
        schema: JSON Schema of the answer; `None` for plain text.
        settings: model settings such as `temperature` and `max_tokens`, by their Pydantic AI names.
        origin: where the request came from; stored as the conversation's metadata.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    instructions: str = ""
    tools: tuple[ClientTool, ...] = ()
    choice: str = "auto"
    schema: dict[str, Any] | None = None
    schema_name: str = "answer"
    settings: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The text stored as the question: the last message of any role."""
        last = self.messages[-1]
        return last.text or " ".join(f"[{image.media_type}]" for image in last.images)


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token usage, summed over all model requests of an answer."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Completion:
    """A completed answer; `finish` is `stop`, `length`, `tool_call` or `content_filter`."""

    answer_id: UUID
    text: str
    calls: tuple[ToolCall, ...]
    finish: str
    used: TokenUsage


class CompletionError(Exception):
    """A failed completion; `code` and `message` are stored with the answer."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.retryable = code, message, retryable


# --- stream events --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next text fragment."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of tool call `index`; the first has `id` and `name`."""

    index: int
    arguments: str
    id: str = ""
    name: str = ""


CompletionEvent = TextDelta | ToolCallDelta | KeepAlive | Completion | CompletionError
EmitEvent = Callable[[CompletionEvent], None]
