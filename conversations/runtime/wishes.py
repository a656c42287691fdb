"""What a client of a wire format asks for, and what it gets, in words that belong to no format."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of the client's tools; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that came with a message."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `role` is user, assistant or tool; of a tool, `call_id` and `name` say what it answers."""

    role: str
    text: str = ""
    images: tuple[Image, ...] = ()
    calls: tuple[Call, ...] = ()
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the client runs itself; `schema` is the JSON schema of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """One call of a client.

    Attributes:
        model: an agent's slug or id, or `<integration>/<model>`.
        choice: auto, none, required, or the name of one tool.
        schema: JSON schema of the answer; empty for text.
        settings: temperature, max_tokens and so on, by pydantic-ai's names.
        origin: where it came from, kept with the conversation.
    """

    model: str
    messages: tuple[Said, ...]
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    schema: dict[str, Any] | None = None
    schema_name: str = "answer"
    settings: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """What is stored as the question: the last message, whoever said it."""
        last = self.messages[-1]
        return last.text or " ".join(f"[{image.media_type}]" for image in last.images)


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of all calls that an answer took."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished answer. `finish` is stop, length, tool_call or content_filter."""

    answer_id: UUID
    text: str
    calls: tuple[Call, ...]
    finish: str
    used: Used


class WishFailed(Exception):
    """There is no answer; `code` and the text are stored with it."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.retryable = code, message, retryable


# --- events of a stream --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextPiece:
    """The next piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class CallPiece:
    """The next piece of a tool's call; `id` and `name` come with its first piece. `index` counts calls."""

    index: int
    arguments: str
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing came for a while."""


Event = TextPiece | CallPiece | Waiting | Outcome | WishFailed
