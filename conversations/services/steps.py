"""Journal of a turn: each completed step in a separate transaction, under the turn's lease."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from conversations.choices import StreamType
from conversations.models import StreamEvent, TurnStep
from conversations.services.leases import Lease, advance


def list_steps(message_id: UUID) -> list[TurnStep]:
    """Return the completed steps of the answer, in order."""
    return list(
        TurnStep.objects.created_after_id(message_id).filter(message_id=message_id).order_by("number")
    )


@transaction.atomic
def add_step(
    lease: Lease,
    conversation_id: UUID,
    *,
    number: int,
    kind: str,
    payload: dict[str, Any],
    call_id: str = "",
) -> TurnStep:
    """Store one step.

    Raises:
        LeaseLostError: this process no longer holds the lease.
    """
    advance(lease)
    step = TurnStep(
        tenant_id=lease.tenant_id,
        conversation_id=conversation_id,
        message_id=lease.message_id,
        number=number,
        kind=kind,
        call_id=call_id,
        payload=payload,
    )
    step.save(force_insert=True)
    return step


def get_last_sequence(answer_id: UUID) -> int:
    """Return the number of the answer's last stored text chunk, or 0."""
    pieces = StreamEvent.objects.created_after_id(answer_id).filter(answer_id=answer_id)
    return pieces.order_by().aggregate(last=Max("sequence_number"))["last"] or 0


def build_text_chunk(
    lease: Lease, conversation_id: UUID, *, sequence: int, generation: int, offset: int, text: str
) -> StreamEvent:
    """Build an unsaved text chunk; `offset` is its position in the text of its generation."""
    return StreamEvent(
        tenant_id=lease.tenant_id,
        conversation_id=conversation_id,
        answer_id=lease.message_id,
        sequence_number=sequence,
        event_type=StreamType.MESSAGE,
        message={
            "role": "assistant",
            "content": text,
            "metadata": {"generation": generation, "offset": offset},
        },
    )


def list_text_chunks(answer_id: UUID, sequence: int) -> list[tuple[int, dict[str, Any]]]:
    """Return number and content of the stored text chunks after `sequence`, in order."""
    rows = StreamEvent.objects.created_after_id(answer_id).filter(
        answer_id=answer_id, sequence_number__gt=sequence
    )
    return list(rows.order_by("sequence_number", "id").values_list("sequence_number", "message"))
