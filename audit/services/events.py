"""Semantic events, in addition to the row changes that triggers record."""

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
        action: Action, such as `agent.published`.
        resource: The affected row.
        metadata: Additional details. Must not contain secrets, because it is not redacted.

    Returns:
        The ID of the row.

    Raises:
        django.db.ProgrammingError: The scope has no actor or is read-only.
    """
    kind, key = (resource._meta.label_lower, str(resource.pk)) if resource is not None else ("", "")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conclave_record_event(%s, %s, %s, %s, %s, %s)",
            [action, kind, key, str(status), error_message, Jsonb(metadata or {})],  # type: ignore[list-item]
        )
        return cursor.fetchone()[0]
