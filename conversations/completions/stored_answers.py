"""Stored answers of `/v1`: retrieval and deletion."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from agents.models import LlmUsage
from conversations.completions.history import find_stored_answer, to_chat_messages
from conversations.completions.records import AFTER, FINISH, STORE
from conversations.completions.types import Completion, TokenUsage
from conversations.models import (
    Conversation,
    McpToolExecution,
    Message,
    MessageEmbedding,
    SessionSummary,
    ToolExecution,
)

EMPTY_MESSAGE: dict[str, Any] = {"content": "", "citations": [], "tool_calls": [], "tool_results": []}


def load_completion(answer: Message) -> Completion:
    """Return the stored answer as a completion, in the open scope."""
    (message,) = to_chat_messages(answer)
    finish = answer.metadata.get(FINISH) or ("tool_call" if message.calls else "stop")
    rows = LlmUsage.objects.created_after_id(answer.pk).filter(message_id=answer.pk)
    used = rows.aggregate(input=Sum("prompt_tokens"), output=Sum("completion_tokens"))
    return Completion(
        answer.pk, message.text, message.calls, finish, TokenUsage(used["input"] or 0, used["output"] or 0)
    )


@transaction.atomic
def erase_answer(answer_id: UUID, user_id: UUID) -> bool:
    """Erase the text of an answer and its question.

    The rows remain, since usage and audit log refer to them. Summaries and titles that quote the text are erased too.
    Return False if the answer does not exist.
    """
    found = find_stored_answer(answer_id, user_id)
    if found is None:
        return False
    question, answer = found
    conversation_id = answer.conversation_id
    rows = Message.objects.filter(conversation_id=conversation_id)
    for row in found:
        # Later turns follow the link to the turn before.
        link = {AFTER: row.metadata[AFTER]} if AFTER in row.metadata else {}
        rows.filter(pk=row.pk).update(**EMPTY_MESSAGE, metadata={STORE: False, **link})
    MessageEmbedding.objects.filter(pk__in=[question.pk, answer.pk]).delete()
    _erase_tool_calls(answer)
    SessionSummary.objects.filter(conversation_id=conversation_id).delete()
    if question.sequence_number == 1:
        Conversation.objects.filter(pk=conversation_id).update(title="")
    return True


def _erase_tool_calls(answer: Message) -> None:
    """Erase the inputs and outputs of the answer's tool calls."""
    common = {"error_message": "", "metadata": {}}
    calls = ToolExecution.objects.created_after_id(answer.pk).filter(message_id=answer.pk)
    calls.update(tool_input={}, tool_output=None, **common)
    mcp_calls = McpToolExecution.objects.created_after_id(answer.pk).filter(message_id=answer.pk)
    mcp_calls.update(parameters={}, result=None, **common)
