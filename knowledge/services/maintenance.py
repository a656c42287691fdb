"""Maintenance across tenants: requeue lost work, delete unreferenced files."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from config.tenancy.scope import platform_scope, tenant_scope
from knowledge.models import Collection, Document
from knowledge.services.collections import JOB as CHANGE_JOB
from knowledge.services.collections import abandon_change, defer_change
from knowledge.services.documents import JOB, defer_indexing
from knowledge.services.ingestion import fail_document

LOST_AFTER = timedelta(minutes=10)
BATCH_SIZE = 500
ACTOR = "system:upkeep"
# Longer than the time between storing a file and committing its document.
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
CHANGES_SQL = """
SELECT c.tenant_id, c.id, c.next_embedding_model, EXISTS (
    SELECT FROM procrastinate_jobs j WHERE j.task_name = %(job)s AND j.args ->> 'collection_id' = c.id::text
      AND j.args ->> 'model' = c.next_embedding_model AND j.status = 'failed') AS given_up
FROM knowledge_collection c
WHERE c.next_embedding_model <> '' AND c.updated_at < %(limit)s
  AND NOT EXISTS (
    SELECT FROM procrastinate_jobs j WHERE j.task_name = %(job)s AND j.args ->> 'collection_id' = c.id::text
      AND j.args ->> 'model' = c.next_embedding_model AND j.status IN ('todo', 'doing'))
ORDER BY c.id LIMIT %(most)s
"""


def resume_documents(lost_after: timedelta = LOST_AFTER) -> int:
    """Requeue unfinished documents without a job; fail those whose job failed.

    Returns:
        Number of documents or changes found.
    """
    lost = _find_lost(LOST_SQL, JOB, lost_after)
    for tenant_id, document_id, given_up in lost:
        if given_up:
            fail_document(
                tenant_id, document_id, "Indexing failed: the worker was stopped repeatedly.", actor=ACTOR
            )
            continue
        with tenant_scope(tenant_id, actor=ACTOR):
            document = Document.objects.select_for_update().filter(pk=document_id).first()
            if document is not None:
                document.save(update_fields=["updated_at"])
                defer_indexing(document)
    return len(lost)


def resume_changes(lost_after: timedelta = LOST_AFTER) -> int:
    """Requeue model changes without a job; cancel those whose job failed.

    Returns:
        Number of documents or changes found.
    """
    lost = _find_lost(CHANGES_SQL, CHANGE_JOB, lost_after)
    for tenant_id, collection_id, model, given_up in lost:
        if given_up:
            abandon_change(tenant_id, collection_id, model, "the worker was stopped repeatedly")
            continue
        with tenant_scope(tenant_id, actor=ACTOR):
            rows = Collection.objects.select_for_update().filter(pk=collection_id, next_embedding_model=model)
            if (collection := rows.first()) is not None:
                defer_change(collection)
    return len(lost)


def _find_lost(statement: str, job: str, lost_after: timedelta) -> list[tuple[Any, ...]]:
    parameters: dict[str, Any] = {"job": job, "limit": timezone.now() - lost_after, "most": BATCH_SIZE}
    with platform_scope(reason="resume lost work", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def delete_stray_files(
    stray_after: timedelta = STRAY_AFTER, *, folder: str = "documents", naming: Any = Document
) -> int:
    """Delete files that no row references, left by killed processes or deleted rows.

    Args:
        folder: Folder within each tenant's files.
        naming: Model whose `storage_path` references the files of the folder.

    Returns:
        Number of deleted files.
    """
    deleted = 0
    limit = timezone.now() - stray_after
    for tenant in _list_folders("tenants"):
        place = f"tenants/{tenant}/{folder}"
        for paths in _batch_paths(f"{place}/{name}" for name in _list_files(place)):
            # Query the age only of unreferenced files, since each query to a remote storage is slow.
            for path in sorted(paths - _find_referenced(paths, naming)):
                with suppress(FileNotFoundError):
                    if default_storage.get_modified_time(path) < limit:
                        default_storage.delete(path)
                        deleted += 1
    return deleted


def _batch_paths(paths: Iterable[str]) -> Iterator[set[str]]:
    rest = iter(paths)
    while portion := set(islice(rest, BATCH_SIZE)):
        yield portion


def _list_folders(path: str) -> list[str]:
    try:
        return default_storage.listdir(path)[0]
    except FileNotFoundError:
        return []


def _list_files(path: str) -> list[str]:
    try:
        return default_storage.listdir(path)[1]
    except FileNotFoundError:
        return []


def _find_referenced(paths: set[str], naming: Any) -> set[str]:
    with platform_scope(reason="delete stray files", actor=ACTOR):
        return set(naming.objects.filter(storage_path__in=paths).values_list("storage_path", flat=True))
