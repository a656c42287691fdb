"""Upkeep of knowledge, across tenants: documents whose job was lost."""

from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from knowledge.models import Document
from knowledge.services.documents import JOB, defer_reading
from knowledge.services.ingestion import fail_document
from tenants.scoping import platform_scope, tenant_scope

LOST_AFTER = timedelta(minutes=10)
AT_A_TIME = 500
ACTOR = "system:upkeep"
LOST_SQL = """
SELECT d.tenant_id, d.id, EXISTS (
    SELECT FROM procrastinate_jobs j WHERE j.task_name = %(job)s AND j.args ->> 'document_id' = d.id::text
      AND j.status = 'failed') AS given_up
FROM knowledge_document d
WHERE d.status IN ('pending', 'processing') AND d.updated_at < %(limit)s
  AND NOT EXISTS (
    SELECT FROM procrastinate_jobs j WHERE j.task_name = %(job)s AND j.args ->> 'document_id' = d.id::text
      AND j.status IN ('todo', 'doing'))
ORDER BY d.id LIMIT %(most)s
"""


def resume_documents(lost_after: timedelta = LOST_AFTER) -> int:
    """Defer a job for each waiting document that has none; fail it when its job was given up.

    Returns:
        How many were found.
    """
    lost = _lost(lost_after)
    for tenant_id, document_id, given_up in lost:
        if given_up:
            fail_document(
                tenant_id, document_id, "Given up: its reader was stopped again and again.", actor=ACTOR
            )
            continue
        with tenant_scope(tenant_id, actor=ACTOR):
            document = Document.objects.select_for_update().filter(pk=document_id).first()
            if document is not None:
                document.save(update_fields=["updated_at"])
                defer_reading(document)
    return len(lost)


def _lost(lost_after: timedelta) -> list[tuple[UUID, UUID, bool]]:
    parameters = {"job": JOB, "limit": timezone.now() - lost_after, "most": AT_A_TIME}
    with platform_scope(reason="resume documents", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(LOST_SQL, parameters)
        return cursor.fetchall()
