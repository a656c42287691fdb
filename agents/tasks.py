"""Background jobs of the agents app."""

import logging
from uuid import UUID

from procrastinate.contrib.django import app

from agents.runtime.mcp_client import ACTOR, McpClientError, refresh_server
from agents.runtime.payments import refund_payment
from config.jobs import job
from config.tenancy.scope import platform_scope, tenant_scope

logger = logging.getLogger(__name__)


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="expire_budget_reservations")
@job
def expire_budget_reservations(timestamp: int) -> None:
    """Release budget reservations left behind by processes that died."""
    from agents.services.budgets import expire_reservations

    with platform_scope(reason="expire budget reservations", actor="system:upkeep"):
        expire_reservations()


@app.task
@job
def refresh_mcp_server(slug: str) -> None:
    """Refresh the offers of one MCP server; store a failure on its row."""
    from agents.models import McpServer

    with platform_scope(reason="refresh an MCP server", actor=ACTOR):
        server = McpServer.objects.filter(slug=slug).first()
    if server is None:
        return
    try:
        refresh_server(server)
    except McpClientError as error:
        logger.warning("MCP server %s: %s", slug, error)


@app.periodic(cron="37 */6 * * *")
@app.task(queueing_lock="refresh_mcp_servers")
@job
def refresh_mcp_servers(timestamp: int) -> None:
    """Defer one refresh job for every enabled MCP server."""
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
    """Refund a purchase; a failure leaves the ledger unchanged and fails the job."""
    refund_payment(UUID(purchase_id))


@app.task
@job
def check_integration(tenant_id: str, integration_id: str, actor: str) -> None:
    """Check the connection of a provider account and record the result."""
    from agents.runtime.connection_check import check_connection

    check_connection(UUID(integration_id), lambda: tenant_scope(tenant_id, actor=actor))


@app.periodic(cron="43 3 * * *")
@app.task(queueing_lock="expire_run_texts")
@job
def expire_run_texts(timestamp: int) -> None:
    """Erase the texts of agent runs that organisations no longer keep."""
    from agents.services.runs import expire_run_texts as expire

    expire()
