"""Overview of the console, with failed runs and waiting approvals."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest

from conversations.admin.dashboard import dashboard as build_overview
from conversations.admin.dashboard import get_midnight, make_tile
from workflows.choices import ExecutionStatus
from workflows.models import WorkflowExecution
from workflows.services.approvers import waiting_for


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the overview, limited to what the user can see."""
    context = build_overview(request)
    access = request.console  # type: ignore[attr-defined]
    if access.allows("workflows", "read"):
        context["tiles"] += list_tiles(access)
    return context


def list_tiles(access: Any) -> list[dict[str, Any]]:
    """Return the tiles of workflows."""
    since = get_midnight() - timedelta(days=6)
    failed = WorkflowExecution.objects.filter(status=ExecutionStatus.FAILED, started_at__gte=since).count()
    address = "workflows_workflowexecution"
    tiles = [make_tile("Failed runs", failed, "in 7 days", address, "status__exact=failed", alarm=failed > 0)]
    if not access.is_platform:
        waiting = waiting_for(access.user_id).count()
        tiles.append(
            make_tile(
                "Approvals", waiting, "wait for you", "workflows_approval", "waiting=me", alarm=waiting > 0
            )
        )
    return tiles
