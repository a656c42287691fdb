"""Publishing of outgoing events."""

from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from config.tenancy.scope import require_tenant_id
from tenants.event_types import Event

PUBLISH_SQL = """
INSERT INTO tenants_outboxevent (tenant_id, type, key, data)
SELECT %s, e.type, '', e.data FROM unnest(%s::text[], %s::jsonb[]) WITH ORDINALITY AS e (type, data, place)
ORDER BY e.place RETURNING id
"""
# The lock makes concurrent transactions publish one after the other: the second one sees the event of the first.
LOCK_SQL = "SELECT pg_advisory_xact_lock(hashtextextended('conclave.outbox.' || %s::text || %s, 0))"
PUBLISH_ONCE_SQL = """
INSERT INTO tenants_outboxevent (tenant_id, type, key, data) SELECT %(tenant)s, %(type)s, %(key)s, %(data)s
WHERE NOT EXISTS (SELECT FROM tenants_outboxevent WHERE tenant_id = %(tenant)s AND key = %(key)s) RETURNING id
"""


def publish(*events: Event, tenant_id: UUID | None = None) -> list[UUID]:
    """Store events in the current transaction by one statement, and return their IDs.

    The worker sends the webhooks and notifications after the commit.

    Args:
        tenant_id: The tenant, in the platform scope.
    """
    names = [event.name for event in events]
    data = [Jsonb(event.model_dump(mode="json")) for event in events]
    with connection.cursor() as cursor:
        cursor.execute(PUBLISH_SQL, [tenant_id or require_tenant_id(), names, data])
        return [row[0] for row in cursor.fetchall()]


def publish_once(event: Event, *, key: str) -> UUID | None:
    """Store an event unless the tenant has one with this key.

    Call it at the end of a transaction: it holds a lock on the key until the commit.

    Returns:
        The ID, or None if there is an event with the key.
    """
    values: dict[str, Any] = {"tenant": require_tenant_id(), "type": event.name, "key": key}
    with connection.cursor() as cursor:
        cursor.execute(LOCK_SQL, [values["tenant"], key])
        cursor.execute(PUBLISH_ONCE_SQL, values | {"data": Jsonb(event.model_dump(mode="json"))})  # type: ignore[arg-type]
        row = cursor.fetchone()
    return row[0] if row else None
