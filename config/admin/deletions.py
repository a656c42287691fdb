"""Audit event of deletions of several rows."""

from django.db import connection, models

RECORD_DELETION_SQL = (
    "SELECT conclave_record_event('rows.deleted', %s, '', 'success', '',"
    " jsonb_build_object('count', %s::int))"
)


def record_bulk_deletion(model: type[models.Model], count: int) -> None:
    """Record in the audit log that the current user deleted `count` rows at once."""
    if count > 1:
        with connection.cursor() as cursor:
            cursor.execute(RECORD_DELETION_SQL, [model._meta.label_lower, count])
