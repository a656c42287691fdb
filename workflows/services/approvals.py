"""Approvals and forms: request, decision and delegation.

A decision locks the run before the approval, as the engine does when it cancels a run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app

from accounts.choices import MemberStatus
from accounts.models import Membership
from conversations.runtime.structured_output import AnswerValidationError
from tenants.event_types import WorkflowApprovalDecidedEvent, WorkflowApprovalRequestedEvent
from tenants.services.outbox import publish
from workflows.choices import ApprovalStatus, Decision, DecisionChannel, RejectionRule
from workflows.models import Approval, ApprovalAssignee, ApprovalDecision, StepExecution
from workflows.services.approvers import DEFAULT_ROLES, Approvers, list_candidates, may_decide
from workflows.services.form_values import ROOT, find_value_errors
from workflows.services.runs import complete_waiting_step
from workflows.step_errors import StepError

EMAIL_JOB = "workflows.tasks.send_approval_email"
MAX_EMAILS = 100
MAX_COMMENT = 10_000
MESSAGES = {
    ApprovalStatus.REJECTED: "The approval was rejected.",
    ApprovalStatus.EXPIRED: "The approval expired.",
}


class ApprovalClosedError(ValidationError):
    """The approval is decided, expired or cancelled, or this person has decided. The API answers 409."""


class NotApproverError(PermissionDenied):
    """The user is not asked to decide."""


class FormValuesError(ValueError):
    """Values do not match the form. `errors` lists messages by field."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("The values do not match the form.")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """A question to people. Without assignees and roles, all who can start workflows are asked."""

    prompt: str
    approvers: Approvers
    required: int = 1
    form: dict[str, Any] | None = None
    on_reject: str = RejectionRule.FAIL
    escalate_to: tuple[str, ...] = ()
    due: timedelta | None = None
    remind: timedelta | None = None
    expires: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision of a person, with a comment and the values of the form."""

    decision: Decision
    comment: str = ""
    values: Mapping[str, Any] | None = None
    channel: DecisionChannel = DecisionChannel.API


@transaction.atomic
def request_approval(step_execution_id: UUID, request: ApprovalRequest) -> Approval:
    """Ask people for a decision, in the transaction in which the step begins to wait."""
    now, approvers = timezone.now(), request.approvers
    named = bool(approvers.user_ids or approvers.roles)
    approval = Approval(
        step_id=step_execution_id,
        prompt=request.prompt,
        candidate_roles=list(approvers.roles if named else DEFAULT_ROLES),
        required=request.required,
        form=request.form,
        on_reject=request.on_reject,
        escalate_to=list(request.escalate_to),
        due_at=now + request.due if request.due else None,
        remind_at=now + request.remind if request.remind else None,
        remind_seconds=round(request.remind.total_seconds()) if request.remind else None,
        expires_at=now + request.expires if request.expires else None,
    )
    approval.save(force_insert=True)
    add_assignees(approval, approvers.user_ids)
    step = StepExecution.objects.select_related("execution").get(pk=step_execution_id)
    publish(
        WorkflowApprovalRequestedEvent(
            approval_id=approval.pk,
            workflow_id=step.execution.workflow_id,
            execution_id=step.execution_id,
            step_id=step.step_id,
        )
    )
    queue_emails(approval, list_candidates(approval))
    return approval


def add_assignees(approval: Approval, user_ids: tuple[UUID, ...], **fields: Any) -> None:
    """Ask users who are not asked yet."""
    known = set(ApprovalAssignee.objects.filter(approval=approval).values_list("user_id", flat=True))
    for user_id in user_ids:
        if user_id not in known:
            ApprovalAssignee(approval=approval, user_id=user_id, **fields).save(force_insert=True)


def queue_emails(approval: Approval, user_ids: list[UUID], *, is_reminder: bool = False) -> None:
    """Defer an e-mail to each user, at most `MAX_EMAILS`, in the current transaction."""
    jobs: list[dict[str, Any]] = [
        {
            "tenant_id": str(approval.tenant_id),
            "approval_id": str(approval.pk),
            "user_id": str(user_id),
            "is_reminder": is_reminder,
        }
        for user_id in user_ids[:MAX_EMAILS]
    ]
    if jobs:
        app.configure_task(EMAIL_JOB).batch_defer(*jobs)


@transaction.atomic
def decide(approval_id: UUID, answer: Answer, *, user_id: UUID | None) -> Approval:
    """Record a decision. The last one that is required ends the step.

    Raises:
        NotApproverError: the user is not asked.
        ApprovalClosedError: the approval no longer waits, or the user has decided.
        FormValuesError: the values do not match the form.
    """
    approval = lock_approval(approval_id)
    if not may_decide(approval, user_id):
        raise NotApproverError
    require_open(approval)
    decisions = ApprovalDecision.objects.filter(approval=approval)
    if decisions.filter(user_id=user_id).exists():
        raise ApprovalClosedError("You have already decided.", code="already_decided")
    is_approved = answer.decision == Decision.APPROVED
    values = dict(answer.values or {})
    if is_approved:
        _validate_values(approval, values)
    ApprovalDecision(
        approval=approval,
        user_id=user_id,
        decision=answer.decision,
        comment=answer.comment[:MAX_COMMENT],
        values=values if is_approved and approval.form else None,
        channel=answer.channel,
    ).save(force_insert=True)
    if is_approved and decisions.filter(decision=Decision.APPROVED).count() < approval.required:
        return approval
    approval.decided_by_id, approval.comment = user_id, answer.comment[:MAX_COMMENT]
    if is_approved and approval.form:
        approval.values = values
    settle(approval, ApprovalStatus.APPROVED if is_approved else ApprovalStatus.REJECTED)
    return approval


