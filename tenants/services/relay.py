"""Relay of outgoing events: queues their deliveries and notifications, in the order of their transactions.

Each event is relayed once: they are queued in the transaction that marks it as relayed.
"""

from typing import Any
from uuid import UUID

from django.db import connection

from config.tenancy.scope import tenant_scope
from tenants.functions import RELAYABLE
from tenants.models import OutboxEvent
from tenants.services.webhooks import MAX_ATTEMPTS
from tenants.signals import events_relayed

ACTOR = "system:outbox"
BATCH_SIZE = 500
RELAY_SQL = """
WITH batch AS MATERIALIZED (
  SELECT id, type, xid FROM tenants_outboxevent WHERE tenant_id = %(tenant)s AND relayed_at IS NULL AND {relayable}
  ORDER BY xid, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), queued AS (
  INSERT INTO tenants_webhookdelivery (tenant_id, endpoint_id, event_id, event_type, status, attempt_count,
    attempts_left, error, attempts)
  SELECT %(tenant)s, e.id, b.id, b.type, 'pending', 0, %(attempts)s, '', '[]'
  FROM batch b JOIN tenants_webhookendpoint e ON e.tenant_id = %(tenant)s AND e.is_enabled
    AND (e.event_types = '[]' OR e.event_types ? b.type)
  ORDER BY b.xid, b.id
)
UPDATE tenants_outboxevent o SET relayed_at = now() FROM batch b WHERE o.tenant_id = %(tenant)s AND o.id = b.id
RETURNING o.id, o.type, o.data ->> 'user_id'
"""
WORK_SQL = "SELECT tenant_id, endpoint_id FROM conclave_outbox_work()"


def find_work() -> list[tuple[UUID, UUID | None]]:
    """Return the tenants with events to relay (without an endpoint), and the endpoints with due deliveries.

    Call it outside any scope, as the worker.
    """
    with connection.cursor() as cursor:
        cursor.execute(WORK_SQL)
        return list(cursor.fetchall())


def relay_events(tenant_id: UUID) -> int:
    """Queue the deliveries and notifications of a tenant's new events and return the number of events.

    Call it outside any scope. Each batch is one transaction.
    """
    relayed = 0
    while batch := _relay_batch(tenant_id):
        relayed += len(batch)
    return relayed


def _relay_batch(tenant_id: UUID) -> list[tuple[Any, ...]]:
    parameters: dict[str, Any] = {"tenant": tenant_id, "limit": BATCH_SIZE, "attempts": MAX_ATTEMPTS}
    with tenant_scope(tenant_id, actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(RELAY_SQL.format(relayable=RELAYABLE), parameters)
        batch = cursor.fetchall()
        events_relayed.send(OutboxEvent, tenant_id=tenant_id, events=batch)
    return list(batch)
