"""Binary COPY of chunks and vectors into bare tables, the baseline for storing."""

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector

from config.postgres.logins import OWNER

from .installation import connection_to
from .meter import spent_with

# The same columns and indexes, without policies, foreign keys and triggers.
BARE = """
DROP TABLE IF EXISTS bare_chunk, bare_vector;
CREATE TABLE bare_chunk (LIKE knowledge_chunk INCLUDING ALL);
CREATE TABLE bare_vector (LIKE knowledge_chunkvector384 INCLUDING ALL);
"""
CHUNKS = (
    'COPY bare_chunk (id, tenant_id, collection_id, document_id, chunk_index, content, context, start, "end",'
    " token_count, embedding_model, semantic_category, semantic_summary, metadata) FROM STDIN (FORMAT BINARY)"
)
CHUNK_TYPES = ("uuid", "uuid", "uuid", "uuid", "int4", "text", "text", "int4", "int4", "int4", "text", "text")
VECTORS = "COPY bare_vector (id, tenant_id, collection_id, embedding) FROM STDIN (FORMAT BINARY)"


def bare_copy(
    chunks: Sequence[Any], vectors: Sequence[Sequence[float]], database: str
) -> tuple[float, float]:
    """Return the wall and CPU seconds of COPY as the schema owner, CPU summed over both sides."""
    with psycopg.connect(**connection_to(OWNER, database)) as connection:
        register_vector(connection)
        connection.execute(BARE)
        connection.commit()
        backend = connection.info.backend_pid
        began, spent = time.perf_counter(), spent_with(backend)
        with connection.cursor() as cursor, cursor.copy(CHUNKS) as copy:
            copy.set_types([*CHUNK_TYPES, "text", "jsonb"])
            for row in chunks:
                head = (
                    row.pk,
                    row.tenant_id,
                    row.collection_id,
                    row.document_id,
                    row.chunk_index,
                    row.content,
                )
                copy.write_row((*head, "", 0, 0, 0, "", "", "", psycopg.types.json.Jsonb({})))
        with connection.cursor() as cursor, cursor.copy(VECTORS) as copy:
            copy.set_types(["uuid", "uuid", "uuid", "halfvec"])
            for row, vector in zip(chunks, vectors, strict=True):
                copy.write_row((row.pk, row.tenant_id, row.collection_id, HalfVector(list(vector))))
        connection.commit()
        seconds = time.perf_counter() - began, spent_with(backend) - spent
        connection.execute("DROP TABLE bare_chunk, bare_vector")
        return seconds
