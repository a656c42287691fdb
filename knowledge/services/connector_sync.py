"""Sync of a connector: upload new and changed items, delete documents whose item is gone.

No transaction is open while the source is read. Each document has the version of its item, so a repeated or
interrupted sync reads unchanged items once only. Documents are deleted after a complete listing, and only up to a
share of all documents unless the deletion is confirmed.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError
from django.utils import timezone

from audit.choices import AuditStatus
from audit.services.events import record_event
from config.db.constraint_messages import LIMIT_MESSAGE
from config.db.errors import exceeds_limit, get_sqlstate
from config.http.fetch import FetchError
from config.tenancy.scope import tenant_scope
from knowledge.choices import CollectionStatus, DocumentOrigin, SyncStatus
from knowledge.connectors import ConnectorError, ConnectorSource, SyncContext, open_source
from knowledge.connectors.base import TIME_IS_OVER, KnownItem, SourceItem
from knowledge.models import Connector, Document
from knowledge.services.connectors import ACTOR
from knowledge.services.documents import (
    CREATED,
    REPLACED,
    ConnectorItem,
    SourceTakenError,
    delete_document,
    upload_document,
)
from knowledge.services.files import FileTooLargeError, delete_file, store_file

PROGRESS_SECONDS = 2.0
DELETED_PER_TRANSACTION = 50
MAX_ITEM_ERRORS = 20
MAX_SOURCE_LENGTH = 1000
FOREIGN_KEY_VIOLATION = "23503"
# Below this number, a share of the documents says little.
MIN_UNCONFIRMED_DELETIONS = 10


class _AbortedError(Exception):
    """The connector was deleted while its sync was running."""


@dataclass
class SyncCounts:
    """Number of items by outcome."""

    added_count: int = 0
    changed_count: int = 0
    deleted_count: int = 0
    unchanged_count: int = 0
    failed_count: int = 0


@dataclass
class _SyncRun:
    """A running sync, with a snapshot of its connector."""

    connector: Connector
    credentials: dict[str, str]
    context: SyncContext
    counts: SyncCounts = field(default_factory=SyncCounts)
    item_errors: list[dict[str, str]] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    reported: float = field(default_factory=time.monotonic)

    def scope(self) -> Any:
        """Open a transaction in the scope of the connector's tenant."""
        return tenant_scope(self.connector.tenant_id, actor=ACTOR)

    def report(self, **changes: Any) -> None:
        """Store the counts and further columns.

        Raises:
            _AbortedError: The connector was deleted.
        """
        rows = Connector.objects.filter(pk=self.connector.pk)
        if not rows.update(**asdict(self.counts), item_errors=self.item_errors, **changes):
            raise _AbortedError

    def fail_item(self, source: str, error: str) -> None:
        """Count an item that cannot be read."""
        self.counts.failed_count += 1
        if len(self.item_errors) < MAX_ITEM_ERRORS:
            # Names of files may have characters that the database cannot store.
            self.item_errors.append({"source": ascii(source)[1:-1][:1024], "error": error[:500]})


def sync_connector(
    tenant_id: UUID, connector_id: UUID, *, confirm_deletions: bool = False
) -> SyncCounts | None:
    """Make the collection's documents of a connector equal to its source. Call it outside any scope.

    A source that cannot be listed is recorded in the connector; it is not an exception.

    Returns:
        The counts, or None if the connector was deleted.

    Raises:
        OperationalError: The database is unavailable; a repeated sync continues.
        OSError: The file storage is unavailable.
    """
    run = _start(tenant_id, connector_id)
    if run is None:
        return None
    connector = run.connector
    try:
        with open_source(
            connector.kind, connector.config, run.credentials, run.context, tenant_id=tenant_id
        ) as source:
            notice = _sync_items(run, source) or source.notice
            if source.follows_deletions and not notice:
                notice = _delete_missing(run, confirm_deletions)
        _finish(run, SyncStatus.PARTIAL if notice else SyncStatus.COMPLETED, notice)
    except _AbortedError:
        return None
    except (ConnectorError, FetchError) as error:
        _finish(run, SyncStatus.FAILED, str(error))
    except ValidationError as error:
        _finish(run, SyncStatus.FAILED, " ".join(error.messages))
    except DatabaseError as error:
        if not exceeds_limit(error):
            raise
        _finish(run, SyncStatus.FAILED, LIMIT_MESSAGE)
    return run.counts


def _start(tenant_id: UUID, connector_id: UUID) -> _SyncRun | None:
    with tenant_scope(tenant_id, actor=ACTOR):
        connector = Connector.objects.select_for_update(of=("self",)).filter(pk=connector_id).first()
        if connector is None:
            return None
        documents = Document.objects.filter(connector_id=connector_id, collection_id=connector.collection_id)
        known = {
            source: KnownItem(version, path)
            for source, version, path in documents.values_list("source", "source_version", "storage_path")
        }
        deadline = time.monotonic() + settings.CONNECTOR_MAX_SECONDS
        context = SyncContext(known, _load_state(connector, len(known)), deadline)
        run = _SyncRun(connector, connector.credentials or {}, context)
        archived = connector.collection.status == CollectionStatus.ARCHIVED
        started = {"status": SyncStatus.RUNNING, "started_at": timezone.now(), "finished_at": None}
        run.report(**started, error_message="")
    if archived:
        _finish(run, SyncStatus.FAILED, "The collection is archived. Restore it first.")
        return None
    return run


