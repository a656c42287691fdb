"""Wakes steps that wait for an answer of an agent or for the end of a meeting.

A job wakes the step, because the transaction that ends the answer must not wait for locks of the run.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from conversations.models import Conversation, Message
from workflows.choices import StepKind, StepStatus
from workflows.models import StepExecution
from workflows.services.commits import resume_step

JOB, CANCEL_JOB = "workflows.tasks.wake_step", "workflows.tasks.cancel_answer"
# Key of the metadata of conversations and answers.
LINK = "workflow_step"


@dataclass(frozen=True, slots=True)
class StepLink:
    """The attempt that a conversation belongs to, with the position of the item of a map, or -1."""

    execution_id: UUID
    step_execution_id: UUID
    step_id: str
    item: int
    attempt: int

    @classmethod
    def from_metadata(cls, metadata: Any, conversation_id: UUID) -> "StepLink | None":
        """Return the link in the metadata of this conversation, or None.

        People may write metadata, but cannot choose the ID of a conversation.
        """
        stored: Any = metadata.get(LINK) if isinstance(metadata, dict) else None
        try:
            link = cls(
                UUID(stored["execution"]),
                UUID(stored["step_execution"]),
                str(stored["step"]),
                int(stored["item"]),
                int(stored["attempt"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
        return link if link.conversation_id == conversation_id else None

    def render(self) -> dict[str, Any]:
        """Return the link as metadata."""
        ids = {"execution": str(self.execution_id), "step_execution": str(self.step_execution_id)}
        return {LINK: {**ids, "step": self.step_id, "item": self.item, "attempt": self.attempt}}

    @property
    def conversation_id(self) -> UUID:
        """ID of the conversation: a UUIDv7 with the time of the attempt and a digest instead of random bits."""
        text = f"{self.step_execution_id}:{self.step_id}:{self.item}:{self.attempt}"
        digest = int.from_bytes(sha256(text.encode()).digest()[:10])
        time, low = self.step_execution_id.int >> 80, digest & (1 << 62) - 1
        return UUID(int=time << 80 | 7 << 76 | (digest >> 64 & 0xFFF) << 64 | 2 << 62 | low)


def defer_wake(tenant_id: UUID, step_execution_id: UUID) -> None:
    """Defer the end of the wait of a step, in the current transaction."""
    from procrastinate.contrib.django import app

    app.configure_task(JOB).defer(tenant_id=str(tenant_id), step_execution_id=str(step_execution_id))


def defer_cancellations(tenant_id: UUID, execution_id: UUID) -> None:
    """Defer the end of the answers that steps of a run wait for, in the transaction that ends the run."""
    from procrastinate.contrib.django import app

    waiting = StepExecution.objects.filter(
        execution_id=execution_id, kind=StepKind.AGENT, status=StepStatus.WAITING
    )
    for step in waiting:
        link = StepLink(execution_id, step.pk, step.step_id, step.item, step.attempt)
        ids = {"tenant_id": str(tenant_id), "conversation_id": str(link.conversation_id)}
        app.configure_task(CANCEL_JOB).defer(**ids)


def wake_step(tenant_id: UUID, step_execution_id: UUID) -> bool:
    """Run the body of the step again if it waits. Needs a tenant scope."""
    return resume_step(tenant_id, step_execution_id, None)


def wake_after_answer(sender: Any, *, answer: Message, was_parked: bool, **kwargs: Any) -> None:
    """Wake the step of an answer that ended after people decided on its tool calls."""
    link = StepLink.from_metadata(answer.metadata, answer.conversation_id) if was_parked else None
    if link:
        defer_wake(answer.tenant_id, link.step_execution_id)


def wake_after_meeting(sender: Any, *, conversation_id: UUID, **kwargs: Any) -> None:
    """Wake the step of a meeting that ended."""
    conversation = Conversation.objects.get(pk=conversation_id)
    if link := StepLink.from_metadata(conversation.metadata, conversation_id):
        defer_wake(conversation.tenant_id, link.step_execution_id)
