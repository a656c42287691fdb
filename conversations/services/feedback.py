"""What people think of answers."""

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.services.events import record_event
from conversations.choices import MessageRole, MessageStatus
from conversations.models import Message


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
    message.feedback = feedback
    message.save(update_fields=["feedback", "updated_at"])
    record_event("message.feedback", resource=message, metadata={"feedback": feedback})
