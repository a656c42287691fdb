"""Periodic upkeep: partitions ahead of time, reports, stalled jobs, finished jobs."""

from procrastinate.contrib.django import app

from config.db.partitions import ensure_partitions
from config.db.reports import refresh_report, report_models
from config.jobs import job

MAX_ATTEMPTS = 5
STALLED_AFTER_SECONDS = 30
# Before what waits: a long queue must not keep dead workers' jobs from being given on.
URGENT = 100
KEEP_FAILED_HOURS = 24 * 30


@app.periodic(cron="17 3 * * *")
@app.task(queueing_lock="make_partitions")
@job
def make_partitions(timestamp: int) -> None:
    """Make the partitions of the next periods."""
    ensure_partitions()


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="refresh_reports")
@job
def refresh_reports(timestamp: int) -> None:
    """Compute the materialised reports anew, each in a transaction of its own."""
    for model in report_models():
        refresh_report(model)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="retry_stalled_jobs", priority=URGENT)
async def retry_stalled_jobs(timestamp: int) -> None:
    """Give the jobs of dead workers to living ones; a job that kills its worker again and again is given up."""
    from procrastinate.jobs import Status

    for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_SECONDS):
        if stalled.attempts < MAX_ATTEMPTS:
            await app.job_manager.retry_job(stalled)
        else:
            await app.job_manager.finish_job(stalled, status=Status.FAILED, delete_job=False)


@app.periodic(cron="41 3 * * *")
@app.task(queueing_lock="delete_finished_jobs")
async def delete_finished_jobs(timestamp: int) -> None:
    """Delete jobs that ended more than a month ago."""
    await app.job_manager.delete_old_jobs(
        nb_hours=KEEP_FAILED_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )
