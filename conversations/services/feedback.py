"""Feedback on answers."""

from contextlib import suppress
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from agents.models import Agent
from agents.services.prompts import count_verdict
from audit.services.events import record_event
from conversations.choices import MessageFeedback, MessageRole, MessageStatus
from conversations.models import Message

# Key of the agent's prompt in the metadata of an answer.
PROMPT_KEY = "prompt_id"
# Rating of the prompt, from 0 to 5, for feedback on an answer.
VERDICTS: dict[str | None, float] = {MessageFeedback.HELPFUL: 5.0, MessageFeedback.UNHELPFUL: 0.0}


def get_prompt_metadata(agent: Agent) -> dict[str, str]:
    """Return the answer metadata that names the agent's prompt."""
    prompt = getattr(agent, "used_prompt_id", None)
    return {PROMPT_KEY: str(prompt)} if prompt else {}


class NotAnAnswerError(ValidationError):
    """The message is not a completed answer of an agent."""


@transaction.atomic
def give_feedback(message: Message, feedback: str) -> None:
    """Store feedback on an answer, replacing earlier feedback; an empty value removes it.

    Raises:
        NotAnAnswerError: the message is not a completed answer.
    """
    if message.role != MessageRole.ASSISTANT or message.status != MessageStatus.COMPLETED:
        raise NotAnAnswerError(
            "Feedback requires a completed answer. Choose a completed message of an agent."
        )
    # Lock the row so that concurrent feedback replaces itself and is counted once.
    held = Message.objects.select_for_update(of=("self",)).only("feedback", "metadata").get(pk=message.pk)
    message.feedback = feedback
    message.save(update_fields=["feedback", "updated_at"])
    _count(held, feedback)
    record_event("message.feedback", resource=message, metadata={"feedback": feedback})


def _count(held: Message, feedback: str) -> None:
    """Count the feedback for the answer's prompt, if its metadata names a prompt."""
    before, verdict = VERDICTS.get(held.feedback), VERDICTS.get(feedback)
    if before == verdict:
        return
    with suppress(KeyError, ValueError, TypeError, AttributeError):
        count_verdict(UUID(held.metadata[PROMPT_KEY]), verdict, before=before)
