"""Periodic upkeep of knowledge."""

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
