"""Background jobs of the agents app."""

import logging
from datetime import UTC, datetime
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


# Jobs that earlier versions queued have the second name.
@app.task(name="agents.tasks.evaluate_collection", aliases=["knowledge.tasks.evaluate_search"])
@job
def evaluate_collection(tenant_id: str, evaluation_id: str) -> None:
    """Measure the search of a collection and the answers of the offline model."""
    from agents.runtime.answer_evaluation import answer_questions
    from knowledge.services.collection_evaluation import run_evaluation

    run_evaluation(UUID(tenant_id), UUID(evaluation_id), answer_questions)


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
def send_payout(payout_id: str) -> None:
    """Pay a payout by its payment provider."""
    from agents.runtime.payouts import send_payout as send

    send(UUID(payout_id))


@app.periodic(cron="17 5 * * *")
@app.task(queueing_lock="run_payouts")
@job
def run_payouts(timestamp: int) -> None:
    """Create the payouts of the previous month, and pay those that are not paid yet."""
    from agents.runtime.payouts import run_payouts as run
    from agents.services.payouts import get_previous_month

    run(get_previous_month(datetime.fromtimestamp(timestamp, UTC)))


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
    """Erase the texts of agent runs and payloads of model calls that organisations no longer keep."""
    from agents.services.payloads import expire_payloads
    from agents.services.runs import expire_run_texts as expire

    expire()
    expire_payloads()


@app.periodic(cron="13 * * * *")
@app.task(queueing_lock="check_platforms")
@job
def check_platforms(timestamp: int) -> None:
    """Mark expired platform credentials, and check the health of platform adapters."""
    from agents.services.platforms import check_adapters, expire_credentials

    expire_credentials()
    check_adapters()
