"""Jobs of knowledge: reading documents, changing models, measuring search, and upkeep."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config.jobs import job
from knowledge.embedders import EmbeddingError

MAX_ATTEMPTS = 5
PASSING = (EmbeddingError, OperationalError, InterfaceError, OSError)


@app.task(
    name="knowledge.tasks.index_document",
    pass_context=True,
    retry=RetryStrategy(max_attempts=MAX_ATTEMPTS, exponential_wait=5, retry_exceptions=set(PASSING)),
)
@job
def index_document(context: Any, tenant_id: str, document_id: str) -> None:
    """Read a document that was brought; what cannot be embedded or stored now is tried again."""
    from knowledge.services import ingestion

    try:
        ingestion.index_document(UUID(tenant_id), UUID(document_id))
    except PASSING as error:
        if context.job.attempts + 1 >= MAX_ATTEMPTS:
            message = f"Given up after {MAX_ATTEMPTS} attempts: {_words(error)}"
            ingestion.fail_document(UUID(tenant_id), UUID(document_id), message)
        raise
    except Exception:
        ingestion.fail_document(
            UUID(tenant_id), UUID(document_id), "An error of the program; it was logged for the operators."
        )
        raise


def _words(error: Exception) -> str:
    """What a person may read of it: words of the database and of the storage name machines."""
    return str(error) if isinstance(error, EmbeddingError) else "the database or the storage did not answer"


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="resume_documents")
@job
def resume_documents(timestamp: int) -> None:
    """Defer the jobs of documents and changes that wait for none, and end those whose job was given up."""
    from knowledge.services.upkeep import resume_changes
    from knowledge.services.upkeep import resume_documents as resume

    resume()
    resume_changes()


@app.task(
    name="knowledge.tasks.reembed_collection",
    pass_context=True,
    retry=RetryStrategy(max_attempts=MAX_ATTEMPTS, exponential_wait=5, retry_exceptions=set(PASSING)),
)
@job
def reembed_collection(context: Any, tenant_id: str, collection_id: str, model: str) -> None:
    """Embed the chunks of a collection by the model that it is changing to."""
    from knowledge.services import collections

    try:
        collections.reembed_collection(UUID(tenant_id), UUID(collection_id), model)
    except PASSING as error:
        if context.job.attempts + 1 >= MAX_ATTEMPTS:
            collections.abandon_change(UUID(tenant_id), UUID(collection_id), model, _words(error))
        raise


@app.periodic(cron="23 4 * * *")
@app.task(queueing_lock="expire_patterns")
@job
def expire_patterns(timestamp: int) -> None:
    """Forget patterns that have faded."""
    from knowledge.services.learning import expire_patterns as expire

    expire()


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="learn_terms")
@job
def learn_terms(timestamp: int) -> None:
    """Count the use of terms in the questions of the hour before, and make vectors of new ones."""
    from knowledge.services.terminology import embed_missing_terms, learn_use

    hour = datetime.fromtimestamp(timestamp, UTC).replace(minute=0, second=0, microsecond=0)
    learn_use(hour - timedelta(hours=1), hour)
    embed_missing_terms()


@app.periodic(cron="53 4 * * *")
@app.task(queueing_lock="delete_stray_files")
@job
def delete_stray_files(timestamp: int) -> None:
    """Delete files that no document names."""
    from knowledge.services.upkeep import delete_stray_files as delete

    delete()


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="balance_vectors")
@job
def balance_vectors(timestamp: int) -> None:
    """Give tenants with many vectors a partition of their own, and take it back from those with few."""
    from knowledge.services.vectors import balance

    for _ in balance():
        pass


@app.task
@job
def evaluate_search(tenant_id: str, evaluation_id: str) -> None:
    """Measure how good a collection's search is on its tenant's questions."""
    from knowledge.services.evaluation import run_evaluation

    run_evaluation(UUID(tenant_id), UUID(evaluation_id))
