"""Runs meetings of experts, contribution by contribution."""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from agents.models import Agent
from config.db.connections import release_connections
from config.tenancy.scope import require_tenant_id, tenant_scope
from conversations.choices import StreamType
from conversations.models import AnswerLease, Message, StreamEvent
from conversations.runtime.lease_renewal import lease_renewer
from conversations.runtime.loop import run_turn
from conversations.runtime.recovery import ACTOR, defer_resume, resume_answer
from conversations.runtime.turns import Caller, load_turn
from conversations.services.leases import MAX_ATTEMPTS, Lease, LeaseLostError, get_lease, is_due, take_over
from conversations.services.meeting_state import MeetingAgenda
from conversations.services.meetings import (
    advance_meeting,
    fail_meeting,
    list_events_after,
    open_meeting,
)
from conversations.streaming.answers import KEEP_ALIVE_SECONDS, MAX_POLL_SECONDS, MIN_POLL_SECONDS


def begin_meeting(
    conversation_id: UUID,
    *,
    question: str,
    experts: list[Agent],
    user_id: UUID | None,
    agenda: MeetingAgenda | None = None,
) -> Message:
    """Open a meeting and defer it to a worker. Needs a tenant scope.

    Raises the same exceptions as `open_meeting`.
    """
    question_message = open_meeting(
        conversation_id, question=question, experts=experts, user_id=user_id, agenda=agenda
    )
    defer_resume(require_tenant_id(), question_message.pk)
    return question_message


def resume_work(tenant_id: UUID, message_id: UUID) -> None:
    """Resume an interrupted answer or meeting. Call it outside any scope."""
    with tenant_scope(tenant_id, actor=ACTOR):
        row = AnswerLease.objects.filter(message_id=message_id).first()
    if row is None:
        return
    if row.kind == "meeting":
        run_meeting(tenant_id, message_id)
    else:
        resume_answer(tenant_id, message_id)


def run_meeting(tenant_id: UUID, question_id: UUID) -> bool:
    """Take over the meeting about this question and run it to its end.

    Returns:
        False if another process runs the meeting.
    """
    with tenant_scope(tenant_id, actor=ACTOR):
        row = take_over(question_id)
        if row is None:
            return False
        if row.attempts > MAX_ATTEMPTS:
            fail_meeting(row.conversation_id, get_lease(row))
            return True
    caller = Caller(row.tenant_id, row.user_id, row.actor)
    try:
        with lease_renewer.renewing(get_lease(row)):
            _run_contributions(caller, row.conversation_id, get_lease(row))
    except LeaseLostError:
        return False
    return True


def _run_contributions(caller: Caller, conversation_id: UUID, lease: Lease) -> None:
    while True:
        with caller.scope():
            contribution = advance_meeting(conversation_id, lease)
            turn = None
            if contribution and contribution.lease:
                turn = load_turn(contribution, caller)
        if contribution is None:
            return
        if turn:
            run_turn(turn)
        elif resume_answer(caller.tenant_id, contribution.answer.pk) is None:
            # Another process still holds the lease, or has just released it.
            time.sleep(MIN_POLL_SECONDS)


def follow_meeting(
    caller: Caller, conversation_id: UUID, question_id: UUID, after: int
) -> Iterator[StreamEvent | None]:
    """Stream a meeting's events after a position; None is a keep-alive.

    Needs no open scope and holds no connection while it waits.
    """
    last_event_at, pause = time.monotonic(), MIN_POLL_SECONDS
    while True:
        events = _read_events(caller, conversation_id, question_id, after)
        for event in events:
            after, last_event_at, pause = event.sequence_number, time.monotonic(), MIN_POLL_SECONDS
            yield event
            if event.event_type == StreamType.STREAM_COMPLETE:
                return
        if time.monotonic() - last_event_at >= KEEP_ALIVE_SECONDS:
            last_event_at = time.monotonic()
            yield None
        time.sleep(pause)
        pause = min(MAX_POLL_SECONDS, pause * 1.5)


def _read_events(caller: Caller, conversation_id: UUID, question_id: UUID, after: int) -> list[Any]:
    try:
        with caller.scope():
            events = list_events_after(conversation_id, after)
            if not events and is_due(question_id):
                defer_resume(caller.tenant_id, question_id)
            return events
    finally:
        release_connections()
