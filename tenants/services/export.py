"""Export of a tenant: one file of JSON Lines for each table, the stored files, and a manifest.

Rows are read by a server-side cursor and written one batch at a time, so memory does not grow with the tenant.
Secrets are never written: hashes, wrapped keys, tokens and credentials.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.files.storage import default_storage
from django.core.files.utils import validate_file_name
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.utils import timezone

from config.db.session import OPERATOR, Scope
from config.encryption.fields import encrypted_fields
from config.tenancy.checks import SECRET
from config.tenancy.models import PERSON_KINDS
from config.tenancy.scope import ScopedTransaction, platform_scope
from tenants.models import IdempotencyKey, Tenant, TenantKey
from tenants.services.deletion import Progress, ignore_progress, tenant_column
from tenants.signals import platform_action

ACTOR = "system:tenant_export"
SCOPE = Scope(OPERATOR, actor=ACTOR, reason="export a tenant")
BATCH = 1_000
MANIFEST, FILES = "manifest.json", "files"
# Wrapped keys, and stored responses.
LEFT_OUT = (TenantKey, IdempotencyKey)
# Environment variables often are API keys.
ENVIRONMENTS = ("env",)
# Types of columns that hold ciphertext, hashes, and values that the database or an embedder derives from others.
OPAQUE = frozenset(
    {"BinaryField", "SearchVectorField", "VectorField", "HalfVectorField", "SparseVectorField"}
)
encode = partial(json.dumps, cls=DjangoJSONEncoder, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """A file of an export: its table, columns, number of rows and SHA-256."""

    file: str
    columns: list[str]
    omitted: list[str]
    rows: int
    sha256: str


def exported_models() -> list[type[models.Model]]:
    """Return the models with rows of a tenant, except secrets and reports; logs are included."""
    found = [model for model in apps.get_models() if model._meta.managed and model not in LEFT_OUT]
    return [Tenant, *(model for model in found if tenant_column(model))]


def exported_columns(model: type[models.Model], *, decrypt: bool) -> list[str]:
    """Return the columns of a model that an export contains.

    Args:
        decrypt: Include encrypted columns, except those of people and those that are named as secrets.
    """
    options = getattr(model, "row_security", {})
    hidden = {name for key in ("hidden", "withheld", "secret") for name in options.get(key, ())}
    opened = decryptable_columns(model) if decrypt else set()
    return [
        str(field.column)
        for field in model._meta.local_concrete_fields
        if field.column in opened or (field.column not in hidden and field.get_internal_type() not in OPAQUE)
    ]


def decryptable_columns(model: type[models.Model]) -> set[str]:
    """Return the encrypted columns of a model that are neither of people nor named as secrets."""
    if getattr(model, "scope_kind", "") in PERSON_KINDS:
        return set()
    return {
        str(field.column)
        for field in encrypted_fields(model)
        if not SECRET.search(field.name) and field.name not in ENVIRONMENTS
    }


def export_tenant(
    tenant: Tenant, folder: Path, *, decrypt: bool = False, progress: Progress = ignore_progress
) -> dict[str, ExportedTable]:
    """Write all rows and stored files of a tenant to a new folder. Call it outside any scope.

    The manifest is written last: a folder without one is incomplete. Each table is read at one point in time; suspend
    the tenant for an export in which the tables agree.

    Args:
        decrypt: Write decrypted values of encrypted columns, except secrets.
        progress: Called after each batch with the table and the number of rows, and after each stored file.

    Raises:
        FileExistsError: The folder exists.
    """
    with platform_scope(reason=f"export tenant {tenant.slug}", actor=ACTOR):
        details = {"decrypted": decrypt}
        platform_action.send(
            sender=Tenant, action="tenant.exported", resource=tenant, tenant_id=tenant.pk, details=details
        )
    folder.mkdir(mode=0o700)
    tables = {}
    for model in exported_models():
        tables[model._meta.db_table] = _export_table(tenant, model, folder, decrypt, progress)
    stored = f"tenants/{tenant.pk}"
    files = {name: _export_file(stored, name, folder, progress) for name in sorted(_list_files(stored))}
    manifest = {
        "tenant": {"id": str(tenant.pk), "slug": tenant.slug, "name": tenant.name},
        "exported_at": timezone.now().isoformat(),
        "decrypted": decrypt,
        "tables": {name: asdict(table) for name, table in sorted(tables.items())},
        "files": files,
    }
    with _open_new(folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=2, ensure_ascii=False).encode())
    return tables


def _export_table(
    tenant: Tenant, model: type[models.Model], folder: Path, decrypt: bool, progress: Progress
) -> ExportedTable:
    table, columns = model._meta.db_table, exported_columns(model, decrypt=decrypt)
    opened = decryptable_columns(model) if decrypt else set[str]()
    lines = _decrypted_lines(tenant, model, columns) if opened else _read_lines(tenant, model, columns)
    digest, rows = hashlib.sha256(), 0
    with _open_new(folder / f"{table}.jsonl") as file, ScopedTransaction(SCOPE):
        for batch in lines:
            data = "".join(f"{line}\n" for line in batch).encode()
            digest.update(data)
            file.write(data)
            rows += len(batch)
            progress(table, len(batch))
    omitted = [
        str(field.column) for field in model._meta.local_concrete_fields if field.column not in columns
    ]
    return ExportedTable(f"{table}.jsonl", columns, omitted, rows, digest.hexdigest())


def _read_lines(tenant: Tenant, model: type[models.Model], columns: Iterable[str]) -> Iterator[list[str]]:
    """Yield batches of rows as JSON, in the order of their keys."""
    key, owner = str(model._meta.pk.column), "id" if model is Tenant else tenant_column(model)  # type: ignore[union-attr]
    names = ", ".join(f'"{name}"' for name in columns)
    statement = (
        f'SELECT row_to_json(r)::text FROM (SELECT {names} FROM "{model._meta.db_table}"'
        f' WHERE "{owner}" = %s ORDER BY "{key}") r'
    )
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, [tenant.pk])
        while batch := cursor.fetchmany(BATCH):
            yield [line for (line,) in batch]


def _decrypted_lines(tenant: Tenant, model: type[models.Model], columns: list[str]) -> Iterator[list[str]]:
    """Yield batches of rows whose encrypted columns are decrypted."""
    fields = [field for field in model._meta.local_concrete_fields if field.column in columns]
    rows = model._base_manager.filter(**{tenant_column(model): tenant.pk}).order_by("pk")
    batch = []
    for row in rows.iterator(chunk_size=BATCH):
        batch.append(encode({str(field.column): getattr(row, field.attname) for field in fields}))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _list_files(root: str, folder: str = "") -> Iterator[str]:
    """Yield the names of all files below a folder of the storage, relative to it."""
    try:
        folders, files = default_storage.listdir(f"{root}/{folder}")
    except FileNotFoundError:
        return
    yield from (f"{folder}{name}" for name in files)
    for name in folders:
        yield from _list_files(root, f"{folder}{name}/")


def _export_file(root: str, name: str, folder: Path, progress: Progress) -> dict[str, Any]:
    """Copy a stored file to the folder of files; return its size in bytes and its SHA-256."""
    target = folder / FILES / validate_file_name(name, allow_relative_path=True)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with default_storage.open(f"{root}/{name}") as source, _open_new(target) as file:
        for piece in source.chunks():
            digest.update(piece)
            size += file.write(piece)
    progress(FILES, 1)
    return {"size": size, "sha256": digest.hexdigest()}


@contextmanager
def _open_new(path: Path) -> Iterator[Any]:
    """Open a new file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
