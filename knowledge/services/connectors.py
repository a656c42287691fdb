"""Requests of syncs, their schedule, and deletion of connectors."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from config.jobs import defer_exclusive
from config.tenancy.scope import platform_scope, tenant_scope
from knowledge.choices import CollectionStatus, SyncStatus
from knowledge.models import Connector, Document
from knowledge.services.documents import delete_document

JOB = "knowledge.tasks.sync_connector"
ACTOR = "system:connectors"
BUSY = (SyncStatus.QUEUED, SyncStatus.RUNNING)
LOST_AFTER = timedelta(minutes=10)
BATCH_SIZE = 500
DUE_SQL = """
SELECT c.tenant_id, c.id FROM knowledge_connector c
JOIN knowledge_collection k ON k.tenant_id = c.tenant_id AND k.id = c.collection_id AND k.status <> 'archived'
JOIN tenants_tenant t ON t.id = c.tenant_id AND t.status = 'active'
WHERE c.is_active AND c.interval_minutes > 0 AND c.status NOT IN ('queued', 'running')
  AND (c.started_at IS NULL OR c.started_at + c.interval_minutes * interval '1 minute' <= now())
ORDER BY c.started_at NULLS FIRST, c.id LIMIT %(most)s
"""
LOST_SQL = """
SELECT c.tenant_id, c.id FROM knowledge_connector c
WHERE c.status IN ('queued', 'running') AND c.updated_at < %(limit)s
  AND NOT EXISTS (
    SELECT FROM procrastinate_jobs j WHERE j.task_name = %(job)s AND j.args ->> 'connector_id' = c.id::text
      AND j.status IN ('todo', 'doing'))
ORDER BY c.id LIMIT %(most)s
"""


@transaction.atomic
def request_sync(connector: Connector, *, confirm_deletions: bool = False) -> Connector:
    """Queue a sync of a connector, unless one is queued or running.

    Args:
        confirm_deletions: Whether the sync may delete any number of documents.

    Raises:
        ValidationError: The collection is archived.
    """
    connector = Connector.objects.select_for_update(of=("self",)).get(pk=connector.pk)
    if connector.collection.status == CollectionStatus.ARCHIVED:
        raise ValidationError("The collection is archived. Restore it first.", code="archived")
    if connector.status in BUSY:
        return connector
    connector.status = SyncStatus.QUEUED
    connector.save(update_fields=["status", "updated_at"])
    defer_exclusive(
        JOB,
        # Syncs are slow: those of one tenant must not occupy all workers.
        f"connectors:{connector.tenant_id}",
        queueing_lock=f"connector:{connector.pk}",
        tenant_id=str(connector.tenant_id),
        connector_id=str(connector.pk),
        confirm_deletions=confirm_deletions,
    )
    return connector


@transaction.atomic
def delete_connector(connector: Connector, *, delete_documents: bool = False) -> None:
    """Delete a connector; its documents stay unless `delete_documents` is set. A running sync stops."""
    if delete_documents:
        for document in Document.objects.filter(connector_id=connector.pk).iterator(BATCH_SIZE):
            delete_document(document)
    connector.delete()


def queue_due_syncs() -> int:
    """Queue the syncs that are due, and fail those whose job is lost.

    Returns:
        Number of due connectors.
    """
    parameters: dict[str, Any] = {"job": JOB, "limit": timezone.now() - LOST_AFTER, "most": BATCH_SIZE}
    with platform_scope(reason="queue syncs of connectors", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(LOST_SQL, parameters)
        lost = cursor.fetchall()
        cursor.execute(DUE_SQL, parameters)
        due = cursor.fetchall()
    for tenant_id, connector_id in lost:
        fail_sync(tenant_id, connector_id, "The worker was stopped repeatedly.")
    for tenant_id, connector_id in due:
        # The connector may be deleted and the collection archived in the meantime.
        with suppress(ValidationError, Connector.DoesNotExist), tenant_scope(tenant_id, actor=ACTOR):
            request_sync(Connector.objects.get(pk=connector_id))
    return len(due)


def fail_sync(tenant_id: UUID, connector_id: UUID, message: str) -> None:
    """Record that the queued or running sync failed."""
    with tenant_scope(tenant_id, actor=ACTOR):
        rows = Connector.objects.filter(pk=connector_id, status__in=BUSY)
        rows.update(status=SyncStatus.FAILED, error_message=message, finished_at=timezone.now())