def _load_state(connector: Connector, count: int) -> dict[str, Any]:
    """Return the validators of the latest listing, or none if the collection no longer equals it."""
    state = dict(connector.state)
    is_current = state.pop("documents", None) == count and state.pop("config", None) == connector.config
    return state if is_current else {}


def _sync_items(run: _SyncRun, source: ConnectorSource) -> str:
    """Upload the new and changed items; return why the listing was stopped, if it was."""
    for item in source.list_items():
        if item.source in run.listed:
            continue
        run.listed.add(item.source)
        if run.context.is_over():
            return TIME_IS_OVER
        _sync_item(run, source, item)
        if time.monotonic() - run.reported > PROGRESS_SECONDS:
            run.reported = time.monotonic()
            with run.scope():
                run.report()
    return ""


def _sync_item(run: _SyncRun, source: ConnectorSource, item: SourceItem) -> None:
    known = run.context.known.get(item.source)
    if item.error:
        run.fail_item(item.source, item.error)
    elif known and (item.is_unchanged or (item.version and item.version == known.version)):
        run.counts.unchanged_count += 1
        if item.version != known.version:
            with run.scope():
                rows = Document.objects.filter(connector_id=run.connector.pk, source=item.source)
                rows.update(source_version=item.version)
    elif len(item.source) > MAX_SOURCE_LENGTH or not item.source.isprintable():
        run.fail_item(item.source, "The name of the item is too long or has unprintable characters.")
    else:
        try:
            _upload_item(run, item, source.open_item(item))
        except (ConnectorError, FetchError, FileTooLargeError) as error:
            run.fail_item(item.source, str(error))


def _upload_item(run: _SyncRun, item: SourceItem, content: Iterator[bytes]) -> None:
    """Upload an item as a document.

    Raises:
        ConnectorError: It is empty, or someone else added a document with its source.
        _AbortedError: The connector was deleted.
    """
    connector = run.connector
    stored = store_file(content, tenant_id=connector.tenant_id, name=item.name)
    try:
        if not stored.size:
            raise ConnectorError("The file is empty.")
        with run.scope():
            outcome = upload_document(
                connector.collection,
                stored,
                source=item.source,
                origin=DocumentOrigin.CONNECTOR,
                title=item.title,
                item=ConnectorItem(connector.pk, item.version),
            ).outcome
    except BaseException as error:
        delete_file(stored.path)
        if isinstance(error, SourceTakenError):
            raise ConnectorError(str(error)) from error
        if isinstance(error, IntegrityError) and get_sqlstate(error) == FOREIGN_KEY_VIOLATION:
            raise _AbortedError from error
        raise
    run.counts.added_count += outcome == CREATED
    run.counts.changed_count += outcome == REPLACED
    run.counts.unchanged_count += outcome not in (CREATED, REPLACED)


def _delete_missing(run: _SyncRun, is_confirmed: bool) -> str:
    """Delete the documents that the complete listing does not have; return why they stay, if they do."""
    known = run.context.known
    missing = sorted(set(known) - run.listed)
    share = run.connector.max_deletion_percent * len(known)
    is_large = len(missing) >= MIN_UNCONFIRMED_DELETIONS and len(missing) * 100 > share
    if missing and not is_confirmed and (is_large or not run.listed):
        return (
            f"The source no longer has {len(missing)} of {len(known)} documents. They were not deleted. "
            "To delete them, start a sync with confirm_deletions."
        )
    for start in range(0, len(missing), DELETED_PER_TRANSACTION):
        batch = missing[start : start + DELETED_PER_TRANSACTION]
        with run.scope():
            for document in Document.objects.filter(connector_id=run.connector.pk, source__in=batch):
                delete_document(document)
                run.counts.deleted_count += 1
            run.report()
    return ""


def _finish(run: _SyncRun, status: str, message: str = "") -> None:
    """Record the end of the sync in the connector and in the audit log."""
    # After a failure, the next listing must not be skipped as unchanged.
    is_clean = status == SyncStatus.COMPLETED and not run.counts.failed_count
    state = run.context.state if is_clean else {}
    with run.scope():
        if state:
            count = Document.objects.filter(connector_id=run.connector.pk).count()
            state = {**state, "documents": count, "config": run.connector.config}
        try:
            run.report(status=status, error_message=message, finished_at=timezone.now(), state=state)
        except _AbortedError:
            return
        record_event(
            "connector.synced",
            resource=run.connector,
            status=AuditStatus.FAILURE if status == SyncStatus.FAILED else AuditStatus.SUCCESS,
            error_message=message,
            metadata={**asdict(run.counts), "status": str(status)},
        )
