"""What people think of answers."""

from contextlib import suppress
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from agents.models import Agent
from agents.services.prompts import count_verdict
from audit.services.events import record_event
from conversations.choices import MessageFeedback, MessageRole, MessageStatus
from conversations.models import Message

# Where an answer's metadata names the prompt that its agent spoke by.
SPOKEN_PROMPT = "prompt_id"
# A verdict on an answer as one on its prompt, from 0 to 5.
VERDICTS: dict[str | None, float] = {MessageFeedback.HELPFUL: 5.0, MessageFeedback.UNHELPFUL: 0.0}


def spoken_by(agent: Agent) -> dict[str, str]:
    """What an answer's metadata says of the prompt that its agent spoke by."""
    prompt = getattr(agent, "spoken_prompt", None)
    return {SPOKEN_PROMPT: str(prompt)} if prompt else {}


class NoAnswer(ValidationError):
    """It is no answer of an agent, or not a complete one."""


@transaction.atomic
def give_feedback(message: Message, feedback: str) -> None:
    """Keep a person's verdict on an answer, in place of the one before; an empty one takes it back.

    Raises:
        NoAnswer: for anything but a complete answer.
    """
    if message.role != MessageRole.ASSISTANT or message.status != MessageStatus.COMPLETED:
        raise NoAnswer("Only a complete answer gets a verdict.")
    # Under its lock, so that two verdicts at once take each other's place and are not both counted.
    held = Message.objects.select_for_update(of=("self",)).only("feedback", "metadata").get(pk=message.pk)
    message.feedback = feedback
    message.save(update_fields=["feedback", "updated_at"])
    _count(held, feedback)
    record_event("message.feedback", resource=message, metadata={"feedback": feedback})


def _count(held: Message, feedback: str) -> None:
    """Count the verdict for the prompt that the answer was spoken by; a person's own metadata names none."""
    before, verdict = VERDICTS.get(held.feedback), VERDICTS.get(feedback)
    if before == verdict:
        return
    with suppress(KeyError, ValueError, TypeError, AttributeError):
        count_verdict(UUID(held.metadata[SPOKEN_PROMPT]), verdict, before=before)
