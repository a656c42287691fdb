"""Work on agents that nobody waits for."""

import logging

from procrastinate.contrib.django import app

from agents.runtime.mcp_client import ACTOR, McpFailed, refresh
from config.jobs import job
from tenants.scoping import platform_scope

logger = logging.getLogger(__name__)


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
