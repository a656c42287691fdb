"""Events with a meaning, beside the row changes that the triggers record."""

from typing import Any
from uuid import UUID

from django.db import connection, models
from psycopg.types.json import Jsonb

from audit.choices import AuditStatus


def record_event(
    action: str,
    *,
    resource: models.Model | None = None,
    status: str = AuditStatus.SUCCESS,
    error_message: str = "",
    metadata: dict[str, Any] | None = None,
) -> UUID:
    """Write one row of the audit log in the current transaction.

    Args:
        action: what happened, such as `agent.published`.
        resource: the row it happened to.
        metadata: further details; put no secrets in it, nothing here is redacted.

    Returns:
        The row's id.

    Raises:
        django.db.ProgrammingError: in a scope that names no actor, and with the reader's role.
    """
    kind, key = (resource._meta.label_lower, str(resource.pk)) if resource is not None else ("", "")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conclave_record_event(%s, %s, %s, %s, %s, %s)",
            [action, kind, key, str(status), error_message, Jsonb(metadata or {})],  # type: ignore[list-item]
        )
        return cursor.fetchone()[0]
