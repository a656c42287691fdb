"""Liveness and readiness endpoints."""

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Return 200 if the process responds. Checks nothing else."""
    return JsonResponse({"status": "ok"})


def _migrations() -> str:
    loader = MigrationLoader(connection)
    missing = loader.graph.nodes.keys() - loader.applied_migrations.keys()
    return f"{len(missing)} migrations are not applied" if missing else ""


def _partitions() -> str:
    from config.db.partitions import partitioned_models, periods_ahead

    late = [model._meta.label_lower for model in partitioned_models() if periods_ahead(model) < 1]
    return f"no future partition for {', '.join(late)}" if late else ""


CHECKS: dict[str, Callable[[], str]] = {"migrations": _migrations, "partitions": _partitions}


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Return 200 if the service can handle requests, else 503 with the reasons.

    Checks the database connection, applied migrations and future partitions.
    """
    reasons: dict[str, Any] = {}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        for name, check in CHECKS.items():
            if reason := check():
                reasons[name] = reason
    except (DatabaseError, InterfaceError):
        reasons["database"] = "does not respond"
    status = {"status": "unready", "reasons": reasons} if reasons else {"status": "ready"}
    return JsonResponse(status, status=503 if reasons else 200)
