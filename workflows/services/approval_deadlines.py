"""Reminders, escalation and expiry of approvals."""

import logging
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from audit.services.events import record_event
from config.tenancy.scope import tenant_scope
from workflows.choices import ApprovalStatus
from workflows.models import Approval
from workflows.services.approvals import (
    ApprovalClosedError,
    add_assignees,
    lock_approval,
    queue_emails,
    settle,
)
from workflows.services.approvers import UnknownApproverError, find_approvers, list_candidates

ACTOR = "system:approvals"
DUE_SQL = "SELECT tenant_id, approval_id FROM conclave_due_approvals(%s)"
BATCH_SIZE = 500
logger = logging.getLogger(__name__)


def settle_due_approvals() -> int:
    """Process the due approvals: reminders, escalation and expiry, each in a transaction. Return their number.

    An error of one does not delay the others.

    Call it outside any scope, as the worker.
    """
    with connection.cursor() as cursor:
        cursor.execute(DUE_SQL, [BATCH_SIZE])
        due = cursor.fetchall()
    count = 0
    for tenant_id, approval_id in due:
        try:
            count += settle_due_approval(tenant_id, approval_id)
        except Exception:
            logger.exception("approval %s was not settled; the next call retries", approval_id)
    return count


def settle_due_approval(tenant_id: UUID, approval_id: UUID) -> bool:
    """Do what is due for one approval and return whether anything was. Call it outside any scope."""
    with tenant_scope(tenant_id, actor=ACTOR):
        approval = lock_approval(approval_id)
        now = timezone.now()
        is_due = approval.next_action_at is not None and approval.next_action_at <= now
        if approval.status != ApprovalStatus.PENDING or not is_due:
            return False
        if approval.expires_at is not None and approval.expires_at <= now:
            _expire(approval)
            return True
        if approval.escalated_at is None and approval.due_at is not None and approval.due_at <= now:
            _escalate(approval)
        if approval.remind_at is not None and approval.remind_at <= now:
            _remind(approval)
        return True


def _expire(approval: Approval) -> None:
    try:
        settle(approval, ApprovalStatus.EXPIRED)
    except ApprovalClosedError:
        # The step ended in another way.
        approval.status = ApprovalStatus.CANCELLED
        approval.save()


def _escalate(approval: Approval) -> None:
    """Ask the members and roles of `escalate_to` too."""
    before = set(list_candidates(approval))
    approval.escalated_at = timezone.now()
    for name in approval.escalate_to:
        try:
            found = find_approvers([name])
        except UnknownApproverError:
            # The person left after the request.
            continue
        add_assignees(approval, found.user_ids)
        approval.candidate_roles = list(dict.fromkeys([*approval.candidate_roles, *found.roles]))
    approval.save()
    record_event("approval.escalated", resource=approval)
    queue_emails(approval, [each for each in list_candidates(approval) if each not in before])


def _remind(approval: Approval) -> None:
    """Send reminders, and skip those that were missed."""
    interval, due = timedelta(seconds=approval.remind_seconds or 0), approval.remind_at
    if interval and due is not None:
        approval.remind_at = due + interval * ((timezone.now() - due) // interval + 1)
    else:
        approval.remind_at = None
    approval.save()
    record_event("approval.reminded", resource=approval)
    queue_emails(approval, list_candidates(approval), is_reminder=True)
