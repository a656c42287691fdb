"""The text of an answer while this process makes it: for readers here at once, for the database in pieces.

Each request to the model begins a new generation of the text. The last generation is the answer; what was
said before a tool was called, or by a process that died, is void. A place in a stream is therefore
(generation, characters), whatever pieces the text was stored or delivered in.
"""

import threading
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from conversations.models import Message, StreamEvent
from conversations.services.leases import Lease
from conversations.services.steps import text_piece

# More than any turn asks of its model (`MOST_ITERATIONS`): a process that took over never counts as before.
GENERATIONS = 1000


class Place(NamedTuple):
    """How far a reader is."""

    generation: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.generation}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that `str` wrote.

        Raises:
            ValueError: when it is none.
        """
        generation, _, offset = text.partition(".")
        if not (generation.isdecimal() and offset.isdecimal() and len(text) < 20):
            raise ValueError(f"{text!r} is no place in a stream")
        return cls(int(generation), int(offset))


START = Place()


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text; `place` is where the reader is after it."""

    text: str
    place: Place = START


@dataclass(frozen=True, slots=True)
class Reset:
    """What was said so far is void: the text begins anew."""

    place: Place


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Nothing came for a while."""


@dataclass(frozen=True, slots=True)
class Done:
    """The end: the stored answer, completed or failed; None when not even that could be stored."""

    answer: Message | None


Event = Delta | Reset | KeepAlive | Done


def news(after: Place, generation: int, text: str) -> list[Delta | Reset]:
    """What a reader who is at `after` has to learn to have `text` of `generation`."""
    events: list[Delta | Reset] = []
    if after.generation != generation or after.offset > len(text):
        if after.offset:
            events.append(Reset(Place(generation, 0)))
        after = Place(generation, 0)
    if len(text) > after.offset:
        events.append(Delta(text[after.offset :], Place(generation, len(text))))
    return events


class Live:
    """One answer under way in this process."""

    def __init__(self, lease: Lease, conversation_id: UUID, stored_pieces: int = 0) -> None:
        self.lease, self.conversation_id = lease, conversation_id
        # Held by whoever stores a piece, so that each is stored once.
        self.storing = threading.Lock()
        self.generation = lease.takeovers * GENERATIONS
        self.text = ""
        self.ended = False
        self.answer: Message | None = None
        self._changed = threading.Condition()
        self._stored, self._sequence = 0, stored_pieces

    # --- the turn writes -------------------------------------------------------------------------------

    def begin(self) -> None:
        """A new generation: the model is asked."""
        with self._changed:
            self.generation, self.text, self._stored = self.generation + 1, "", 0

    def say(self, piece: str) -> None:
        """More text."""
        with self._changed:
            self.text += piece
            self._changed.notify_all()

    def settle(self, content: str) -> None:
        """The text is `content`; readers who have seen another begin anew."""
        if self.text != content:
            self.begin()
            self.say(content)

    def end(self, answer: Message | None) -> None:
        """No more will come."""
        with self._changed:
            self.ended, self.answer = True, answer
            self._changed.notify_all()

    # --- readers ---------------------------------------------------------------------------------------

    def read(self, after: Place, timeout: float) -> tuple[list[Any], bool]:
        """What came after the place, waiting up to `timeout` seconds for something, and whether it was all."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self._has_news(after), timeout)
            # A new generation is told with its first text: it may be void before it says anything.
            told = self._has_news(after) or self.answer is not None
            return (news(after, self.generation, self.text) if told else []), self.ended

    @property
    def is_abandoned(self) -> bool:
        """Whether this process stopped without an answer: another one makes it, or it is lost for now."""
        return self.ended and self.answer is None

    def _has_news(self, after: Place) -> bool:
        if after.generation == self.generation:
            return len(self.text) > after.offset
        return bool(self.text)

    # --- the database ----------------------------------------------------------------------------------

    @property
    def is_unstored(self) -> bool:
        """Whether there is text that is not stored."""
        return len(self.text) > self._stored

    def piece(self, *, last: bool = False) -> StreamEvent | None:
        """The text that is not stored yet, for storing; None when there is none, except at the end."""
        with self._changed:
            generation, offset, text = self.generation, self._stored, self.text[self._stored :]
        if not text and not last:
            return None
        return text_piece(
            self.lease,
            self.conversation_id,
            sequence=self._sequence + 1,
            generation=generation,
            offset=offset,
            text=text,
        )

    def note_stored(self, piece: StreamEvent) -> None:
        """`piece` is stored: its transaction is committed."""
        with self._changed:
            self._sequence = piece.sequence_number
            if piece.message["metadata"]["generation"] == self.generation:
                self._stored += len(piece.message["content"])
