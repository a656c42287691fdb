"""Jobs and periodic tasks of workflows."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config.jobs import job

# Tasks can finish days after they were created.
DAYS = 3


@app.periodic(cron="27 0 * * *")
@app.task(queueing_lock="compute_agent_performance")
@job
def compute_agent_performance(timestamp: int) -> None:
    """Compute agent performance for the latest complete days."""
    from workflows.services.performance import compute_performance

    yesterday = datetime.fromtimestamp(timestamp, UTC).date() - timedelta(days=1)
    compute_performance(yesterday - timedelta(days=DAYS - 1), yesterday)


@app.task(name="workflows.tasks.embed_rows", retry=RetryStrategy(max_attempts=5, exponential_wait=5))
@job
def embed_rows(tenant_id: str) -> None:
    """Embed a tenant's new and changed assets, events and tasks."""
    from workflows.services.similarity import embed_rows as embed

    embed(UUID(tenant_id))


@app.periodic(cron="37 3 * * *")
@app.task(queueing_lock="embed_waiting_rows")
@job
def embed_waiting_rows(timestamp: int) -> None:
    """Embed rows that were not created through the API or the console."""
    from workflows.services.similarity import embed_rows as embed
    from workflows.services.similarity import list_stale_tenants

    for tenant_id in list_stale_tenants():
        embed(tenant_id)


@app.periodic(cron="33 4 * * *")
@app.task(queueing_lock="expire_insights")
@job
def expire_insights(timestamp: int) -> None:
    """Delete expired and unhelpful insights."""
    from workflows.services.learning import expire_insights as expire

    expire()
