"""Management command that refreshes the offers of MCP servers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.choices import McpServerStatus
from agents.models import McpServer
from agents.runtime.mcp_client import ACTOR, McpClientError, refresh_server
from config.tenancy.scope import platform_scope


class Command(BaseCommand):
    help = "Request the tools, resources and prompts of registered MCP servers and store them."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "slugs", nargs="*", help="Slugs of the servers to refresh (default: all active servers)."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with platform_scope(reason="refresh MCP servers", actor=ACTOR):
            servers = McpServer.objects.filter(status=McpServerStatus.ACTIVE)
            if options["slugs"]:
                servers = McpServer.objects.filter(slug__in=options["slugs"])
            found = list(servers.order_by("slug"))
        if missing := set(options["slugs"]) - {server.slug for server in found}:
            raise CommandError(f"Unknown servers: {', '.join(sorted(missing))}.")
        failed = [server.slug for server in found if not self._refresh(server)]
        if failed:
            raise CommandError(f"Could not refresh: {', '.join(failed)}.")

    def _refresh(self, server: McpServer) -> bool:
        try:
            offers = refresh_server(server)
        except McpClientError as error:
            self.stderr.write(f"{server.slug}: {error}")
            return False
        counts = (
            f"{len(offers.tools)} tools, {len(offers.resources)} resources, {len(offers.prompts)} prompts"
        )
        self.stdout.write(f"{server.slug}: {counts}")
        return True
