"""Runs meetings of experts, contribution by contribution."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from agents.models import Agent
from conversations.choices import StreamType
from conversations.models import AnswerLease, Message, StreamEvent
from conversations.runtime.connections import give_back
from conversations.runtime.keeper import keeper
from conversations.runtime.loop import run_turn
from conversations.runtime.resuming import ACTOR, resume_answer, resume_later
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import BegunTurn
from conversations.services.leases import MOST_ATTEMPTS, Lease, LeaseLost, is_due, lease_of, take_over
from conversations.services.meetings import (
    Contribution,
    advance_meeting,
    events_after,
    fail_meeting,
    open_meeting,
)
from tenants.scoping import require_tenant_id, tenant_scope

KEEP_ALIVE_SECONDS = 15
SHORTEST_POLL, LONGEST_POLL = 0.1, 1.0


def begin_meeting(
    conversation_id: UUID, *, question: str, experts: list[Agent], user_id: UUID | None
) -> Message:
    """Open a meeting and defer it to a worker. Needs a tenant scope.

    Raises the same exceptions as `open_meeting`.
    """
    asked = open_meeting(conversation_id, question=question, experts=experts, user_id=user_id)
    resume_later(require_tenant_id(), asked.pk)
    return asked


def resume_work(tenant_id: UUID, message_id: UUID) -> None:
    """Resume an interrupted answer or meeting. Call it outside any scope."""
    with tenant_scope(tenant_id, actor=ACTOR):
        row = AnswerLease.objects.filter(message_id=message_id).first()
    if row is None:
        return
    if row.kind == "meeting":
        lead_meeting(tenant_id, message_id)
    else:
        resume_answer(tenant_id, message_id)


def lead_meeting(tenant_id: UUID, question_id: UUID) -> bool:
    """Take over the meeting about this question and run it to its end.

    Returns:
        False if another process runs the meeting.
    """
    with tenant_scope(tenant_id, actor=ACTOR):
        row = take_over(question_id)
        if row is None:
            return False
        if row.attempts > MOST_ATTEMPTS:
            fail_meeting(row.conversation_id, lease_of(row))
            return True
    caller = Caller(row.tenant_id, row.user_id, row.actor)
    try:
        with keeper.holding(lease_of(row)):
            _lead(caller, row.conversation_id, lease_of(row))
    except LeaseLost:
        return False
    return True


def _lead(caller: Caller, conversation_id: UUID, lease: Lease) -> None:
    while True:
        with caller.scope():
            awaited = advance_meeting(conversation_id, lease)
            turn = None
            if awaited and awaited.lease:
                turn = load_turn(_begun(awaited), caller)
        if awaited is None:
            return
        if turn:
            run_turn(turn)
        elif resume_answer(caller.tenant_id, awaited.answer.pk) is None:
            # Another process still holds the lease, or has just released it.
            time.sleep(SHORTEST_POLL)


def _begun(awaited: Contribution) -> BegunTurn:
    return BegunTurn(awaited.conversation, awaited.question, awaited.answer, awaited.lease)


def follow_meeting(
    caller: Caller, conversation_id: UUID, question_id: UUID, after: int
) -> Iterator[StreamEvent | None]:
    """Stream a meeting's events after a position; None is a keep-alive.

    Needs no open scope and holds no connection while it waits.
    """
    told, pause = time.monotonic(), SHORTEST_POLL
    while True:
        events = _read(caller, conversation_id, question_id, after)
        for event in events:
            after, told, pause = event.sequence_number, time.monotonic(), SHORTEST_POLL
            yield event
            if event.event_type == StreamType.STREAM_COMPLETE:
                return
        if time.monotonic() - told >= KEEP_ALIVE_SECONDS:
            told = time.monotonic()
            yield None
        time.sleep(pause)
        pause = min(LONGEST_POLL, pause * 1.5)


def _read(caller: Caller, conversation_id: UUID, question_id: UUID, after: int) -> list[Any]:
    try:
        with caller.scope():
            events = events_after(conversation_id, after)
            if not events and is_due(question_id):
                resume_later(caller.tenant_id, question_id)
            return events
    finally:
        give_back()
