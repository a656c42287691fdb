"""Search index of messages: vectors and lexemes, built in batches by background jobs.

They are stored in a separate table (`MessageEmbedding`), so that writing a message costs nothing more.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone
from pgvector import HalfVector

from config.db.ids import uuid7_floor
from config.tenancy.scope import platform_scope, require_tenant_id, tenant_scope
from conversations.choices import MessageRole, MessageStatus
from knowledge.embedders import Embedder, EmbeddingError, default_embedder, get_embedder
from knowledge.services.embedding import BATCH, iter_vectors

ACTOR = "system:embedding"
# Column of a vector by its number of dimensions.
COLUMNS = {384: "embedding_384", 1536: "embedding"}
# Maximum number of characters that are embedded, and that are indexed as lexemes.
VECTOR_LENGTH, WORDS_LENGTH = 8000, 50_000

MISSING = """
FROM conversations_message m
WHERE m.id > %(since)s AND m.status = %(completed)s AND m.role = ANY(%(roles)s) AND m.content <> ''
  AND NOT EXISTS (SELECT FROM conversations_messageembedding e WHERE e.id = m.id AND e.id > %(since)s
    AND e.tenant_id = m.tenant_id AND e.embedding_model = %(model)s)"""
TENANTS_SQL = f"SELECT DISTINCT m.tenant_id {MISSING}"
TEXTS_SQL = f"""
SELECT m.id, left(m.content, {VECTOR_LENGTH}) {MISSING} AND m.tenant_id = %(tenant)s ORDER BY m.id LIMIT %(most)s
"""
# Skips messages that were deleted in the meantime.
STORE_SQL = f"""
INSERT INTO conversations_messageembedding AS e (id, tenant_id, conversation_id, embedding_model, {{column}}, words)
SELECT m.id, m.tenant_id, m.conversation_id, %(model)s, v.vector::halfvec,
  to_tsvector('english', left(m.content, {WORDS_LENGTH}))
FROM unnest(%(ids)s::uuid[], %(vectors)s::text[]) AS v (id, vector)
JOIN conversations_message m ON m.id = v.id AND m.tenant_id = %(tenant)s
WHERE m.id = ANY(%(ids)s::uuid[])
ON CONFLICT (id) DO UPDATE SET embedding_model = excluded.embedding_model, embedding = excluded.embedding,
  embedding_384 = excluded.embedding_384, words = excluded.words WHERE e.tenant_id = excluded.tenant_id
"""


def message_embedder() -> Embedder:
    """Return the embedder in `MESSAGE_EMBEDDER`, by default the best local one.

    Raises:
        EmbeddingError: the embedder is unavailable, or no column fits its vectors.
    """
    embedder = get_embedder(settings.MESSAGE_EMBEDDER) if settings.MESSAGE_EMBEDDER else default_embedder()
    if embedder.dimensions not in COLUMNS:
        lengths = " or ".join(map(str, COLUMNS))
        raise EmbeddingError(
            f"{embedder.name} produces vectors with {embedder.dimensions} dimensions, not {lengths}"
        )
    return embedder


def format_vector(vector: Sequence[float]) -> str:
    """Return the vector in PostgreSQL's text format."""
    return str(HalfVector(vector).to_text())


def embed_messages(*, back: timedelta, tenant_id: UUID | None = None) -> int:
    """Index completed messages of the last `back` that are not indexed yet. Call it outside any scope.

    Each batch is read in one transaction and stored in another, so that no transaction waits for the embedder.

    Args:
        tenant_id: limit the run to this tenant.

    Returns:
        The number of indexed messages.

    Raises:
        EmbeddingError: the embedder is unavailable.
    """
    embedder, since = message_embedder(), uuid7_floor(timezone.now() - back)
    tenants = [tenant_id] if tenant_id else _tenants(embedder.name, since)
    return sum(_embed_tenant(each, embedder, since) for each in tenants)


def _build_parameters(model: str, since: UUID) -> dict[str, Any]:
    roles = [str(MessageRole.USER), str(MessageRole.ASSISTANT)]
    return {"model": model, "since": since, "completed": str(MessageStatus.COMPLETED), "roles": roles}


def _tenants(model: str, since: UUID) -> list[UUID]:
    with platform_scope(reason="embed messages", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(TENANTS_SQL, _build_parameters(model, since))
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


def _embed_tenant(tenant_id: UUID, embedder: Embedder, since: UUID) -> int:
    made, store = 0, STORE_SQL.format(column=COLUMNS[embedder.dimensions])
    # Each batch starts after the previous one, so that indexed messages are not scanned again.
    asked = _build_parameters(embedder.name, since) | {"tenant": tenant_id, "most": BATCH}
    while True:
        with tenant_scope(tenant_id, actor=ACTOR), connection.cursor() as cursor:
            cursor.execute(TEXTS_SQL, asked)
            rows = cursor.fetchall()
        if not rows:
            return made
        vectors = [
            format_vector(vector.tolist()) for vector in iter_vectors(embedder, [text for _, text in rows])
        ]
        with tenant_scope(tenant_id, actor=ACTOR), connection.cursor() as cursor:
            found = {"ids": [identifier for identifier, _ in rows], "vectors": vectors}
            cursor.execute(store, found | {"model": embedder.name, "tenant": require_tenant_id()})
            made += cursor.rowcount
        asked["since"] = rows[-1][0]
