"""Periodic tasks of the audit log."""

from procrastinate.contrib.django import app

from config.jobs import job


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="seal_audit_log")
@job
def seal_audit_log(timestamp: int) -> None:
    """Seal the audit log and copy the seals to the file."""
    from audit.services.sealing import seal

    seal()
