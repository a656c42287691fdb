"""Deletion of a tenant with all its rows and files, in portions that survive a crash.

Rows of the audit log and of the security log stay until their partitions expire: both are append-only, and the audit
log is sealed. The deleted rows themselves are not written to the audit log (`conclave_audit_skips` in
`config.db.functions`), only the request and the result of the deletion, without personal data.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import connection, models
from django.utils import timezone

from config.db.constraints import RowLevelSecurity
from config.db.partitions import children_first
from config.db.session import OPERATOR, Scope
from config.jobs import defer_once
from config.tenancy.scope import ScopedTransaction, require_scope
from tenants.choices import DeletionStatus, TenantStatus
from tenants.models import Tenant, TenantDeletion
from tenants.services.tenants import TenantStateError, lock_tenant
from tenants.signals import platform_action, tenant_deleting

logger = logging.getLogger(__name__)
# The audit triggers know it.
ACTOR = "system:tenant_deletion"
TASK = "tenants.tasks.delete_tenant"
PORTION = 5_000
# Work in progress may still write rows and files while those before it are deleted.
PASSES = 5
JOBS = "procrastinate_jobs"
Progress = Callable[[str, int], None]


class TenantBusyError(RuntimeError):
    """Other processes keep writing rows of the tenant."""


def ignore_progress(table: str, rows: int) -> None:
    """Show no progress."""


def tenant_models() -> list[type[models.Model]]:
    """Return the models with rows of a tenant, except reports and logs, children first."""
    return children_first(
        model
        for model in apps.get_models()
        if tenant_column(model)
        and model._meta.managed
        and "DELETE" in {**RowLevelSecurity.DEFAULTS, **getattr(model, "row_security", {})}["operator"]
    )


def tenant_column(model: type[models.Model]) -> str:
    """Return the column with the tenant that owns a row, or an empty string."""
    for field in model._meta.concrete_fields:
        if field.attname == "tenant_id" or field.related_model is Tenant:
            return str(field.column)
    return ""


def request_deletion(tenant: Tenant, *, name: str, defer: bool = True) -> TenantDeletion:
    """Mark a suspended tenant as deleted and defer its deletion, in the open platform scope.

    Args:
        name: The name of the tenant, as confirmation.
        defer: Whether the worker deletes it at once. Otherwise it only continues a deletion that makes no progress.

    Raises:
        ValidationError: `name` is another name.
        TenantStateError: The tenant is not suspended, or its deletion was already requested.
    """
    locked = lock_tenant(tenant)
    if name != locked.name:
        raise ValidationError({"name": "Enter the name of the organisation to confirm its deletion."})
    if locked.status != TenantStatus.SUSPENDED:
        raise TenantStateError("Suspend the organisation before you delete it.", "tenant_not_suspended")
    locked.status, locked.deleted_at = TenantStatus.DELETED, timezone.now()
    locked.save(update_fields=["status", "deleted_at", "updated_at"])
    deletion = TenantDeletion(deleted_tenant_id=locked.pk, requested_by=require_scope().actor)
    deletion.save()
    _announce("tenant.deletion_requested", deletion)
    if defer:
        defer_deletion(deletion)
    return deletion


def defer_deletion(deletion: TenantDeletion) -> None:
    """Defer the job of a deletion unless it is queued."""
    defer_once(TASK, f"delete_tenant:{deletion.pk}", deletion_id=str(deletion.pk))


def run_deletion(
    deletion_id: UUID, *, portion: int = PORTION, progress: Progress = ignore_progress
) -> TenantDeletion:
    """Delete the rows and files of a tenant, or continue where an earlier run ended. Call it outside any scope.

    Args:
        portion: Rows per transaction.
        progress: Called after each transaction with the table and the number of deleted rows.

    Raises:
        TenantBusyError: Rows of the tenant were written all the time.
    """
    deletion = _begin(deletion_id)
    if deletion.status == DeletionStatus.COMPLETED:
        return deletion
    tenant_deleting.send(sender=TenantDeletion, tenant_id=deletion.deleted_tenant_id)
    for _ in range(PASSES):
        _delete_jobs(deletion)
        for model in tenant_models():
            for rows in _delete_rows(deletion, model, portion):
                progress(model._meta.db_table, rows)
        _delete_files(deletion, f"tenants/{deletion.deleted_tenant_id}")
        if _finish(deletion):
            return deletion
    raise TenantBusyError(f"rows of the tenant {deletion.deleted_tenant_id} are still being written")


def fail_attempt(deletion_id: UUID, error: BaseException) -> None:
    """Store the kind of the error of an attempt. The message may contain values of rows."""
    with _deletion_scope():
        TenantDeletion.objects.filter(pk=deletion_id).update(error=type(error).__name__)


@contextmanager
def _deletion_scope() -> Iterator[None]:
    # Not platform_scope(): it writes an audit row for each portion.
    with ScopedTransaction(Scope(OPERATOR, actor=ACTOR, reason="delete a tenant")):
        yield


def _begin(deletion_id: UUID) -> TenantDeletion:
    with _deletion_scope():
        deletion = TenantDeletion.objects.select_for_update().get(pk=deletion_id)
        if deletion.status == DeletionStatus.PENDING:
            deletion.status, deletion.started_at = DeletionStatus.RUNNING, timezone.now()
            deletion.save(update_fields=["status", "started_at", "updated_at"])
        return deletion


def _delete_rows(deletion: TenantDeletion, model: type[models.Model], portion: int) -> Iterator[int]:
    """Delete the rows of a table in portions of descending IDs, each with its count in the report."""
    table, key = model._meta.db_table, model._meta.pk.column  # type: ignore[union-attr]
    owned = f'"{tenant_column(model)}" = %(tenant)s'
    upper = None
    while True:
        with _deletion_scope(), connection.cursor() as cursor:
            below = f' AND "{key}" < %(upper)s' if upper else ""
            where = {"tenant": deletion.deleted_tenant_id, "upper": upper}
            # Ranges of IDs prune partitions, and skip the index entries of the rows deleted before.
            cursor.execute(
                f'SELECT "{key}" FROM "{table}" WHERE {owned}{below}'
                f' ORDER BY "{key}" DESC OFFSET {portion - 1} LIMIT 1',
                where,
            )
            lower = cursor.fetchone()
            above = f' AND "{key}" >= %(lower)s' if lower else ""
            statement = f'DELETE FROM "{table}" WHERE {owned}{below}{above}'
            cursor.execute(statement, {**where, "lower": lower and lower[0]})
            rows = cursor.rowcount
            _count(deletion, table, rows)
        if rows:
            yield rows
        if lower is None:
            return
        (upper,) = lower


def _delete_jobs(deletion: TenantDeletion) -> None:
    with _deletion_scope(), connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {JOBS} WHERE args ->> 'tenant_id' = %s AND status <> 'doing'",
            [str(deletion.deleted_tenant_id)],
        )
        _count(deletion, JOBS, cursor.rowcount)


def _count(deletion: TenantDeletion, table: str, rows: int) -> None:
    """Add deleted rows to the report, in their transaction."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE tenants_tenantdeletion SET rows = rows || jsonb_build_object(%(table)s::text,"
                " coalesce((rows ->> %(table)s::text)::bigint, 0) + %(rows)s) WHERE id = %(id)s",
                {"table": table, "rows": rows, "id": deletion.pk},
            )


