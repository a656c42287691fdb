"""`manage.py rotate_keys`: rotate the encryption keys while the application runs."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models
from tqdm import tqdm

from config.encryption import keyring
from config.encryption.fields import EncryptedField, associated_data, encrypted_fields, find_tenant_field
from config.encryption.keyring import DecryptionError, KeyringError
from config.tenancy.scope import platform_scope

BATCH = 500
# A row that is written concurrently is retried in the next pass.
MAX_PASSES = 3
REASON = "key rotation"


class EncryptedColumn:
    """An encrypted column and the rows of one owner that use an older data key.

    Args:
        owner: The tenant ID, or None for rows of the platform.
        version: The data key version to encrypt with.
    """

    def __init__(self, field: EncryptedField, owner: UUID | None, version: int) -> None:
        quote = connection.ops.quote_name
        self.owner, self.version = owner, version
        self.table_name, self.column_name = field.model._meta.db_table, str(field.column)
        self.table, self.column = quote(self.table_name), quote(self.column_name)
        self.pk = quote(field.model._meta.pk.column)
        tenant = find_tenant_field(field.model)
        self.where = f"{self.column} IS NOT NULL AND substring({self.column} FROM 2 FOR 2) <> %s"
        self.params: list[Any] = [version.to_bytes(2, "big")]
        if tenant is not None:
            self.where += f" AND {quote(tenant.column)} " + ("IS NULL" if owner is None else "= %s")
            self.params += [] if owner is None else [owner]

    def count(self) -> int:
        """Return the number of remaining rows, in the platform scope."""
        with platform_scope(reason=REASON), connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {self.table} WHERE {self.where}", self.params)
            return int(cursor.fetchone()[0])

    def batch(self, after: Any) -> list[tuple[Any, bytes]]:
        """Return the next rows by ID, as (ID, envelope)."""
        where, params = self.where, list(self.params)
        if after is not None:
            where, params = f"{where} AND {self.pk} > %s", [*params, after]
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {self.pk}, {self.column} FROM {self.table} WHERE {where}"
                f" ORDER BY {self.pk} LIMIT {BATCH}",
                params,
            )
            return [(row_id, bytes(sealed)) for row_id, sealed in cursor.fetchall()]

    def replace(self, key: bytes, row_id: Any, sealed: bytes) -> None:
        """Re-encrypt one row, unless it changed since it was read.

        Raises:
            DecryptionError: The envelope does not belong to the row.
        """
        context = associated_data(self.owner, self.table_name, self.column_name, row_id)
        plaintext = keyring.open_sealed(self.owner, context, sealed)
        fresh = keyring.seal_with(key, self.version, context, plaintext)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {self.table} SET {self.column} = %s WHERE {self.pk} = %s AND {self.column} = %s",
                [fresh, row_id, sealed],
            )


class Command(BaseCommand):
    """Re-wraps data keys (`--kek`), or replaces them and re-encrypts the rows (`--data`)."""

    help = (
        "Rotate encryption keys. --kek wraps every data key with the first key of CONCLAVE_KEKS; the other keys "
        "can then be removed. --data creates a new data key for every tenant and re-encrypts its secrets in "
        "batches; both keys remain readable. Continue an interrupted run with --resume."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kek", action="store_true", help="Re-wrap the data keys.")
        parser.add_argument(
            "--data", action="store_true", help="Create new data keys and re-encrypt the rows."
        )
        parser.add_argument(
            "--resume", action="store_true", help="With --data: continue without creating data keys."
        )
        parser.add_argument("--tenant", metavar="SLUG", help="With --data: only this tenant.")
        parser.add_argument("--dry-run", action="store_true", help="Count rows; change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["kek"] or options["data"]):
            raise CommandError("specify --kek, --data or both")
        if (options["tenant"] or options["resume"]) and not options["data"]:
            raise CommandError("--tenant and --resume require --data")
        try:
            if options["kek"]:
                self._rotate_kek(dry_run=options["dry_run"])
            if options["data"]:
                self._rotate_data(options)
        except KeyringError as error:
            raise CommandError(str(error)) from error

    def _rotate_kek(self, *, dry_run: bool) -> None:
        current = next(iter(keyring.keks()))
        with platform_scope(reason=REASON):
            rows = _tenant_keys().exclude(kek_id=current)
            changed = list(rows if dry_run else rows.select_for_update())
            if not dry_run:
                for row in changed:
                    keyring.rewrap(row)
        verb = "would be wrapped" if dry_run else "wrapped"
        self.stdout.write(f"{len(changed)} data keys {verb} with {current}")

    def _rotate_data(self, options: dict[str, Any]) -> None:
        done = left = 0
        for owner, version in _list_owners(options["tenant"]):
            target = version if options["resume"] else version + 1
            if not (options["resume"] or options["dry_run"]):
                with platform_scope(reason=REASON):
                    target = keyring.create_key_version(owner)
            for column in _list_columns(owner, target):
                before = column.count()
                if before and not options["dry_run"]:
                    self._encrypt(column, before, quiet=options["verbosity"] == 0)
                    left += column.count()
                done += before
        verb = "would be re-encrypted" if options["dry_run"] else "re-encrypted"
        self.stdout.write(f"{done - left} values {verb}")
        if left:
            raise CommandError(f"{left} values were not re-encrypted; their old data keys still decrypt them")

    def _encrypt(self, column: EncryptedColumn, total: int, *, quiet: bool) -> None:
        label = f"{column.table_name}.{column.column_name}"
        with tqdm(total=total, desc=label, unit="rows", disable=quiet or None) as bar:
            for _ in range(MAX_PASSES):
                for failure in _reencrypt_pass(column, bar):
                    self.stderr.write(failure)
                if not column.count():
                    return


def _reencrypt_pass(column: EncryptedColumn, bar: Any) -> Iterator[str]:
    """Re-encrypt the remaining rows, one transaction per batch, and yield the errors."""
    after = None
    while True:
        with platform_scope(reason=REASON):
            _, key = keyring.get_data_key(column.owner, column.version)
            rows = column.batch(after)
            for row_id, sealed in rows:
                try:
                    column.replace(key, row_id, sealed)
                    bar.update()
                except DecryptionError as error:
                    yield str(error)
        if not rows:
            return
        after = rows[-1][0]


def _tenant_keys() -> Any:
    model: Any = apps.get_model("tenants", "TenantKey")
    return model._base_manager.all()


def _list_owners(slug: str | None) -> list[tuple[UUID | None, int]]:
    """Return the owners of data keys (None is the platform) with their latest version."""
    with platform_scope(reason=REASON):
        rows = _tenant_keys()
        if slug:
            tenant: Any = apps.get_model("tenants", "Tenant")._base_manager.filter(slug=slug).first()
            if tenant is None:
                raise CommandError(f"tenant {slug!r} does not exist")
            rows = rows.filter(tenant_id=tenant.pk)
        latest = rows.order_by().values("tenant_id").annotate(latest=models.Max("version"))
        return list(latest.values_list("tenant_id", "latest"))


def _list_columns(owner: UUID | None, version: int) -> Iterator[EncryptedColumn]:
    for model in apps.get_models():
        tenant = find_tenant_field(model)
        belongs = (tenant is None or tenant.null) if owner is None else tenant is not None
        if belongs:
            yield from (EncryptedColumn(field, owner, version) for field in encrypted_fields(model))