def lock_approval(approval_id: UUID) -> Approval:
    """Lock the run, its step and the approval until the transaction ends, and return the approval."""
    steps = StepExecution.objects.filter(approvals=approval_id).select_related("execution")
    steps.select_for_update(no_key=True, of=("execution", "self")).order_by().get()
    return Approval.objects.select_for_update(no_key=True).get(pk=approval_id)


def require_open(approval: Approval, now: datetime | None = None) -> None:
    """Require that the approval waits for decisions.

    Raises:
        ApprovalClosedError: it is decided, expired or cancelled.
    """
    if approval.status != ApprovalStatus.PENDING:
        raise ApprovalClosedError(f"The approval is {approval.status}.", code="approval_closed")
    if approval.expires_at is not None and approval.expires_at <= (now or timezone.now()):
        raise ApprovalClosedError("The approval has expired.", code="approval_closed")


def _validate_values(approval: Approval, values: dict[str, Any]) -> None:
    try:
        errors = find_value_errors(approval.form, values)
    except AnswerValidationError as error:
        errors = {ROOT: [str(error)]}
    if errors:
        raise FormValuesError(errors)


def settle(approval: Approval, status: ApprovalStatus) -> None:
    """Close a locked approval, end its step and publish the event.

    Raises:
        ApprovalClosedError: the step no longer waits.
    """
    approval.status = status
    approval.decided_at = timezone.now() if status != ApprovalStatus.EXPIRED else None
    approval.save()
    step = StepExecution.objects.select_related("execution").get(pk=approval.step_id)
    publish(
        WorkflowApprovalDecidedEvent(
            approval_id=approval.pk,
            workflow_id=step.execution.workflow_id,
            execution_id=step.execution_id,
            step_id=step.step_id,
            status=status.value,
            decided_by=approval.decided_by_id,
        )
    )
    fails = status != ApprovalStatus.APPROVED and approval.on_reject == RejectionRule.FAIL
    error = StepError(status.value, MESSAGES[status], retryable=False) if fails else None
    output = None if fails else build_output(approval)
    if not complete_waiting_step(approval.step_id, output=output, error=error):
        raise ApprovalClosedError("The step no longer waits for this approval.", code="approval_closed")


def build_output(approval: Approval) -> dict[str, Any]:
    """Return the output of the step: the result, the values, and each decision with its time."""
    rows = ApprovalDecision.objects.filter(approval=approval).order_by("id")
    return {
        "decision": approval.status,
        "values": approval.values or {},
        "comment": approval.comment,
        "who": str(approval.decided_by_id) if approval.decided_by_id else None,
        "when": (approval.decided_at or timezone.now()).isoformat(),
        "decisions": [
            {
                "decision": row.decision,
                "who": str(row.user_id),
                "when": row.created_at.isoformat(),
                "comment": row.comment,
                "values": row.values or {},
            }
            for row in rows
        ],
    }


@transaction.atomic
def delegate(approval_id: UUID, *, user_id: UUID | None, to_user_id: UUID) -> ApprovalAssignee:
    """Let another member decide instead of the user, who can no longer decide.

    Raises:
        NotApproverError: the user is not asked.
        ApprovalClosedError: the approval no longer waits, or one of the two has decided.
        ValidationError: the other one is not an active member, or is already asked.
    """
    approval = lock_approval(approval_id)
    if not may_decide(approval, user_id):
        raise NotApproverError
    require_open(approval)
    decided = ApprovalDecision.objects.filter(approval=approval, user_id__in=[user_id, to_user_id])
    if decided.exists():
        raise ApprovalClosedError("One of the two members has already decided.", code="already_decided")
    if not Membership.objects.filter(
        user_id=to_user_id, status=MemberStatus.ACTIVE, user__is_active=True
    ).exists():
        raise ValidationError({"user": "This user is not an active member."})
    if to_user_id == user_id or may_decide(approval, to_user_id) or _is_asked(approval, to_user_id):
        raise ValidationError({"user": "This member is already asked."})
    delegation, _ = ApprovalAssignee.objects.get_or_create(approval=approval, user_id=user_id)
    delegation.delegated_to_id = to_user_id
    delegation.save()
    assignee = ApprovalAssignee(approval=approval, user_id=to_user_id, delegated_by_id=user_id)
    assignee.save(force_insert=True)
    queue_emails(approval, [to_user_id])
    return assignee


def _is_asked(approval: Approval, user_id: UUID) -> bool:
    return ApprovalAssignee.objects.filter(approval=approval, user_id=user_id).exists()