def _delete_files(deletion: TenantDeletion, folder: str) -> None:
    """Delete a folder of the storage with all files."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        default_storage.delete(f"{folder}/{name}")
    if files:
        with _deletion_scope():
            TenantDeletion.objects.filter(pk=deletion.pk).update(files=models.F("files") + len(files))
    for name in folders:
        _delete_files(deletion, f"{folder}/{name}")
    # Local folders remain otherwise; object storage has none.
    default_storage.delete(folder)


def _finish(deletion: TenantDeletion) -> bool:
    """Delete the tenant's row and complete the deletion; return False if the tenant has other rows."""
    with _deletion_scope(), connection.cursor() as cursor:
        # Waits for transactions that write rows of the tenant, and lets later ones wait.
        cursor.execute("SELECT FROM tenants_tenant WHERE id = %s FOR UPDATE", [deletion.deleted_tenant_id])
        current = TenantDeletion.objects.select_for_update().get(pk=deletion.pk)
        if current.status == DeletionStatus.COMPLETED:
            # Another process has completed it meanwhile.
            deletion.refresh_from_db()
            return True
        if table := _find_row(cursor, deletion.deleted_tenant_id):
            logger.info("rows of %s were written during the deletion of their tenant", table)
            return False
        cursor.execute("DELETE FROM tenants_tenant WHERE id = %s", [deletion.deleted_tenant_id])
        _count(deletion, "tenants_tenant", cursor.rowcount)
        deletion.refresh_from_db()
        deletion.status, deletion.completed_at = DeletionStatus.COMPLETED, timezone.now()
        deletion.error = ""
        deletion.save(update_fields=["status", "completed_at", "error", "updated_at"])
        _announce("tenant.deletion_completed", deletion)
    return True


def _find_row(cursor: Any, tenant_id: UUID) -> str:
    """Return a table with rows of the tenant, which the foreign key would delete without counting, or ''."""
    parts = [
        f"SELECT '{model._meta.db_table}' WHERE EXISTS"
        f' (SELECT FROM "{model._meta.db_table}" WHERE "{tenant_column(model)}" = %(tenant)s)'
        for model in tenant_models()
    ]
    cursor.execute(" UNION ALL ".join(parts) + " LIMIT 1", {"tenant": tenant_id})
    found = cursor.fetchone()
    return found[0] if found else ""


def _announce(action: str, deletion: TenantDeletion) -> None:
    details: dict[str, Any] = {"tenant_id": str(deletion.deleted_tenant_id)}
    if deletion.status == DeletionStatus.COMPLETED:
        details |= {"rows": deletion.rows, "files": deletion.files}
    platform_action.send(
        sender=TenantDeletion, action=action, resource=deletion, tenant_id=None, details=details
    )
