"""The overview page: key figures, a chart and recent changes of the scope."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts.choices import MemberRole
from accounts.services.notifications import list_notifications
from agents.choices import AgentStatus
from agents.models import Agent, LlmUsage
from audit.models import AuditLog, SecurityAuditLog
from config.admin.history import describe_entries
from conversations.choices import MessageStatus
from conversations.models import Conversation, Message
from knowledge.choices import DocumentStatus
from knowledge.models import Document

DAYS = 14
RECENT = 10
# Recorded for every request in the platform scope.
NOISE = "platform.scope_opened"


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the overview, limited to what the user can see."""
    access = request.console  # type: ignore[attr-defined]
    midnight = get_midnight()
    context: dict[str, Any] = {"tiles": tiles(access, midnight)}
    if access.tenant_access is not None and not access.is_platform:
        is_admin = access.tenant_access.role == MemberRole.ADMIN
        context["notifications"] = list_notifications(access.user_id, is_admin=is_admin)
    if access.allows("conversations", "read"):
        context["chart"] = json.dumps(messages_per_day(midnight))
        context["chart_options"] = json.dumps(CHART_OPTIONS)
    if access.allows("audit", "read"):
        context["recent"] = describe_entries(
            list(AuditLog.objects.exclude(action=NOISE).order_by("-id")[:RECENT])
        )
    return context


def get_midnight() -> datetime:
    """Return the start of the day in the time zone of the user."""
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def tiles(access: Any, midnight: datetime) -> list[dict[str, Any]]:
    """Return the tiles that the user can see."""
    makers = {
        "agents": agent_tile,
        "conversations": conversation_tiles,
        "collections": document_tile,
        "usage": usage_tiles,
        "security": security_tile,
    }
    return [
        tile
        for resource, make in makers.items()
        if access.allows(resource, "read")
        for tile in make(midnight)
    ]


def make_tile(
    title: str, value: Any, note: str, address: str, query: str = "", *, alarm: bool = False
) -> dict[str, Any]:
    link = reverse(f"admin:{address}_changelist") + (f"?{query}" if query else "")
    return {"title": title, "value": value, "note": note, "link": link, "alarm": alarm}


def agent_tile(midnight: datetime) -> list[dict[str, Any]]:
    found = Agent.objects.aggregate(all=Count("id"), active=Count("id", filter=Q(status=AgentStatus.ACTIVE)))
    return [make_tile("Agents", found["active"], f"active, of {found['all']}", "agents_agent")]


def conversation_tiles(midnight: datetime) -> list[dict[str, Any]]:
    tomorrow = midnight + timedelta(days=1)
    begun = Conversation.objects.between(midnight, tomorrow).count()
    week = Message.objects.between(midnight - timedelta(days=6), tomorrow)
    failed = week.filter(status=MessageStatus.FAILED).count()
    return [
        make_tile("Conversations", begun, "started today", "conversations_conversation"),
        make_tile(
            "Failed messages",
            failed,
            "in 7 days",
            "conversations_message",
            "status__exact=failed",
            alarm=failed > 0,
        ),
    ]


def document_tile(midnight: datetime) -> list[dict[str, Any]]:
    found = Document.objects.aggregate(
        ready=Count("id", filter=Q(status=DocumentStatus.INDEXED)),
        failed=Count("id", filter=Q(status=DocumentStatus.FAILED)),
    )
    note = f"ready, {found['failed']} failed" if found["failed"] else "ready"
    return [make_tile("Documents", found["ready"], note, "knowledge_document")]


def usage_tiles(midnight: datetime) -> list[dict[str, Any]]:
    month = LlmUsage.objects.between(midnight.replace(day=1), midnight + timedelta(days=1))
    found = month.aggregate(tokens=Sum("total_tokens"), cost=Sum("total_cost"))
    return [
        make_tile("Tokens", f"{found['tokens'] or 0:,}", "this month", "agents_llmusage"),
        make_tile("Cost", f"${found['cost'] or 0:,.2f}", "this month", "agents_llmusage"),
    ]


def security_tile(midnight: datetime) -> list[dict[str, Any]]:
    count = SecurityAuditLog.objects.filter(requires_review=True, reviewed_at=None).count()
    query = "review_state__in=open,assigned"
    return [
        make_tile("Security events", count, "to review", "audit_securityauditlog", query, alarm=count > 0)
    ]


def messages_per_day(midnight: datetime) -> dict[str, Any]:
    """Return Chart.js data: messages per day of the last `DAYS` days."""
    first = midnight - timedelta(days=DAYS - 1)
    rows = Message.objects.between(first, midnight + timedelta(days=1))
    counted = rows.order_by().annotate(day=TruncDate(F("created_at"))).values("day").annotate(n=Count("id"))
    found = {row["day"]: row["n"] for row in counted}
    days = [(first + timedelta(days=n)).date() for n in range(DAYS)]
    return {
        "labels": [f"{day:%d %b}" for day in days],
        "datasets": [
            {
                "label": "Messages",
                "data": [found.get(day, 0) for day in days],
                "backgroundColor": "var(--color-primary-500)",
                "borderRadius": 4,
                "maxBarThickness": 28,
            }
        ],
    }


CHART_OPTIONS = {
    "maintainAspectRatio": False,
    "plugins": {"legend": {"display": False}},
    "scales": {
        "x": {"grid": {"display": False}},
        "y": {"beginAtZero": True, "ticks": {"precision": 0}, "grid": {"tickWidth": 0}},
    },
}
