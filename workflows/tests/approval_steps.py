"""Steps that wait for people."""

from datetime import timedelta

from django.utils import timezone

from config.tenancy.scope import tenant_scope
from workflows.choices import Decision, RejectionRule
from workflows.models import Approval, ApprovalDecision
from workflows.services.approvals import Answer, decide
from workflows.services.runs import start_run
from workflows.testing import run_lanes
from workflows.tests.runs import publish

FORM = {
    "type": "object",
    "properties": {"title": {"type": "string", "minLength": 3}, "copies": {"type": "integer", "minimum": 1}},
    "required": ["title"],
}


def ask(tenant, *people, roles=(), prompt="Publish this?", **members):
    """Run a workflow until it waits for people and return the approval."""
    members = {
        name: value.total_seconds() if isinstance(value, timedelta) else value
        for name, value in members.items()
    }
    step = {
        "id": "review",
        "kind": "approval",
        "prompt": prompt,
        "assignees": [each.user.email for each in people],
        "roles": list(roles),
        **members,
    }
    with tenant_scope(tenant, actor="system:test"):
        run = start_run(publish(step))
    run_lanes(tenant)
    with tenant_scope(tenant, actor="system:test"):
        return Approval.objects.get(step__execution=run)


def answer(approval, person, decision=Decision.APPROVED, **fields):
    """Decide in the scope of a person."""
    with tenant_scope(approval.tenant_id, user=person.user_id):
        return decide(approval.pk, Answer(decision, **fields), user_id=person.user_id)


def read(approval):
    """Run the lanes, and return the approval with its step."""
    run_lanes(approval.tenant_id)
    with tenant_scope(approval.tenant_id, actor="system:test"):
        return Approval.objects.select_related("step").get(pk=approval.pk)


def count_decisions(approval):
    with tenant_scope(approval.tenant_id, actor="system:test"):
        return ApprovalDecision.objects.filter(approval=approval).count()


def make_due(approval, *names):
    """Set times of the approval to a moment that has passed."""
    with tenant_scope(approval.tenant_id, actor="system:test"):
        Approval.objects.filter(pk=approval.pk).update(**dict.fromkeys(names, timezone.now()))


BRANCH = RejectionRule.BRANCH
