"""Reminders, escalation and expiry of approvals."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from config.postgres.logins import WORKER
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from workflows.choices import Decision
from workflows.models import Approval
from workflows.services import approval_deadlines
from workflows.services.approval_deadlines import DUE_SQL, settle_due_approval
from workflows.services.approvals import EMAIL_JOB, ApprovalClosedError
from workflows.tests.approval_steps import BRANCH, answer, ask, make_due, read

HOUR = timedelta(hours=1)


def emails(tenant, **args):
    with tenant_scope(tenant, actor="system:test"):
        jobs = ProcrastinateJob.objects.filter(task_name=EMAIL_JOB, args__contains=args).order_by("id")
        return [each["user_id"] for each in jobs.values_list("args", flat=True)]


def settle(approval):
    return settle_due_approval(approval.tenant_id, approval.pk)


@pytest.mark.parametrize(("rule", "status"), [({}, "failed"), ({"on_reject": BRANCH}, "completed")])
def test_an_approval_expires(tenant, member, rule, status):
    approval = ask(tenant, member, expires=HOUR, **rule)
    assert settle(approval) is False
    make_due(approval, "expires_at")
    with pytest.raises(ApprovalClosedError, match="expired"):
        answer(approval, member)

    assert settle(approval) is True
    row = read(approval)
    assert (row.status, row.decided_at, row.step.status) == ("expired", None, status)
    assert settle(approval) is False


def test_reminders_repeat_without_catching_up(tenant, member):
    other = add_member(tenant, "user")
    approval = ask(tenant, member, other, required=2, remind=HOUR)
    answer(approval, member)
    late = timezone.now() - timedelta(hours=5)
    with tenant_scope(tenant, actor="system:test"):
        Approval.objects.filter(pk=approval.pk).update(remind_at=late)

    assert settle(approval) is True
    assert emails(tenant, is_reminder=True) == [str(other.user_id)]
    assert timezone.now() < read(approval).remind_at <= timezone.now() + HOUR


def test_a_due_approval_is_escalated_once(tenant, member):
    asked, chief = add_member(tenant, "user"), add_member(tenant, "viewer")
    approval = ask(tenant, asked, due=HOUR, escalate_to="admin")
    with tenant_scope(tenant, actor="system:test"):
        names = [chief.user.email, "admin", "left@example.org"]
        Approval.objects.filter(pk=approval.pk).update(escalate_to=names)
    make_due(approval, "due_at")

    assert settle(approval) is True
    assert emails(tenant) == [str(asked.user_id), str(member.user_id), str(chief.user_id)]
    assert read(approval).next_action_at is None
    assert settle(approval) is False
    answer(approval, chief, Decision.REJECTED)
    assert read(approval).status == "rejected"


def test_decided_approvals_are_left_alone(tenant, member):
    approval = ask(tenant, member, expires=HOUR, remind=HOUR)
    answer(approval, member)
    make_due(approval, "remind_at")

    assert settle(approval) is False
    assert read(approval).status == "approved"


@pytest.mark.django_db(transaction=True)
def test_an_error_of_one_approval_does_not_delay_the_others(tenant, member, monkeypatch, second_connection):
    approvals = [ask(tenant, member, expires=HOUR) for _ in range(2)]
    for approval in approvals:
        make_due(approval, "expires_at")
    settled = []

    def settle_or_fail(_tenant_id, approval_id):
        settled.append(approval_id)
        if len(settled) == 1:
            raise RuntimeError("The first one fails.")
        return True

    monkeypatch.setattr(approval_deadlines, "settle_due_approval", settle_or_fail)
    with second_connection(WORKER) as worker:
        monkeypatch.setattr(approval_deadlines, "connection", worker)
        assert approval_deadlines.settle_due_approvals() == 1
    assert set(settled) == {each.pk for each in approvals}


@pytest.mark.django_db(transaction=True)
def test_the_worker_settles_the_approvals_of_all_tenants(tenant, other_tenant, second_connection):
    approvals = [ask(each, add_member(each), expires=HOUR) for each in (tenant, other_tenant, tenant)]
    for approval in approvals[:2]:
        make_due(approval, "expires_at")

    with second_connection(WORKER) as worker:
        due = worker.execute(DUE_SQL, [10]).fetchall()
    assert {approval_id for _, approval_id in due} == {each.pk for each in approvals[:2]}
    assert [settle_due_approval(*row) for row in due] == [True, True]
    assert [read(each).status for each in approvals] == ["expired", "expired", "pending"]
    assert connection.in_atomic_block is False
