"""Response objects in OpenAI's format."""

from typing import Any
from uuid import UUID

from config.db.ids import uuid7_time
from conversations.completions.types import Completion, TokenUsage, ToolCall

from .response_schemas import ResponseRequest

# Prefixes of identifiers, each followed by the id of the answer.
RESPONSE, MESSAGE, CALL = "resp_", "msg_", "fc_"


def find_identifier(name: str) -> UUID | None:
    """Return the id of the answer in the identifier of a response or of an item of its output."""
    try:
        return UUID(name.partition("_")[2].partition("_")[0])
    except ValueError:
        return None


def build_body(
    asked: ResponseRequest, identifier: UUID, status: str, output: list[Any], **further: Any
) -> dict[str, Any]:
    created = int(uuid7_time(identifier).timestamp())
    return {
        "id": f"{RESPONSE}{identifier.hex}",
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata or {},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "previous_response_id": asked.previous_response_id,
        "temperature": asked.temperature,
        "text": asked.text.model_dump(by_alias=True, exclude_none=True)
        if asked.text
        else {"format": {"type": "text"}},
        "tool_choice": asked.tool_choice if isinstance(asked.tool_choice, str) else "auto",
        "tools": [tool.model_dump() for tool in asked.tools or ()],
        "top_p": asked.top_p,
        "usage": None,
        **further,
    }


def render_response(asked: ResponseRequest, outcome: Completion) -> dict[str, Any]:
    identifier = outcome.answer_id
    output = (
        [build_message(identifier, outcome.text, outcome.logprobs)]
        if outcome.text or not outcome.calls
        else []
    )
    output += [build_call(identifier, call) for call in outcome.calls]
    cut = outcome.finish in ("length", "content_filter")
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    details = {"incomplete_details": {"reason": reasons[outcome.finish]}} if cut else {}
    status = "incomplete" if cut else "completed"
    return build_body(asked, identifier, status, output, usage=_usage(outcome.used), **details)


def _usage(used: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.total,
    }


def build_message(
    identifier: UUID, text: str | None, logprobs: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return the message of a response, without text while it is streamed."""
    content = [] if text is None else [build_text(text, logprobs)]
    return {
        "id": f"{MESSAGE}{identifier.hex}",
        "type": "message",
        "status": "in_progress" if text is None else "completed",
        "role": "assistant",
        "content": content,
    }


def build_text(text: str, logprobs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs or []}


def build_call(identifier: UUID, call: ToolCall, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"{CALL}{identifier.hex}_{call.id}",
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }
