"""Periodic upkeep of agents."""

from procrastinate.contrib.django import app

from config.jobs import job
from tenants.scoping import platform_scope


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="expire_budget_reservations")
@job
def expire_budget_reservations(timestamp: int) -> None:
    """Free what calls held whose process died."""
    from agents.services.budgets import expire_reservations

    with platform_scope(reason="expire budget reservations", actor="system:upkeep"):
        expire_reservations()
