"""E-mail notifications of events."""

from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.services.notifications import JOB, list_notifications, send_notification
from accounts.tests.factories import UserSettingsFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from tenants.event_types import (
    ApprovalRequestedEvent,
    BudgetExceededEvent,
    MemberJoinedEvent,
    RunCompletedEvent,
)
from tenants.models import OutboxEvent
from tenants.services import relay
from tenants.services.outbox import publish
from tenants.services.relay import relay_events


@pytest.fixture(autouse=True)
def rolled_back(monkeypatch):
    """Relay events of the open transaction, since tests do not commit."""
    monkeypatch.setattr(relay, "RELAYABLE", "true")


def budget_exceeded(tenant):
    return BudgetExceededEvent(
        subject="tenant", subject_id=tenant.pk, resource="tokens", period="day", limit=10
    )


def joined(tenant):
    return MemberJoinedEvent(membership_id=uuid4(), user_id=uuid4(), role="user")


def queued(tenant, event):
    """Publish and relay the event; return the arguments of the new jobs."""
    with tenant_scope(tenant):
        publish(event)
    relay_events(tenant.pk)
    with tenant_scope(tenant):
        return list(ProcrastinateJob.objects.filter(task_name=JOB).values_list("args", flat=True))


def send(arguments):
    return send_notification(*(arguments[name] for name in ("tenant_id", "event_id", "user_id")))


def choose(member, **fields):
    with tenant_scope(member.tenant_id, user=member.user_id):
        UserSettingsFactory(user_id=member.user_id, **fields)


def test_administrators_get_emails_about_limits(tenant, member, other_tenant):
    add_member(tenant, "user")
    add_member(other_tenant)
    (arguments,) = queued(tenant, budget_exceeded(tenant))
    sent = send(arguments)
    (message,) = mail.outbox

    assert (sent, arguments["user_id"], message.to) == (True, str(member.user_id), [member.user.email])
    assert message.subject == f"A limit refused a request ({tenant.name})"
    assert "resource: tokens" in message.body
    assert message.extra_headers["Message-ID"].startswith(f"<{arguments['event_id']}.")


def test_the_person_is_asked_for_approval(tenant, member):
    asked = add_member(tenant, "user")
    event = ApprovalRequestedEvent(
        conversation_id=uuid4(), message_id=uuid4(), tools=["shell"], user_id=asked.user_id
    )

    assert [each["user_id"] for each in queued(tenant, event)] == [str(asked.user_id)]


def test_other_events_send_no_email(tenant, member):
    event = RunCompletedEvent(run_id=uuid4(), workflow_id=uuid4(), status="completed")

    assert queued(tenant, event) == []


@pytest.mark.parametrize(
    ("event", "fields", "wanted"),
    [
        (budget_exceeded, {"notification_preferences": {"budget.exceeded": False}}, False),
        (budget_exceeded, {"notification_preferences": {"email": False}}, False),
        (budget_exceeded, {"notifications_enabled": False}, False),
        (budget_exceeded, {}, True),
        (joined, {}, False),
        (joined, {"notification_preferences": {"member.joined": True}}, True),
    ],
)
def test_each_person_chooses(tenant, member, event, fields, wanted):
    choose(member, **fields)
    (arguments,) = queued(tenant, event(tenant))

    assert send(arguments) == wanted == bool(mail.outbox)


def test_email_shows_the_time_of_the_recipient(tenant, member):
    choose(member, timezone="Asia/Tokyo", language="de")
    (arguments,) = queued(tenant, budget_exceeded(tenant))
    send(arguments)
    with tenant_scope(tenant):
        moment = OutboxEvent.objects.get(pk=arguments["event_id"]).created_at

    assert f", {moment.astimezone(ZoneInfo('Asia/Tokyo')):%H:%M} JST\n" in mail.outbox[0].body


def test_former_member_gets_no_email(tenant, member):
    leaving = add_member(tenant)
    jobs = queued(tenant, budget_exceeded(tenant))
    with tenant_scope(tenant, actor="system:test"):
        leaving.delete()

    assert sorted(map(send, jobs)) == [False, True]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, True),
        ({"notification_preferences": {"in_app": False}}, False),
        ({"notification_preferences": {"budget.exceeded": False}}, False),
        ({"notification_preferences": {"email": False}}, True),
        ({"notifications_enabled": False}, False),
    ],
)
def test_console_shows_the_notifications_that_the_user_wants(tenant, member, admin_client, fields, shown):
    choose(member, **fields)
    with tenant_scope(tenant):
        publish(budget_exceeded(tenant))

    assert ("A limit refused a request" in admin_client.get("/console/").content.decode()) is shown


def test_console_shows_events_to_those_they_concern(tenant, member, other_tenant):
    asked = add_member(tenant, "user")
    event = ApprovalRequestedEvent(
        conversation_id=uuid4(), message_id=uuid4(), tools=["shell"], user_id=asked.user_id
    )
    with tenant_scope(tenant):
        publish(event)
        publish(budget_exceeded(tenant))
    with tenant_scope(other_tenant):
        publish(budget_exceeded(other_tenant))

    def list_subjects(person, is_admin):
        with tenant_scope(tenant, user=person.user):
            return [each["subject"] for each in list_notifications(person.user_id, is_admin=is_admin)]

    assert list_subjects(member, True) == ["A limit refused a request"]
    assert list_subjects(asked, False) == ["A tool call waits for your approval"]
