"""Work on agents that nobody waits for."""

import logging
from uuid import UUID

from procrastinate.contrib.django import app

from agents.runtime.mcp_client import ACTOR, McpFailed, refresh
from agents.runtime.payments import give_back
from config.jobs import job
from tenants.scoping import platform_scope, tenant_scope

logger = logging.getLogger(__name__)


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
def refresh_mcp_server(slug: str) -> None:
    """List again what an MCP server offers; a failure is kept with the server."""
    from agents.models import McpServer

    with platform_scope(reason="refresh an MCP server", actor=ACTOR):
        server = McpServer.objects.filter(slug=slug).first()
    if server is None:
        return
    try:
        refresh(server)
    except McpFailed as error:
        logger.warning("MCP server %s: %s", slug, error)


@app.periodic(cron="37 */6 * * *")
@app.task(queueing_lock="refresh_mcp_servers")
@job
def refresh_mcp_servers(timestamp: int) -> None:
    """List again what every server in use offers; each is asked by a job of its own."""
    from agents.choices import McpServerStatus
    from agents.models import McpServer

    with platform_scope(reason="refresh the MCP servers in use", actor=ACTOR):
        slugs = list(
            McpServer.objects.exclude(status=McpServerStatus.DISABLED).values_list("slug", flat=True)
        )
    for slug in slugs:
        refresh_mcp_server.defer(slug=slug)


@app.task
@job
def refund_template_purchase(purchase_id: str) -> None:
    """Give the money of a purchase back; a failure leaves the ledger as it is and the job as failed."""
    give_back(UUID(purchase_id))


@app.task
@job
def check_integration(tenant_id: str, integration_id: str, actor: str) -> None:
    """Ask an account's endpoint for its models and record how that ended."""
    from agents.runtime.checking import check_connection

    check_connection(UUID(integration_id), lambda: tenant_scope(tenant_id, actor=actor))
