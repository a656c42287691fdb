"""Load and delete the history of a demo tenant, each in one transaction."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, models, transaction

from config.db.ids import uuid7_floor
from config.db.partitions import ensure_partitions
from config.tenancy.scope import platform_scope, tenant_scope

from .generator import SINCE, UNTIL, DemoState, Progress, call_demos, find_demos, ignore_rows

ACTOR = "system:seed"
# Approximate number of rows per scale step, for the progress bar.
ROWS = 26_500
# Number of rows that one statement can delete within the statement timeout.
SLICE = timedelta(days=3)


def get_tables() -> list[type[models.Model]]:
    """Return the tables of the history; each precedes the tables it refers to."""
    return [table for demo in reversed(find_demos()) for table in getattr(demo, "TABLES", ())]


def make_old_partitions() -> list[str]:
    """Create and commit the missing partitions for the history."""
    with platform_scope(reason="create partitions for the demo history", actor=ACTOR):
        return ensure_partitions(since=SINCE)


def get_history(tenant_id: UUID) -> dict[str, Any]:
    """Return scale, seed and row count of the tenant's history; empty without one."""
    with tenant_scope(tenant_id, actor=ACTOR):
        found: dict[str, Any] = _tenants().get(pk=tenant_id).metadata.get("demo", {})
    return found


def load_history(state: DemoState, on_rows: Progress = ignore_rows) -> int:
    """Create the history in one transaction and return its row count."""
    # Without a user, because the history has conversations of several people.
    with tenant_scope(state.tenant_id, actor=ACTOR):
        state.on_rows = on_rows
        call_demos("make_history", state)
        _store_facts(state.tenant_id, {"scale": state.scale, "seed": state.seed, "rows": state.rows})
    return state.rows


def delete_history(tenant_id: UUID, on_rows: Progress = ignore_rows) -> int:
    """Delete the tenant's rows in the period of the history and return their number.

    Runs in one transaction and keeps the audit log.
    """
    with platform_scope(reason="delete the demo history", actor=ACTOR), transaction.atomic():
        gone = sum(_delete(model, tenant_id, on_rows) for model in get_tables())
        call_demos("delete_derived", tenant_id)
        _store_facts(tenant_id, None)
    return gone


def _tenants() -> Any:
    return apps.get_model("tenants", "Tenant").objects


def _store_facts(tenant_id: UUID, facts: dict[str, Any] | None) -> None:
    tenant = _tenants().select_for_update().get(pk=tenant_id)
    tenant.metadata = {key: value for key, value in tenant.metadata.items() if key != "demo"}
    if facts:
        tenant.metadata["demo"] = facts
    tenant.save(update_fields=["metadata", "updated_at"])


def _slices() -> Iterator[tuple[UUID, UUID]]:
    start = SINCE
    while start < UNTIL:
        yield uuid7_floor(start), uuid7_floor(start + SLICE)
        start += SLICE


def _delete(model: Any, tenant_id: UUID, on_rows: Progress) -> int:
    gone = 0
    statement = f"DELETE FROM {model._meta.db_table} WHERE tenant_id = %s AND id >= %s AND id < %s"
    with connection.cursor() as cursor:
        for low, high in _slices():
            cursor.execute(statement, [tenant_id, low, high])
            gone += cursor.rowcount
            on_rows(cursor.rowcount)
    return gone
