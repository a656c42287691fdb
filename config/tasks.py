"""Periodic maintenance: partitions, reports, stalled jobs and finished jobs."""

from contextlib import suppress

from procrastinate.contrib.django import app

from config.db.partitions import ensure_partitions
from config.db.reports import refresh_report, report_models
from config.jobs import job

MAX_ATTEMPTS = 5
STALLED_AFTER_SECONDS = 30
# Higher than normal jobs: a long queue must not delay the retry of stalled jobs.
HIGH_PRIORITY = 100
KEEP_FAILED_HOURS = 24 * 30


@app.periodic(cron="17 3 * * *")
@app.task(queueing_lock="make_partitions")
@job
def make_partitions(timestamp: int) -> None:
    """Create the partitions of the coming periods."""
    ensure_partitions()


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="refresh_reports")
@job
def refresh_reports(timestamp: int) -> None:
    """Refresh the materialized reports, each in a separate transaction."""
    for model in report_models():
        refresh_report(model)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="retry_stalled_jobs", priority=HIGH_PRIORITY)
async def retry_stalled_jobs(timestamp: int) -> None:
    """Retry the jobs of dead workers.

    A job fails if it was attempted too often, or if another job with its queueing lock waits and does the work.
    """
    from procrastinate.exceptions import UniqueViolation
    from procrastinate.jobs import Status

    for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        if stalled.attempts < MAX_ATTEMPTS:
            # procrastinate asserts on error details that row-level security hides.
            with suppress(UniqueViolation, AssertionError):
                await app.job_manager.retry_job(stalled)
                continue
        await app.job_manager.finish_job(stalled, status=Status.FAILED, delete_job=False)


@app.periodic(cron="41 3 * * *")
@app.task(queueing_lock="delete_finished_jobs")
async def delete_finished_jobs(timestamp: int) -> None:
    """Delete jobs that finished more than a month ago."""
    await app.job_manager.delete_old_jobs(
        nb_hours=KEEP_FAILED_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )
