"""Background jobs of knowledge."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config.jobs import job
from knowledge.embedders import EmbeddingError

MAX_ATTEMPTS = 5
TRANSIENT_ERRORS = (EmbeddingError, OperationalError, InterfaceError, OSError)


@app.task(
    name="knowledge.tasks.index_document",
    pass_context=True,
    retry=RetryStrategy(
        max_attempts=MAX_ATTEMPTS, exponential_wait=5, retry_exceptions=set(TRANSIENT_ERRORS)
    ),
)
@job
def index_document(context: Any, tenant_id: str, document_id: str) -> None:
    """Index a document, retrying when it cannot be embedded or stored."""
    from knowledge.services import ingestion

    try:
        ingestion.index_document(UUID(tenant_id), UUID(document_id))
    except TRANSIENT_ERRORS as error:
        if context.job.attempts + 1 >= MAX_ATTEMPTS:
            message = f"Indexing failed after {MAX_ATTEMPTS} attempts: {_build_public_message(error)}"
            ingestion.fail_document(UUID(tenant_id), UUID(document_id), message)
        raise
    except Exception:
        ingestion.fail_document(
            UUID(tenant_id), UUID(document_id), "Internal error. It was logged; contact the operator."
        )
        raise


def _build_public_message(error: Exception) -> str:
    """Return a public message: database and storage errors may name internal hosts."""
    return (
        str(error) if isinstance(error, EmbeddingError) else "the database or the file storage is unavailable"
    )


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="resume_documents")
@job
def resume_documents(timestamp: int) -> None:
    """Requeue documents and model changes without a job, and fail those with a failed job."""
    from knowledge.services.maintenance import resume_changes
    from knowledge.services.maintenance import resume_documents as resume

    resume()
    resume_changes()


@app.task(
    name="knowledge.tasks.reembed_collection",
    pass_context=True,
    retry=RetryStrategy(
        max_attempts=MAX_ATTEMPTS, exponential_wait=5, retry_exceptions=set(TRANSIENT_ERRORS)
    ),
)
@job
def reembed_collection(context: Any, tenant_id: str, collection_id: str, model: str) -> None:
    """Re-embed the chunks of a collection with its new model."""
    from knowledge.services import collections

    try:
        collections.reembed_collection(UUID(tenant_id), UUID(collection_id), model)
    except TRANSIENT_ERRORS as error:
        if context.job.attempts + 1 >= MAX_ATTEMPTS:
            collections.abandon_change(
                UUID(tenant_id), UUID(collection_id), model, _build_public_message(error)
            )
        raise


@app.periodic(cron="23 4 * * *")
@app.task(queueing_lock="expire_patterns")
@job
def expire_patterns(timestamp: int) -> None:
    """Delete expired learning patterns."""
    from knowledge.services.learning import expire_patterns as expire

    expire()


@app.periodic(cron="41 4 * * *")
@app.task(queueing_lock="expire_suggestions")
@job
def expire_suggestions(timestamp: int) -> None:
    """Delete suggested questions that were not reviewed in time."""
    from knowledge.services.judged_questions import expire_suggestions as expire

    expire()


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="learn_terms")
@job
def learn_terms(timestamp: int) -> None:
    """Count the use of terms in the last hour's queries and embed new terms."""
    from knowledge.services.terminology import count_term_use, embed_missing_terms

    hour = datetime.fromtimestamp(timestamp, UTC).replace(minute=0, second=0, microsecond=0)
    count_term_use(hour - timedelta(hours=1), hour)
    embed_missing_terms()


@app.periodic(cron="53 4 * * *")
@app.task(queueing_lock="delete_stray_files")
@job
def delete_stray_files(timestamp: int) -> None:
    """Delete stored files that no document references."""
    from knowledge.services.maintenance import delete_stray_files as delete

    delete()


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="balance_vectors")
@job
def balance_vectors(timestamp: int) -> None:
    """Promote tenants with many vectors to separate partitions, and demote the others."""
    from knowledge.services.vectors import balance_partitions

    for _ in balance_partitions():
        pass


@app.task(
    name="knowledge.tasks.sync_connector",
    pass_context=True,
    # Lower than other jobs: a sync may take long.
    priority=-10,
    retry=RetryStrategy(
        max_attempts=MAX_ATTEMPTS, exponential_wait=5, retry_exceptions=set(TRANSIENT_ERRORS)
    ),
)
@job
def sync_connector(context: Any, tenant_id: str, connector_id: str, confirm_deletions: bool = False) -> None:
    """Make the documents of a connector equal to its source, continuing an interrupted sync."""
    from knowledge.services import connector_sync, connectors

    tenant, connector = UUID(tenant_id), UUID(connector_id)
    try:
        connector_sync.sync_connector(tenant, connector, confirm_deletions=confirm_deletions)
    except TRANSIENT_ERRORS as error:
        if context.job.attempts + 1 >= MAX_ATTEMPTS:
            connectors.fail_sync(tenant, connector, f"The sync failed: {_build_public_message(error)}.")
        raise
    except Exception:
        message = "Internal error. It was logged; contact the operator."
        connectors.fail_sync(tenant, connector, message)
        raise


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="queue_due_syncs")
@job
def queue_due_syncs(timestamp: int) -> None:
    """Queue the syncs of connectors that are due."""
    from knowledge.services.connectors import queue_due_syncs as queue

    queue()
