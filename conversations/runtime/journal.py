"""The journal of a turn, from which another process can resume it."""

import contextvars
from dataclasses import asdict
from typing import Any
from uuid import UUID

from conversations.choices import StepKind
from conversations.models import StreamEvent, TurnStep
from conversations.services.leases import Lease
from conversations.services.steps import add_step
from knowledge.services.search import FoundPassage, RankExplanation

PASSAGE_ID_FIELDS = ("id", "document_id", "collection_id")

# Key of the running tool call, for tools that store their result in their own transaction.
current_call_key: contextvars.ContextVar[str] = contextvars.ContextVar("conversations_call", default="")


class Journal:
    """The steps of a turn; its methods need the scope of the turn's caller.

    Without a lease the steps stay in memory, for answers that are never resumed.
    """

    def __init__(self, lease: Lease | None, conversation_id: UUID, steps: list[TurnStep]) -> None:
        self.lease, self.conversation_id = lease, conversation_id
        self.number = steps[-1].number if steps else 0
        # All messages of a run that was parked for approval; later ones are in `messages`.
        self.parked: list[Any] = []
        self.messages: list[Any] = []
        self.responses = 0
        self.begun: set[str] = set()
        self.results: dict[str, dict[str, Any]] = {}
        # Passages found so far, which answers cite by position, and tool calls made so far.
        self.passages: list[FoundPassage] = []
        self.tool_calls: list[dict[str, Any]] = []
        # Usage of requests to models in tool calls, and IDs of the prompts of these requests.
        self.usage: list[dict[str, Any]] = []
        self.prompt_ids: list[str] = []
        for step in steps:
            self._remember(step.kind, step.call_id, step.payload)

    @property
    def held_lease(self) -> Lease:
        """The lease on the answer held by this process."""
        if self.lease is None:
            raise RuntimeError("This answer has no lease.")
        return self.lease

    @property
    def first_tool(self) -> str:
        """The name of the first called tool, or an empty string."""
        return self.tool_calls[0]["name"] if self.tool_calls else ""

    def add_messages(self, messages: list[dict[str, Any]], piece: StreamEvent | None) -> None:
        """Add a request, its response and the last text fragment that it streamed.

        Raises:
            LeaseLostError: another process has taken over.
        """
        self._add(StepKind.MESSAGES, {"messages": messages})
        if piece is not None:
            piece.save(force_insert=True)

    def add_parked(self, messages: list[dict[str, Any]]) -> None:
        """Add all messages of a parked run, including the history."""
        self._add(StepKind.PARKED, {"messages": messages})

    def add_call(self, call_id: str, name: str, arguments: dict[str, Any]) -> None:
        """Add the start of a tool call."""
        self._add(StepKind.CALL, {"name": name, "input": arguments}, call_id)

    def add_result(self, call_id: str, result: dict[str, Any]) -> None:
        """Add the end of a tool call.

        Args:
            result: `{"result": …}` or `{"retry": …}`, with the call's `passages`, `tool_calls`, `usage` and `prompts`,
                if any.
        """
        self._add(StepKind.RESULT, result, call_id)

    def _add(self, kind: str, payload: dict[str, Any], call_id: str = "") -> None:
        number, payload = self.number + 1, strip_unstorable_json(payload)
        if self.lease:
            add_step(
                self.lease, self.conversation_id, number=number, kind=kind, payload=payload, call_id=call_id
            )
        self.number = number
        self._remember(kind, call_id, payload)

    def _remember(self, kind: str, call_id: str, payload: dict[str, Any]) -> None:
        if kind == StepKind.PARKED:
            self.parked, self.messages = payload["messages"], []
        elif kind == StepKind.MESSAGES:
            self.messages += payload["messages"]
            self.responses += 1
        elif kind == StepKind.CALL:
            self.begun.add(call_id)
        else:
            self.results[call_id] = payload
            self.passages += [_deserialize_passage(row) for row in payload.get("passages", ())]
            self.tool_calls += payload.get("tool_calls", ())
            self.usage += payload.get("usage", ())
            self.prompt_ids += payload.get("prompts", ())


def serialize_passage(passage: FoundPassage) -> dict[str, Any]:
    """Serialize a passage to JSON."""
    ids = {name: str(value) for name in PASSAGE_ID_FIELDS if (value := getattr(passage, name)) is not None}
    return {**asdict(passage), **ids}


def _deserialize_passage(row: dict[str, Any]) -> FoundPassage:
    """Deserialize a passage from JSON."""
    ids = {name: UUID(row[name]) for name in PASSAGE_ID_FIELDS if row.get(name)}
    return FoundPassage(**{**row, **ids, "explanation": RankExplanation(**row.get("explanation", {}))})


def strip_unstorable(text: str) -> str:
    """Remove NUL and lone surrogates, which PostgreSQL cannot store."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def strip_unstorable_json(value: Any) -> Any:
    """Apply `strip_unstorable` to every string of a JSON value."""
    if isinstance(value, str):
        return strip_unstorable(value)
    if isinstance(value, dict):
        return {strip_unstorable(str(key)): strip_unstorable_json(each) for key, each in value.items()}
    return [strip_unstorable_json(each) for each in value] if isinstance(value, list | tuple) else value
