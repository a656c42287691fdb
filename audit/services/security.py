"""Functions that write the security log and its reviews."""

import logging
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DatabaseError, InterfaceError, connection, models, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from accounts.choices import MemberStatus
from accounts.models import Membership
from audit.choices import AuditStatus, SecurityEventType
from audit.security_rules import RULES
from config.db.session import ScopeError, current_scope, request_info

logger = logging.getLogger(__name__)
RECORD_SQL = "SELECT conclave_record_security_event(%s, %s, %s::uuid[])"


def record_security_event(
    event_type: SecurityEventType,
    *,
    action: str,
    result: str = AuditStatus.SUCCESS,
    actor_id: UUID | None = None,
    target: models.Model | None = None,
    tenants: Iterable[UUID] | None = None,
    **further: Any,
) -> UUID | None:
    """Write the security log, in one statement that never fails the caller.

    `audit.security_rules` decides severity and review. Address, user agent and request ID come from `request_info`.

    Args:
        action: The attempted action, such as `login`.
        actor_id: The user who acted, if known; defaults to the scope's user.
        target: The affected row.
        tenants: The tenants concerned. In a tenant's scope, always this tenant; else by default the tenants of the
            actor, or of the account whose address is `actor_email`.
        further: `actor_email`, `error_code`, `details`, `target_details`, `session_id` (a hash of the session key,
            never the key), and `actor`, which tells actors apart that are not users, such as keys. No secrets.

    Returns:
        The ID of one written row, or None if the database refused the event, which is logged.
    """
    event = {**_base_columns(target), "action": action, "result": str(result), **further}
    if actor_id is not None:
        event["actor_user_id"] = actor_id
    rule = RULES[event_type].as_json(event_type)
    concerned = None if tenants is None else list(tenants)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(RECORD_SQL, [_to_json(event), Jsonb(rule), concerned])  # type: ignore[list-item]
            return cursor.fetchone()[0]
    except (DatabaseError, InterfaceError, ScopeError):
        logger.exception("the security event %s was not recorded", event_type)
        return None


def _base_columns(target: models.Model | None) -> dict[str, Any]:
    """Return the columns that the scope, the request and the affected row determine."""
    scope, info = current_scope(), request_info.get()
    columns = {
        "actor_user_id": scope.user_id if scope else None,
        "ip_address": info.ip or None,
        "user_agent": info.user_agent,
        "request_id": info.request_id,
    }
    if target is None:
        return columns
    return columns | {"target_type": target._meta.label_lower, "target_id": str(target.pk)}


def _to_json(event: dict[str, Any]) -> Jsonb:
    values = {name: str(value) if isinstance(value, UUID) else value for name, value in event.items()}
    return Jsonb({name: value for name, value in values.items() if value is not None})


def assign_review(events: Any, *, reviewer_id: UUID | None) -> int:
    """Assign the unreviewed rows of `events` to a member, or to nobody, and return their number.

    Raises:
        ValidationError: The user is not an active member of the scope's tenant.
    """
    if reviewer_id is not None:
        members = Membership.objects.filter(user_id=reviewer_id, status=MemberStatus.ACTIVE)
        if not members.exists():
            raise ValidationError({"assigned_to": "The user is not an active member."})
    return int(_unreviewed(events).update(assigned_to=reviewer_id, requires_review=True))


def comment_review(event: Any, *, text: str, author_id: UUID) -> None:
    """Append a comment to the review of a locked event."""
    comment = {"text": text, "user_id": str(author_id), "created_at": timezone.now().isoformat()}
    event.review_comments = [*event.review_comments, comment]
    event.save(update_fields=["review_comments"])


def mark_reviewed(events: Any, *, reviewer_id: UUID) -> int:
    """Close the review of the unreviewed rows of `events` and return their number."""
    return int(_unreviewed(events).update(reviewed_at=timezone.now(), reviewed_by=reviewer_id))


def _unreviewed(events: Any) -> Any:
    return events.order_by().filter(reviewed_at=None)
