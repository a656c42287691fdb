"""Periodic upkeep of agents."""

from uuid import UUID

from procrastinate.contrib.django import app

from config.jobs import job
from tenants.scoping import platform_scope, tenant_scope


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="expire_budget_reservations")
@job
def expire_budget_reservations(timestamp: int) -> None:
    """Free what calls held whose process died."""
    from agents.services.budgets import expire_reservations

    with platform_scope(reason="expire budget reservations", actor="system:upkeep"):
        expire_reservations()


@app.task
@job
def check_integration(tenant_id: str, integration_id: str, actor: str) -> None:
    """Ask an account's endpoint for its models and record how that ended."""
    from agents.runtime.checking import check_connection

    check_connection(UUID(integration_id), lambda: tenant_scope(tenant_id, actor=actor))
