"""Feedback on answers."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from agents.models import Agent
from agents.services.prompts import count_verdict
from audit.services.events import record_event
from config.tenancy.scope import require_scope
from conversations.choices import MessageFeedback, MessageRole, MessageStatus
from conversations.models import Message
from conversations.signals import feedback_stored
from knowledge.choices import QuestionOrigin
from knowledge.services.judged_questions import RatedResults, suggest_from_results

# Keys of the prompts in the metadata of an answer: the first one, and others.
PROMPT_KEY, FURTHER_PROMPTS = "prompt_id", "further_prompt_ids"
# Rating of the prompt, from 0 to 5, for feedback on an answer.
VERDICTS: dict[str | None, float] = {MessageFeedback.HELPFUL: 5.0, MessageFeedback.UNHELPFUL: 0.0}


def name_prompts(metadata: dict[str, Any], agent: Agent, further: Iterable[str] = ()) -> dict[str, Any]:
    """Return the metadata of an answer that names its prompts: those in `metadata`, the agent's and further ones."""
    own = getattr(agent, "used_prompt_id", None)
    known = dict.fromkeys([*get_prompt_ids(metadata), *([str(own)] if own else []), *further])
    first, *others = known or [""]
    return ({PROMPT_KEY: first} if first else {}) | ({FURTHER_PROMPTS: others} if others else {})


def get_prompt_ids(metadata: Any) -> list[str]:
    """Return the IDs of the prompts that the metadata of an answer names."""
    if not isinstance(metadata, dict):
        return []
    others = metadata.get(FURTHER_PROMPTS)
    named = [metadata.get(PROMPT_KEY), *(others if isinstance(others, list) else ())]
    return [each for each in named if isinstance(each, str) and each]


class NotAnAnswerError(ValidationError):
    """The message is not a completed answer of an agent."""


@transaction.atomic
def give_feedback(message: Message, feedback: str, *, correction: str = "") -> None:
    """Store feedback on an answer, replacing earlier feedback; an empty value removes it.

    If the answer cites passages and the user asked the question, the question is suggested as a judged question.

    Args:
        correction: Text of the correct answer, for the suggestion.

    Raises:
        NotAnAnswerError: the message is not a completed answer.
    """
    if message.role != MessageRole.ASSISTANT or message.status != MessageStatus.COMPLETED:
        raise NotAnAnswerError(
            "Feedback requires a completed answer. Choose a completed message of an agent."
        )
    # Lock the row so that concurrent feedback replaces itself and is counted once.
    held = Message.objects.select_for_update(of=("self",)).only("feedback", "metadata").get(pk=message.pk)
    message.feedback, message.metadata = feedback, held.metadata
    if feedback != held.feedback:
        feedback_stored.send(Message, message=message, feedback=feedback)
    message.save(update_fields=["feedback", "metadata", "updated_at"])
    _count(held, feedback)
    if feedback != held.feedback or correction:
        _suggest_question(message, feedback, correction)
    record_event("message.feedback", resource=message, metadata={"feedback": feedback})


def _count(held: Message, feedback: str) -> None:
    """Count the feedback for the prompts that the answer's metadata names."""
    before, verdict = VERDICTS.get(held.feedback), VERDICTS.get(feedback)
    if before == verdict:
        return
    # In one order, so that answers with the same prompts do not wait for each other.
    for prompt in sorted(get_prompt_ids(held.metadata)):
        with suppress(ValueError):
            count_verdict(UUID(prompt), verdict, before=before)


def _suggest_question(message: Message, feedback: str, correction: str) -> None:
    """Suggest a judged question from feedback on an answer to a question of the same user."""
    chunks = [UUID(str(citation["chunk"])) for citation in message.citations if "chunk" in citation]
    asked = Message.objects.filter(
        conversation_id=message.conversation_id, pk=message.reply_to_id, user_id=require_scope().user_id
    )
    question = asked.values_list("content", flat=True).first() if chunks else None
    if question:
        suggest_from_results(
            RatedResults(
                question,
                chunks,
                feedback,
                QuestionOrigin.ANSWER_FEEDBACK,
                message.pk,
                message.conversation_id,
                correction,
            )
        )
