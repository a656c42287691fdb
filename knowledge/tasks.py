"""Jobs of knowledge."""

from uuid import UUID

from procrastinate.contrib.django import app

from config.jobs import job


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
