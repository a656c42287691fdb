"""Periodic upkeep of workflows."""

from datetime import UTC, datetime, timedelta

from procrastinate.contrib.django import app

from config.jobs import job

# Tasks may end days after they were made.
DAYS = 3


@app.periodic(cron="27 0 * * *")
@app.task(queueing_lock="compute_agent_performance")
@job
def compute_agent_performance(timestamp: int) -> None:
    """Compute how agents did on the last days that are over."""
    from workflows.services.performance import compute_performance

    yesterday = datetime.fromtimestamp(timestamp, UTC).date() - timedelta(days=1)
    compute_performance(yesterday - timedelta(days=DAYS - 1), yesterday)
