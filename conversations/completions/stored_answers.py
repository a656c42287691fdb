"""Stored answers of `/v1`: retrieval and deletion."""

from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from agents.models import LlmUsage
from conversations.completions.history import find_stored_answer, to_chat_messages
from conversations.completions.records import FINISH, STORE
from conversations.completions.types import ChatMessage, Completion, TokenUsage
from conversations.models import Message, MessageEmbedding


def load_completion(answer: Message) -> Completion:
    """Return the stored answer as a completion, in the open scope."""
    (message,) = to_chat_messages(answer)
    finish = answer.metadata.get(FINISH) or ("tool_call" if message.calls else "stop")
    rows = LlmUsage.objects.created_after_id(answer.pk).filter(message_id=answer.pk)
    used = rows.aggregate(input=Sum("prompt_tokens"), output=Sum("completion_tokens"))
    return Completion(
        answer.pk, message.text, message.calls, finish, TokenUsage(used["input"] or 0, used["output"] or 0)
    )


def list_input(question: Message) -> list[ChatMessage]:
    """Return the messages of the turn that the question represents."""
    return list(to_chat_messages(question))


@transaction.atomic
def erase_answer(answer_id: UUID, user_id: UUID) -> bool:
    """Erase the text of an answer and its question.

    Nothing can continue from it afterwards.
    The rows remain, since usage and audit log refer to them. Return False if the answer does not exist.
    """
    found = find_stored_answer(answer_id, user_id)
    if found is None:
        return False
    identifiers = [row.pk for row in found]
    empty = {"content": "", "citations": [], "tool_calls": [], "tool_results": [], "metadata": {STORE: False}}
    rows = Message.objects.filter(conversation_id=found[1].conversation_id, pk__in=identifiers)
    rows.update(**empty)
    MessageEmbedding.objects.filter(pk__in=identifiers).delete()
    return True
