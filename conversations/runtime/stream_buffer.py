"""The buffer of a streamed answer, for local readers and the database.

Each request to the model starts a new generation of the text. The last generation is the answer; text before a
tool call, or from a process that died, is discarded. A position in a stream is therefore (generation, characters),
independent of the fragments in which the text was stored or delivered.
"""

import threading
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from conversations.models import Message, StreamEvent
from conversations.services.leases import Lease
from conversations.services.steps import build_text_chunk

# Above `MAX_ITERATIONS`, so that generations never repeat after another process takes over.
GENERATIONS_PER_TAKEOVER = 1000


class StreamPosition(NamedTuple):
    """A reader's position in a stream."""

    generation: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.generation}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "StreamPosition":
        """Parse the result of `str`.

        Raises:
            ValueError: the text is not a position.
        """
        generation, _, offset = text.partition(".")
        if not (generation.isdecimal() and offset.isdecimal() and len(text) < 20):
            raise ValueError(f"{text!r} is not a stream position")
        return cls(int(generation), int(offset))


STREAM_START = StreamPosition()


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """A text fragment; `place` is the position after it."""

    text: str
    place: StreamPosition = STREAM_START


@dataclass(frozen=True, slots=True)
class AnswerReset:
    """Discard the text received so far; the answer restarts."""

    place: StreamPosition


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """A keep-alive, sent while no other event arrives."""


@dataclass(frozen=True, slots=True)
class AnswerDone:
    """The end of the stream; `answer` is None if it could not be stored."""

    answer: Message | None


AnswerEvent = AnswerDelta | AnswerReset | KeepAlive | AnswerDone


def events_since(after: StreamPosition, generation: int, text: str) -> list[AnswerDelta | AnswerReset]:
    """Return the events that bring a reader from `after` to the end of `text`."""
    events: list[AnswerDelta | AnswerReset] = []
    if after.generation != generation or after.offset > len(text):
        if after.offset:
            events.append(AnswerReset(StreamPosition(generation, 0)))
        after = StreamPosition(generation, 0)
    if len(text) > after.offset:
        events.append(AnswerDelta(text[after.offset :], StreamPosition(generation, len(text))))
    return events


class StreamBuffer:
    """The buffer of an answer that this process is generating."""

    def __init__(self, lease: Lease, conversation_id: UUID, stored_pieces: int = 0) -> None:
        self.lease, self.conversation_id = lease, conversation_id
        # Held while a fragment is stored, so that each is stored once.
        self.storing = threading.Lock()
        self.generation = lease.takeovers * GENERATIONS_PER_TAKEOVER
        self.text = ""
        self.ended = False
        self.answer: Message | None = None
        self._changed = threading.Condition()
        self._stored, self._sequence = 0, stored_pieces

    # --- writer -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start a new generation."""
        with self._changed:
            self.generation, self.text, self._stored = self.generation + 1, "", 0

    def append(self, piece: str) -> None:
        """Append text."""
        with self._changed:
            self.text += piece
            self._changed.notify_all()

    def replace_text(self, content: str) -> None:
        """Set the final text; readers of a different text restart."""
        if self.text != content:
            self.begin()
            self.append(content)

    def end(self, answer: Message | None) -> None:
        """End the stream."""
        with self._changed:
            self.ended, self.answer = True, answer
            self._changed.notify_all()

    # --- readers ---------------------------------------------------------------------------------------

    def read(self, after: StreamPosition, timeout: float) -> tuple[list[Any], bool]:
        """Wait for events after a position; return them and whether the stream ended."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self._has_news(after), timeout)
            # Announce a new generation with its first text, because it may be discarded before.
            has_news = self._has_news(after) or self.answer is not None
            return (events_since(after, self.generation, self.text) if has_news else []), self.ended

    @property
    def is_abandoned(self) -> bool:
        """Whether this process stopped without storing an answer."""
        return self.ended and self.answer is None

    def _has_news(self, after: StreamPosition) -> bool:
        if after.generation == self.generation:
            return len(self.text) > after.offset
        return bool(self.text)

    # --- the database ----------------------------------------------------------------------------------

    @property
    def is_unstored(self) -> bool:
        """Whether there is text that is not yet stored."""
        return len(self.text) > self._stored

    def piece(self) -> StreamEvent | None:
        """Build the row for unstored text; None if all text is stored."""
        return self.build_last_piece() if self.is_unstored else None

    def build_last_piece(self) -> StreamEvent:
        """Build the row for unstored text, which may be empty."""
        with self._changed:
            generation, offset, text = self.generation, self._stored, self.text[self._stored :]
        return build_text_chunk(
            self.lease,
            self.conversation_id,
            sequence=self._sequence + 1,
            generation=generation,
            offset=offset,
            text=text,
        )

    def mark_stored(self, piece: StreamEvent) -> None:
        """Mark `piece` as stored, after its transaction is committed."""
        with self._changed:
            self._sequence = piece.sequence_number
            if piece.message["metadata"]["generation"] == self.generation:
                self._stored += len(piece.message["content"])
