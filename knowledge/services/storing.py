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

from config.db.stamps import current_stamp
from knowledge.models import Chunk, vector_model
from tenants.scoping import require_tenant_id

LEFT_TO_THE_SERVER = ("created_at",)


@cache
def _fields() -> tuple[models.Field, ...]:
    """Return the chunk fields to write."""
    return tuple(
        field
        for field in Chunk._meta.local_concrete_fields
        if not field.generated and field.name not in LEFT_TO_THE_SERVER
    )


def _type(field: models.Field) -> str:
    spelled = str(field.db_type(connection)).partition("(")[0]
    return {"varchar": "text", "integer": "int4", "smallint": "int2", "bigint": "int8"}.get(spelled, spelled)


@transaction.atomic
def store_rows(chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]], *, dimensions: int) -> int:
    """Insert new chunks and their vectors for the current tenant; return their number.

    Raises:
        ValueError: If the numbers of chunks and vectors differ or no table has these dimensions.
    """
    if len(chunks) != len(vectors):
        raise ValueError(f"{len(chunks)} chunks and {len(vectors)} vectors")
    if not chunks:
        return 0
    tenant_id, fields, table = require_tenant_id(), _fields(), vector_model(dimensions)._meta.db_table
    connection.ensure_connection()
    connection.ensure_stamped()  # type: ignore[attr-defined]
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        parts = _names(fields, dimensions, table)
        cursor.execute(_TEMPORARY.format(**parts))
        _copy(cursor, parts, fields, _rows(chunks, vectors, tenant_id))
        cursor.execute(_CHUNKS.format(**parts))
        cursor.execute(_VECTORS.format(**parts))
        return int(cursor.rowcount)


_TEMPORARY = sql.SQL(
    "CREATE TEMPORARY TABLE IF NOT EXISTS {incoming} ON COMMIT DELETE ROWS"
    " AS SELECT {columns}, NULL::{halfvec} AS embedding FROM knowledge_chunk WITH NO DATA"
)
_CHUNKS = sql.SQL("INSERT INTO knowledge_chunk ({columns}) SELECT {columns} FROM {incoming}")
_VECTORS = sql.SQL(
    "WITH taken AS (DELETE FROM {incoming} RETURNING id, tenant_id, collection_id, embedding)"
    " INSERT INTO {table} (id, tenant_id, collection_id, embedding) SELECT * FROM taken"
)


def _names(fields: tuple[models.Field, ...], dimensions: int, table: str) -> dict[str, sql.Composable]:
    stamp = current_stamp()
    role = stamp.role.removeprefix("conclave_") if stamp else "login"
    return {
        "incoming": sql.Identifier("pg_temp", f"conclave_incoming_{role}_{dimensions}"),
        "columns": sql.SQL(", ").join(sql.Identifier(str(field.column)) for field in fields),
        "halfvec": sql.SQL(f"halfvec({int(dimensions)})"),
        "table": sql.Identifier(table),
    }


def _rows(
    chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]], tenant_id: Any
) -> Iterator[tuple[Any, ...]]:
    """Yield the column values and vector of each chunk, forcing the current tenant."""
    names = [field.attname for field in _fields()]
    values_of = attrgetter(*names)
    tenant = names.index("tenant_id")
    wrapped = [place for place, field in enumerate(_fields()) if isinstance(field, models.JSONField)]
    for chunk, vector in zip(chunks, vectors, strict=True):
        values = list(values_of(chunk))
        values[tenant] = tenant_id
        for place in wrapped:
            values[place] = None if values[place] is None else Jsonb(values[place], dumps=orjson.dumps)
        yield (*values, HalfVector(vector if isinstance(vector, list) else list(vector)))


def _copy(cursor: Cursor[Any], parts: dict[str, Any], fields: tuple[models.Field, ...], rows: Any) -> None:
    info = TypeInfo.fetch(cursor.connection, "halfvec")
    if info is None:
        raise LookupError("the database has no type halfvec: pgvector is missing")
    register_halfvec_info(cursor, info)  # type: ignore[arg-type]
    into = sql.SQL("COPY {incoming} ({columns}, embedding) FROM STDIN (FORMAT BINARY)").format(**parts)
    with cursor.copy(into) as copy:
        copy.set_types([*map(_type, fields), "halfvec"])
        for row in rows:
            copy.write_row(row)
