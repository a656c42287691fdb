"""Upkeep of knowledge, across tenants: documents whose job was lost, files that nothing names."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from knowledge.models import Document
from knowledge.services.documents import JOB, defer_reading
from knowledge.services.ingestion import fail_document
from tenants.scoping import platform_scope, tenant_scope

LOST_AFTER = timedelta(minutes=10)
AT_A_TIME = 500
ACTOR = "system:upkeep"
# Longer than a file can lie in the storage before its document's row is committed.
STRAY_AFTER = timedelta(days=1)
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


def delete_stray_files(
    stray_after: timedelta = STRAY_AFTER, *, folder: str = "documents", naming: Any = Document
) -> int:
    """Delete files that nothing names: of processes that were killed, of rows and tenants that are gone.

    Args:
        folder: of each tenant's files.
        naming: the model whose `storage_path` names the files of that folder.

    Returns:
        How many were deleted.
    """
    deleted = 0
    for tenant in _folders("tenants"):
        place = f"tenants/{tenant}/{folder}"
        paths = {f"{place}/{name}" for name in _files(place)}
        limit = timezone.now() - stray_after
        old = {path for path in paths if default_storage.get_modified_time(path) < limit}
        for path in old - _named(old, naming):
            default_storage.delete(path)
            deleted += 1
    return deleted


def _folders(path: str) -> list[str]:
    try:
        return default_storage.listdir(path)[0]
    except FileNotFoundError:
        return []


def _files(path: str) -> list[str]:
    try:
        return default_storage.listdir(path)[1]
    except FileNotFoundError:
        return []


def _named(paths: set[str], naming: Any) -> set[str]:
    with platform_scope(reason="delete stray files", actor=ACTOR):
        return set(naming.objects.filter(storage_path__in=paths).values_list("storage_path", flat=True))
