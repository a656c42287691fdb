"""Human approval of tool calls: parks and resumes turns.

A parked turn holds no thread, connection or lease. Its messages are the last step of its journal, from which any
process can resume it.
"""

import json
from typing import Any

from conversations.choices import ToolStatus
from conversations.models import Conversation, Message
from conversations.runtime.exceptions import TurnError
from conversations.runtime.turns import Caller, TurnContext, load_turn
from conversations.services.approvals import WaitingCall, list_decided_calls, park_answer
from conversations.services.conversations import BegunTurn
from conversations.services.leases import release


class TurnParked(Exception):
    """The model requested calls that need approval; caught where turns are stored.

    Args:
        requests: the library's `DeferredToolRequests`.
        messages: all messages of the run so far.
    """

    def __init__(self, requests: Any, messages: list[Any]) -> None:
        super().__init__("waiting for approval")
        self.requests, self.messages = requests, messages


def get_output_types(schema: dict[str, Any] | None = None) -> list[Any]:
    """Return the output types: an answer, or calls that need approval."""
    from pydantic_ai import DeferredToolRequests, StructuredDict

    if schema is None:
        return [str, DeferredToolRequests]
    return [StructuredDict(schema, name=schema.get("title") or "answer"), DeferredToolRequests]


def extract_answer(result: Any) -> str:
    """Return the text of a finished run.

    Raises:
        TurnParked: calls need approval.
        TurnError: the model requested a client-side tool.
    """
    from pydantic_ai import DeferredToolRequests

    if isinstance(result.output, dict):
        return json.dumps(result.output, ensure_ascii=False)
    if not isinstance(result.output, DeferredToolRequests):
        return str(result.output)
    if not result.output.approvals:
        raise TurnError("bad_response", "The model requested a tool that is not available.")
    raise TurnParked(result.output, result.all_messages())


def park_turn(turn: TurnContext, parked: TurnParked) -> Message:
    """Store the pending calls and the run's messages; return the answer.

    Raises:
        LeaseLostError: another process has taken over.
    """
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    calls = [
        WaitingCall(call.tool_call_id, call.tool_name, _parse_arguments(call))
        for call in parked.requests.approvals
    ]
    messages = ModelMessagesTypeAdapter.dump_python(parked.messages, mode="json")
    with turn.caller.scope():
        turn.journal.add_parked(messages)
        release(turn.lease)
        return park_answer(turn.answer_id, turn.conversation_id, agent_id=turn.agent.pk, calls=calls)


def _parse_arguments(call: Any) -> dict[str, Any]:
    from conversations.runtime.tools import to_storable_json

    try:
        arguments = to_storable_json(call.args_as_dict())
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def load_decisions(turn: TurnContext) -> Any:
    """Return the decisions on the turn's pending calls as Pydantic AI's `DeferredToolResults`."""
    from pydantic_ai import DeferredToolResults, ToolApproved, ToolDenied

    results = DeferredToolResults()
    last = next(each for each in reversed(turn.journal.parked) if each["kind"] == "response")
    call_ids = [part["tool_call_id"] for part in last["parts"] if part["part_kind"] == "tool-call"]
    with turn.caller.scope():
        decided = list_decided_calls(turn.conversation_id, turn.answer_id, call_ids)
    for call in decided:
        refused = call.status == ToolStatus.DENIED
        results.approvals[call.call_id] = ToolDenied(call.error_message) if refused else ToolApproved()
    return results


def load_decided_turn(answer: Message, caller: Caller) -> TurnContext:
    """Load the turn of a decided answer, in the caller's scope.

    Raises:
        LeaseLostError: another process has already resumed it.
    """
    conversation = Conversation.objects.get(pk=answer.conversation_id)
    question = Message.objects.created_after_id(conversation.pk).get(pk=answer.reply_to_id)
    return load_turn(BegunTurn(conversation, question, answer), caller)
