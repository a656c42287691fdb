"""Periodic upkeep of the audit log."""

from procrastinate.contrib.django import app

from config.jobs import job


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="seal_audit_log")
@job
def seal_audit_log(timestamp: int) -> None:
    """Seal what was written since the last seal, and copy the seals out of the database."""
    from audit.services.sealing import seal

    seal()
