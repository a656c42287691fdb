"""Expiry of tool calls that wait for approval."""

from datetime import timedelta
from uuid import UUID

from django.db import DatabaseError
from django.utils import timezone

from config.db.errors import exceeds_limit
from config.tenancy.scope import platform_scope, tenant_scope
from conversations.choices import ToolStatus
from conversations.models import Conversation, ToolExecution
from conversations.runtime.recovery import ACTOR, defer_resume
from conversations.services.approvals import NotAwaitingApprovalError, decide_call

BATCH_SIZE = 1000
# Older partitions are not scanned.
MAX_AGE = timedelta(days=180)


def expire_waiting_calls(after: timedelta) -> int:
    """Deny calls that have waited longer than `after`; workers resume their answers.

    Call it outside any scope.

    Returns:
        The number of denied calls.
    """
    limit = timezone.now() - after
    with platform_scope(reason="deny expired tool calls", actor=ACTOR):
        waiting = ToolExecution.unscoped.between(limit - MAX_AGE, limit).filter(
            status=ToolStatus.AWAITING_APPROVAL
        )
        rows = list(waiting.order_by("id").values_list("tenant_id", "pk")[:BATCH_SIZE])
    return sum(_deny_call(tenant_id, call_id, after) for tenant_id, call_id in rows)


def _deny_call(tenant_id: UUID, call_id: UUID, after: timedelta) -> bool:
    with tenant_scope(tenant_id, actor=ACTOR):
        call = ToolExecution.objects.filter(pk=call_id).first()
        asker = Conversation.objects.filter(pk=call.conversation_id).first() if call else None
    if call is None or asker is None:
        return False
    try:
        # The answer resumes on behalf of the person who asked.
        with tenant_scope(tenant_id, user=asker.user_id, actor=ACTOR):
            reason = f"The call was not approved within {after.days} days."
            if decide_call(call, allow=False, actor=None, reason=reason):
                defer_resume(tenant_id, call.message_id)
    except NotAwaitingApprovalError:
        return False
    except DatabaseError as error:
        # The answer cannot resume now; the next run tries again.
        if not exceeds_limit(error):
            raise
        return False
    return True
