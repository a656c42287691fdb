"""Bulk storage of chunks and vectors."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from django.db import models, transaction
from django.utils import timezone
from pgvector import HalfVector
from pgvector.psycopg.halfvec import register_halfvec_info
from psycopg import Connection, Cursor
from psycopg.types import TypeInfo
from psycopg.types.json import Jsonb

from config.db.bulk import insert_many
from config.tenancy.scope import require_tenant_id
from knowledge.models import Chunk, vector_model

VECTOR_COLUMNS = ("id", "tenant_id", "collection_id", "embedding")
BATCH = 5_000


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
    tenant_id, table = require_tenant_id(), vector_model(dimensions)
    fields = [
        field
        for field in Chunk._meta.local_concrete_fields
        if not field.generated and field.name not in ("tenant", "created_at")
    ]
    constants = {"tenant_id": tenant_id, "created_at": timezone.now()}
    columns = [str(field.column) for field in fields]
    insert_many(Chunk, columns, _iter_rows(chunks, fields), constants=constants, batch=BATCH)
    rows = (
        (
            chunk.pk,
            tenant_id,
            chunk.collection_id,
            HalfVector(vector if isinstance(vector, list) else list(vector)),
        )
        for chunk, vector in zip(chunks, vectors, strict=True)
    )
    return insert_many(table, VECTOR_COLUMNS, rows, batch=BATCH, register_types=_register_halfvec)


def _iter_rows(chunks: Sequence[Chunk], fields: Sequence[models.Field]) -> Iterator[tuple[Any, ...]]:
    values_of = attrgetter(*(field.attname for field in fields))
    wrapped = [place for place, field in enumerate(fields) if isinstance(field, models.JSONField)]
    for chunk in chunks:
        values = list(values_of(chunk))
        for place in wrapped:
            values[place] = None if values[place] is None else Jsonb(values[place], dumps=orjson.dumps)
        yield tuple(values)


# Looking it up takes a query, and connections of a test run lead to different databases.
_halfvec_types: "WeakKeyDictionary[Connection[Any], TypeInfo]" = WeakKeyDictionary()


def _register_halfvec(cursor: Cursor[Any]) -> None:
    info = _halfvec_types.get(cursor.connection) or TypeInfo.fetch(cursor.connection, "halfvec")
    if info is None:
        raise LookupError("the database has no type halfvec: pgvector is missing")
    _halfvec_types[cursor.connection] = info
    register_halfvec_info(cursor, info)  # type: ignore[arg-type]
