"""Calls of tools that nobody decided on: refused after a time, so that their answers come to an end."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from conversations.choices import ToolStatus
from conversations.models import Conversation, ToolExecution
from conversations.runtime.resuming import ACTOR, resume_later
from conversations.services.approvals import NotWaiting, decide_call
from tenants.scoping import platform_scope, tenant_scope

MOST_AT_ONCE = 1000
# Partitions older than this are not looked at.
OLDEST = timedelta(days=180)


def expire_waiting_calls(after: timedelta) -> int:
    """Refuse the calls that waited longer than `after`; call it outside every scope. A worker goes on with each answer.

    Returns:
        How many were refused.
    """
    limit = timezone.now() - after
    with platform_scope(reason="refuse calls that nobody decided on", actor=ACTOR):
        waiting = ToolExecution.unscoped.between(limit - OLDEST, limit).filter(
            status=ToolStatus.AWAITING_APPROVAL
        )
        rows = list(waiting.order_by("id").values_list("tenant_id", "pk")[:MOST_AT_ONCE])
    return sum(_refuse(tenant_id, call_id, after) for tenant_id, call_id in rows)


def _refuse(tenant_id: UUID, call_id: UUID, after: timedelta) -> bool:
    with tenant_scope(tenant_id, actor=ACTOR):
        call = ToolExecution.objects.filter(pk=call_id).first()
        asker = Conversation.objects.filter(pk=call.conversation_id).first() if call else None
    if call is None or asker is None:
        return False
    # The answer goes on for the person who asked.
    with tenant_scope(tenant_id, user=asker.user_id, actor=ACTOR):
        try:
            reason = f"Nobody decided on this call within {after.days} days."
            if decide_call(call, allow=False, actor=None, reason=reason):
                resume_later(tenant_id, call.message_id)
        except NotWaiting:
            return False
    return True
