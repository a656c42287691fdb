"""Bulk storage of chunks and vectors: binary COPY to a temporary table, then INSERT ... SELECT.

PostgreSQL does not support COPY FROM into tables with row-level security. The temporary table lasts as long as the
connection and is emptied on commit; its name includes the role, since a connection may switch roles.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

import orjson
from django.db import connection, models, transaction
from pgvector import HalfVector
from pgvector.psycopg.halfvec import register_halfvec_info
from psycopg import Cursor, sql
from psycopg.types import TypeInfo
from psycopg.types.json import Jsonb

from config.db.session import current_scope
from config.tenancy.scope import require_tenant_id
from knowledge.models import Chunk, vector_model

SERVER_DEFAULT_FIELDS = ("created_at",)


@cache
def _get_fields() -> tuple[models.Field, ...]:
    """Return the chunk fields to write."""
    return tuple(
        field
        for field in Chunk._meta.local_concrete_fields
        if not field.generated and field.name not in SERVER_DEFAULT_FIELDS
    )


def _get_type_name(field: models.Field) -> str:
    type_name = str(field.db_type(connection)).partition("(")[0]
    return {"varchar": "text", "integer": "int4", "smallint": "int2", "bigint": "int8"}.get(
        type_name, type_name
    )


@transaction.atomic
def store_chunks(chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]], *, dimensions: int) -> int:
    """Insert new chunks and their vectors for the current tenant; return their number.

    Raises:
        ValueError: If the numbers of chunks and vectors differ or no table has these dimensions.
    """
    if len(chunks) != len(vectors):
        raise ValueError(f"{len(chunks)} chunks and {len(vectors)} vectors")
    if not chunks:
        return 0
    tenant_id, fields, table = require_tenant_id(), _get_fields(), vector_model(dimensions)._meta.db_table
    connection.ensure_connection()
    connection.ensure_scope()  # type: ignore[attr-defined]
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        parts = _build_identifiers(fields, dimensions, table)
        cursor.execute(_CREATE_STAGING_SQL.format(**parts))
        _copy_rows(cursor, parts, fields, _iter_rows(chunks, vectors, tenant_id))
        cursor.execute(_INSERT_CHUNKS_SQL.format(**parts))
        cursor.execute(_INSERT_VECTORS_SQL.format(**parts))
        return int(cursor.rowcount)


_CREATE_STAGING_SQL = sql.SQL(
    "CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} ON COMMIT DELETE ROWS"
    " AS SELECT {columns}, NULL::{halfvec} AS embedding FROM knowledge_chunk WITH NO DATA"
)
_INSERT_CHUNKS_SQL = sql.SQL("INSERT INTO knowledge_chunk ({columns}) SELECT {columns} FROM {incoming}")
_INSERT_VECTORS_SQL = sql.SQL(
    "WITH taken AS (DELETE FROM {incoming} RETURNING id, tenant_id, collection_id, embedding)"
    " INSERT INTO {table} (id, tenant_id, collection_id, embedding) SELECT * FROM taken"
)


def _build_identifiers(
    fields: tuple[models.Field, ...], dimensions: int, table: str
) -> dict[str, sql.Composable]:
    scope = current_scope()
    role = scope.role.removeprefix("conclave_") if scope else "login"
    return {
        "incoming": sql.Identifier("pg_temp", f"conclave_incoming_{role}_{dimensions}"),
        "columns": sql.SQL(", ").join(sql.Identifier(str(field.column)) for field in fields),
        "halfvec": sql.SQL(f"halfvec({int(dimensions)})"),
        "table": sql.Identifier(table),
    }


def _iter_rows(
    chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]], tenant_id: Any
) -> Iterator[tuple[Any, ...]]:
    """Yield the column values and vector of each chunk, forcing the current tenant."""
    names = [field.attname for field in _get_fields()]
    values_of = attrgetter(*names)
    tenant = names.index("tenant_id")
    wrapped = [place for place, field in enumerate(_get_fields()) if isinstance(field, models.JSONField)]
    for chunk, vector in zip(chunks, vectors, strict=True):
        values = list(values_of(chunk))
        values[tenant] = tenant_id
        for place in wrapped:
            values[place] = None if values[place] is None else Jsonb(values[place], dumps=orjson.dumps)
        yield (*values, HalfVector(vector if isinstance(vector, list) else list(vector)))


def _copy_rows(
    cursor: Cursor[Any], parts: dict[str, Any], fields: tuple[models.Field, ...], rows: Any
) -> None:
    info = TypeInfo.fetch(cursor.connection, "halfvec")
    if info is None:
        raise LookupError("the database has no type halfvec: pgvector is missing")
    register_halfvec_info(cursor, info)  # type: ignore[arg-type]
    into = sql.SQL("COPY {incoming} ({columns}, embedding) FROM STDIN (FORMAT BINARY)").format(**parts)
    with cursor.copy(into) as copy:
        copy.set_types([*map(_get_type_name, fields), "halfvec"])
        for row in rows:
            copy.write_row(row)
