"""Notifications of outgoing events by e-mail and in the console, which each person chooses in the user settings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.mail import EmailMessage
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone
from procrastinate.contrib.django import app

from accounts.choices import MemberRole, MemberStatus
from accounts.models import Membership, User, UserProfile, UserSettings
from accounts.services.preferences import Preferences
from config.tenancy.scope import tenant_scope
from tenants.event_types import EVENT_TYPES, describe_event
from tenants.models import OutboxEvent

JOB = "accounts.tasks.send_notification"
# Notifications in the console: their age and number.
SHOWN_FOR = timedelta(days=14)
MAX_SHOWN = 10


@dataclass(frozen=True, slots=True)
class NotificationRule:
    """Subject of the e-mails about a type of event, and whether they are sent by default.

    The user whom the event names receives it if `to_person`, otherwise the administrators.
    """

    subject: str
    default: bool = True
    to_person: bool = False


RULES = {
    "activity.assigned": NotificationRule("You were assigned to an activity", to_person=True),
    "approval.requested": NotificationRule("A tool call waits for your approval", to_person=True),
    "budget.exceeded": NotificationRule("A limit refused a request"),
    "budget.warning": NotificationRule("A limit is nearly used up"),
    "member.joined": NotificationRule("A new member joined", default=False),
    "security.alert": NotificationRule("Security alert"),
    # The event names no user: workflows send the e-mails, with a link for each person who is asked.
    "workflow.approval_requested": NotificationRule("A workflow waits for your decision", to_person=True),
}


def queue_notifications(tenant_id: UUID, events: Iterable[tuple[UUID, str, str | None]], **_: Any) -> None:
    """Defer a job for each event and each possible recipient, in the current transaction.

    Args:
        events: ID, type and named user of each event.
    """
    wanted = [(event_id, RULES[name], person) for event_id, name, person in events if name in RULES]
    if not wanted:
        return
    active = Membership.objects.filter(status=MemberStatus.ACTIVE, role=MemberRole.ADMIN)
    administrators = list(map(str, active.values_list("user_id", flat=True)))
    jobs: list[dict[str, Any]] = [
        {"tenant_id": str(tenant_id), "event_id": str(event_id), "user_id": user_id}
        for event_id, rule, person in wanted
        for user_id in (([person] if person else []) if rule.to_person else administrators)
    ]
    if jobs:
        app.configure_task(JOB).batch_defer(*jobs)


def send_notification(tenant_id: UUID, event_id: UUID, user_id: UUID) -> bool:
    """Send the e-mail about an event to a user who wants it, and return whether it was sent.

    Call it outside any scope: it reads the settings in the scope of the user.

    Raises:
        OSError: The mail server cannot be reached.
    """
    with tenant_scope(tenant_id, user=user_id):
        event = OutboxEvent.objects.filter(pk=event_id).first()
        members = Membership.objects.select_related("user", "tenant")
        member = members.filter(user_id=user_id, status=MemberStatus.ACTIVE).first()
        chosen = UserSettings.objects.filter(user_id=user_id).first()
        if event is None or member is None or not is_wanted(chosen, event.type):
            return False
        with Preferences.of(chosen).activated():
            message = _compose(event, member, _find_name(member.user))
    message.send()
    return True


def list_notifications(user_id: UUID, *, is_admin: bool) -> list[dict[str, Any]]:
    """Return `subject` and `time` of the latest notifications that the user wants in the console, in the open scope.

    Args:
        is_admin: whether the user is an administrator, who is notified of events that concern no single user.
    """
    chosen = UserSettings.objects.filter(user_id=user_id).first()
    wanted = {name: rule for name, rule in RULES.items() if is_wanted(chosen, name, channel="in_app")}
    personal = [name for name, rule in wanted.items() if rule.to_person]
    general = [name for name in wanted if is_admin and name not in personal]
    now = timezone.now()
    rows = OutboxEvent.objects.between(now - SHOWN_FOR, now + timedelta(minutes=1)).filter(
        Q(type__in=general) | Q(type__in=personal, data__user_id=str(user_id))
    )
    return [
        {"subject": RULES[name].subject, "time": created_at}
        for name, created_at in rows.order_by("-id").values_list("type", "created_at")[:MAX_SHOWN]
    ]


def is_wanted(settings: UserSettings | None, event_type: str, *, channel: str = "email") -> bool:
    """Return whether the user wants notifications of a type of event through `email` or `in_app`."""
    default = RULES[event_type].default
    if settings is None:
        return default
    choices = settings.notification_preferences
    return bool(
        settings.notifications_enabled and choices.get(channel, True) and choices.get(event_type, default)
    )


def _find_name(user: User) -> str:
    """Return the name that the user chose in the profile, else the first name."""
    chosen = UserProfile.objects.filter(user_id=user.pk).values_list("display_name", flat=True).first()
    return chosen or user.first_name


def _compose(event: OutboxEvent, member: Any, name: str) -> EmailMessage:
    context = {
        "name": name,
        "summary": describe_event(EVENT_TYPES[event.type]),
        "organisation": member.tenant.name,
        "type": event.type,
        "time": event.created_at,
        "data": event.data,
    }
    # A line break in the name would end the header.
    subject = f"{RULES[event.type].subject} ({' '.join(member.tenant.name.split())})"
    text = render_to_string("accounts/notification_email.txt", context)
    # The same in each attempt, so that mail programs show a repeated e-mail once.
    headers = {"Message-ID": f"<{event.pk}.{member.user_id}@conclave>"}
    return EmailMessage(subject, text, to=[member.user.email], headers=headers)
