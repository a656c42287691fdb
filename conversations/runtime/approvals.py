"""The gate of tools that need a person's approval: a turn is parked, and goes on after the decision.

A parked turn holds no thread and no connection: what the model said so far lies in the database, encoded by the
agent library, and any process goes on from there.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from conversations.choices import ToolStatus
from conversations.models import Conversation, Message
from conversations.runtime.failures import TurnFailed
from conversations.runtime.turns import Caller, Turn, load_turn
from conversations.services.approvals import (
    WaitingCall,
    decided_calls,
    park_answer,
    take_run_state,
)
from conversations.services.conversations import BegunTurn
from knowledge.services.search import FoundPassage


class TurnParked(Exception):
    """The model asked for calls that need approval. Raised out of the loop, caught where turns are stored.

    Args:
        requests: the library's `DeferredToolRequests`.
        messages: all messages of the run so far.
    """

    def __init__(self, requests: Any, messages: list[Any]) -> None:
        super().__init__("waiting for approval")
        self.requests, self.messages = requests, messages


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a parked turn goes on: the library's messages and its `DeferredToolResults`."""

    messages: list[Any]
    results: Any

    def options(self) -> dict[str, Any]:
        """Arguments of `agent.run`, whose prompt is None then."""
        return {"message_history": self.messages, "deferred_tool_results": self.results}


def output_type() -> list[Any]:
    """What an agent may end with: an answer, or calls that wait for approval."""
    from pydantic_ai import DeferredToolRequests

    return [str, DeferredToolRequests]


def answer_of(result: Any) -> str:
    """The text of a finished run.

    Raises:
        TurnParked: when calls wait for approval instead.
    """
    from pydantic_ai import DeferredToolRequests

    if isinstance(result.output, DeferredToolRequests):
        raise TurnParked(result.output, result.all_messages())
    return str(result.output)


def park(turn: Turn, parked: TurnParked) -> Message:
    """Store the waiting calls and where the agent goes on; gives the answer, now awaiting approval."""
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    from conversations.runtime.tools import storable_text

    calls = [
        WaitingCall(call.tool_call_id, call.tool_name, _arguments(call)) for call in parked.requests.approvals
    ]
    if not calls:
        raise TurnFailed("bad_response", "The model asked for a tool that does not run here.")
    state = {
        "messages": json.loads(storable_text(ModelMessagesTypeAdapter.dump_json(parked.messages).decode())),
        "tool_calls": turn.tool_calls,
        "passages": json.loads(json.dumps([asdict(passage) for passage in turn.passages], default=str)),
    }
    with turn.caller.scope():
        return park_answer(
            turn.answer_id, turn.conversation_id, agent_id=turn.agent.pk, calls=calls, run_state=state
        )


def _arguments(call: Any) -> dict[str, Any]:
    from conversations.runtime.tools import storable_json

    try:
        found = storable_json(call.args_as_dict())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def load_parked(answer: Message, caller: Caller) -> Turn:
    """The turn of an answer whose calls are all decided, ready for `run_turn`; in the caller's scope.

    Raises:
        TurnFailed: when another process goes on with it already.
    """
    state = take_run_state(answer)
    if state is None:
        raise TurnFailed("internal", "This turn goes on elsewhere already.")
    conversation = Conversation.objects.get(pk=answer.conversation_id)
    question = Message.objects.younger_than(conversation.pk).get(pk=answer.reply_to_id)
    turn = load_turn(BegunTurn(conversation, question, answer), caller)
    turn.resumption = _resumption(state["messages"], answer)
    turn.tool_calls += state["tool_calls"]
    turn.passages += [_passage(**row) for row in state["passages"]]
    return turn


def _passage(id: str, document_id: str, **rest: Any) -> FoundPassage:  # noqa: A002 (a column's name)
    return FoundPassage(UUID(id), UUID(document_id), **rest)


def _resumption(messages: Any, answer: Message) -> Resumption:
    from pydantic_ai import DeferredToolResults, ToolApproved, ToolDenied
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    results = DeferredToolResults()
    for call in decided_calls(answer):
        allowed = call.status == ToolStatus.APPROVED
        results.approvals[call.call_id] = ToolApproved() if allowed else ToolDenied(call.error_message)
    return Resumption(ModelMessagesTypeAdapter.validate_python(messages), results)
