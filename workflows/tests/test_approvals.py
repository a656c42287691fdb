"""Approvals and forms: who decides, how many, and what the step returns."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.tests.factories import RoleAssignmentFactory, RoleFactory
from audit.models import AuditLog
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from tenants.models import OutboxEvent
from workflows.choices import Decision
from workflows.models import Approval, StepExecution
from workflows.runtime.bodies.approvals import read_duration, read_request
from workflows.runtime.step_bodies import StepError
from workflows.services.approvals import (
    EMAIL_JOB,
    ApprovalClosedError,
    FormValuesError,
    NotApproverError,
    delegate,
)
from workflows.services.approvers import list_candidates, waiting_for
from workflows.tests.approval_steps import BRANCH, FORM, answer, ask, count_decisions, read


def list_mine(person):
    with tenant_scope(person.tenant_id, user=person.user_id):
        return list(waiting_for(person.user_id).values_list("id", flat=True))


def candidates(approval):
    with tenant_scope(approval.tenant_id, actor="system:test"):
        return list_candidates(Approval.objects.get(pk=approval.pk))


def test_the_approval_of_an_assignee_ends_the_step(tenant, member):
    approval = ask(tenant, member)
    answer(approval, member, comment="Fine")
    row = read(approval)

    assert (row.status, row.decided_by_id, row.comment) == ("approved", member.user_id, "Fine")
    assert row.step.status == "completed"
    output = row.step.output_data
    assert (output["decision"], output["who"], output["values"]) == ("approved", str(member.user_id), {})
    assert [each["comment"] for each in output["decisions"]] == ["Fine"]


def test_only_those_who_are_asked_decide(tenant, member):
    asked, other = add_member(tenant, "viewer"), add_member(tenant, "admin")
    approval = ask(tenant, asked)

    with pytest.raises(NotApproverError):
        answer(approval, other)
    assert (list_mine(asked), list_mine(other)) == ([approval.pk], [])


def test_members_with_a_candidate_role_decide(tenant, member):
    analyst, editor = add_member(tenant, "analyst"), add_member(tenant, "viewer")
    expired, viewer = add_member(tenant, "viewer"), add_member(tenant, "viewer")
    with tenant_scope(tenant, user=member.user):
        role = RoleFactory(slug="editor")
        RoleAssignmentFactory(role=role, user=editor.user)
        RoleAssignmentFactory(role=role, user=expired.user, expires_at=role.created_at - timedelta(days=1))
    approval = ask(tenant, roles=["analyst", "editor"])

    assert candidates(approval) == [analyst.user_id, editor.user_id]
    assert [bool(list_mine(each)) for each in (analyst, editor, expired, viewer, member)] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_without_names_those_who_may_start_workflows_decide(tenant, member):
    people = [member, add_member(tenant, "analyst"), add_member(tenant, "user")]
    add_member(tenant, "viewer")

    assert candidates(ask(tenant)) == [each.user_id for each in people]


def test_n_of_m_approvals_are_required(tenant, member):
    people = [add_member(tenant) for _ in range(3)]
    approval = ask(tenant, *people, required=2)
    answer(approval, people[0])

    assert (read(approval).status, read(approval).step.status) == ("pending", "waiting")
    with pytest.raises(ApprovalClosedError, match="already decided"):
        answer(approval, people[0])
    assert list_mine(people[0]) == []
    answer(approval, people[2])
    assert (read(approval).status, count_decisions(approval)) == ("approved", 2)


@pytest.mark.parametrize(("rule", "status"), [({}, "failed"), ({"on_reject": BRANCH}, "completed")])
def test_the_first_rejection_rejects(tenant, member, rule, status):
    people = [add_member(tenant) for _ in range(3)]
    approval = ask(tenant, *people, required=2, **rule)
    answer(approval, people[0])
    answer(approval, people[1], Decision.REJECTED, comment="No")
    row = read(approval)

    assert (row.status, row.step.status) == ("rejected", status)
    assert (row.step.output_data or {}).get("decision") == ("rejected" if rule else None)
    with pytest.raises(ApprovalClosedError):
        answer(approval, people[2])


@pytest.mark.django_db(transaction=True)
def test_parallel_decisions_are_counted_exactly(tenant):
    people = [add_member(tenant) for _ in range(6)]
    approval = ask(tenant, *people, required=3)

    def attempt(person):
        try:
            return answer(approval, person).status
        except ApprovalClosedError:
            return "closed"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        found = sorted(pool.map(attempt, people))

    assert found == ["approved", "closed", "closed", "closed", "pending", "pending"]
    assert (read(approval).step.status, count_decisions(approval)) == ("completed", 3)


def test_values_must_match_the_form(tenant, member):
    approval = ask(tenant, member, form=FORM)
    with pytest.raises(FormValuesError) as caught:
        answer(approval, member, values={"copies": 0})

    assert set(caught.value.errors) == {"title", "copies"}
    assert caught.value.errors["title"] == ["This field is required."]
    answer(approval, member, values={"title": "News", "copies": 2})
    assert read(approval).step.output_data["values"] == {"title": "News", "copies": 2}


def test_a_rejection_needs_no_values(tenant, member):
    approval = ask(tenant, member, form=FORM)
    answer(approval, member, Decision.REJECTED)

    assert (read(approval).status, read(approval).values) == ("rejected", None)


def test_a_delegate_decides_instead(tenant, member):
    absent, deputy = add_member(tenant, "viewer"), add_member(tenant, "viewer")
    approval = ask(tenant, absent)
    with tenant_scope(tenant, user=absent.user):
        delegate(approval.pk, user_id=absent.user_id, to_user_id=deputy.user_id)

    assert candidates(approval) == [deputy.user_id]
    with pytest.raises(NotApproverError):
        answer(approval, absent)
    answer(approval, deputy)
    assert read(approval).decided_by_id == deputy.user_id


def test_delegation_does_not_multiply_votes(tenant, member):
    first, second, outsider = (add_member(tenant) for _ in range(3))
    approval = ask(tenant, first, second, required=2)
    with tenant_scope(tenant, user=first.user):
        for target in (second.user_id, first.user_id, add_member(tenant, status="inactive").user_id):
            with pytest.raises(ValidationError):
                delegate(approval.pk, user_id=first.user_id, to_user_id=target)
        with pytest.raises(NotApproverError):
            delegate(approval.pk, user_id=outsider.user_id, to_user_id=first.user_id)
    answer(approval, first)
    with tenant_scope(tenant, user=first.user), pytest.raises(ApprovalClosedError):
        delegate(approval.pk, user_id=first.user_id, to_user_id=outsider.user_id)


def test_a_candidate_who_delegates_no_longer_decides(tenant, member):
    deputy = add_member(tenant, "viewer")
    approval = ask(tenant, roles=["admin"])
    with tenant_scope(tenant, user=member.user):
        delegate(approval.pk, user_id=member.user_id, to_user_id=deputy.user_id)

    assert candidates(approval) == [deputy.user_id]


def test_a_cancelled_step_cancels_its_approval(tenant, member):
    approval = ask(tenant, member)
    with tenant_scope(tenant, actor="system:test"):
        StepExecution.objects.filter(pk=approval.step_id).update(status="cancelled")

    assert read(approval).status == "cancelled"
    assert list_mine(member) == []
    with pytest.raises(ApprovalClosedError):
        answer(approval, member)


def test_decisions_are_audited_and_published(tenant, member):
    approval = ask(tenant, member, form=FORM)
    answer(approval, member, values={"title": "Secret title"})
    with tenant_scope(tenant, user=member.user):
        (row,) = AuditLog.objects.filter(resource_type="workflows.approvaldecision")
        events = OutboxEvent.objects.filter(type__startswith="workflow.approval").order_by("id")
        found = [(each.type, each.data.get("status")) for each in events]
        jobs = list(ProcrastinateJob.objects.filter(task_name=EMAIL_JOB).values_list("args", flat=True))

    assert (row.user_id, "Secret title" in str(row.new_values)) == (member.user_id, False)
    assert found == [("workflow.approval_requested", None), ("workflow.approval_decided", "approved")]
    assert [each["user_id"] for each in jobs] == [str(member.user_id)]


def test_steps_name_people_by_email_id_and_role(scope, tenant, member):
    other = add_member(tenant, "viewer")
    request = read_request(
        {
            "prompt": "Publish?",
            "assignees": [member.user.email, str(other.user_id)],
            "roles": ["analyst"],
            "required": 2,
            "expires": "P3D",
            "remind": 3600,
        }
    )

    assert request.approvers.user_ids == (member.user_id, other.user_id)
    assert request.approvers.roles == ("analyst",)
    assert (request.expires, request.remind) == (timedelta(days=3), timedelta(hours=1))


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"assignees": ["nobody@example.org"]}, "unknown_approver"),
        ({"roles": ["no-such-role"]}, "unknown_approver"),
        ({"escalate_to": ["nobody@example.org"]}, "unknown_approver"),
        ({"form": {"type": "array"}}, "invalid_form"),
        ({"required": 101}, "invalid_approval"),
        ({"expires": "soon"}, "invalid_duration"),
        ({"remind": -5}, "invalid_duration"),
    ],
)
def test_wrong_settings_of_a_step_fail_it(scope, config, code):
    with pytest.raises(StepError) as caught:
        read_request({"prompt": "Publish?"} | config)

    assert (caught.value.code, caught.value.retryable) == (code, False)


def test_more_approvals_than_people_fail_the_step(scope, member):
    with pytest.raises(StepError, match="1 people can decide"):
        read_request({"assignees": [member.user.email], "required": 2})


def test_durations_are_seconds_or_iso():
    assert read_duration("PT90M", "due") == read_duration(5400, "due") == timedelta(minutes=90)
    assert read_duration("P2W", "due") == timedelta(days=14)
    assert read_duration(None, "due") is None
