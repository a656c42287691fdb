"""Format-neutral requests, results and stream events of completions."""

import base64
from collections.abc import Callable, Iterable, Iterator
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
    detail: str = ""

    def to_data_url(self) -> str:
        """Return the image as a data URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One chat message.

    `role` is user, assistant or tool. For a tool message, `call_id` and `name` identify the call it answers, and
    `is_error` says that the tool failed.
    """

    role: str
    text: str = ""
    images: tuple[ImageContent, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""
    is_error: bool = False


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
        json_object: whether the answer must be a JSON object.
        is_stored: whether the question and the answer are stored, so that the conversation can be continued.
        settings: model settings such as `temperature` and `max_tokens`.
        names: the client's name of a setting where it differs, for error messages.
        record: members stored with the question, if later requests can continue from the answer.
        stored_messages: the messages of this turn, which `record` needs; `system` is a role here.
        origin: where the request came from; stored as the conversation's metadata.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    instructions: str = ""
    tools: tuple[ClientTool, ...] = ()
    choice: str = "auto"
    schema: dict[str, Any] | None = None
    schema_name: str = "answer"
    schema_description: str = ""
    schema_strict: bool | None = None
    json_object: bool = False
    is_stored: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    stored_messages: tuple[ChatMessage, ...] = ()
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
    logprobs: list[dict[str, Any]] | None = None


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


def build_deltas(text: str, calls: Iterable[ToolCall]) -> Iterator[TextDelta | ToolCallDelta]:
    """Yield a complete text and complete tool calls as events."""
    if text:
        yield TextDelta(text)
    for index, call in enumerate(calls):
        yield ToolCallDelta(index, call.arguments, call.id, call.name)


CompletionEvent = TextDelta | ToolCallDelta | KeepAlive | Completion | CompletionError
EmitEvent = Callable[[CompletionEvent], None]
