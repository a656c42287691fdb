"""Embedding and similarity search of assets, events and tasks.

A job embeds new and changed rows. An asset has an `AssetEmbedding` (1,536 dimensions); an event or task refers to
a `knowledge.Embedding` (384 dimensions) and gets the keywords of its text if it has none.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone

from config.jobs import defer_once
from config.tenancy.scope import platform_scope, require_tenant_id, tenant_scope
from knowledge.enrichment import extract_insights
from knowledge.models import Embedding
from knowledge.services.similarity import embed_query, embed_texts, find_nearest, get_embedder_name
from workflows.models import Asset, AssetEmbedding, CalendarEvent, Task

JOB = "workflows.tasks.embed_rows"
ACTOR = "system:embed"
ASSET_DIMENSIONS = 1536
BATCH = 100
DELETE_ORPHANS_SQL = """
DELETE FROM knowledge_embedding e WHERE e.tenant_id = %s AND e.source_id IS NOT NULL
  AND NOT EXISTS (
    SELECT FROM workflows_calendarevent r WHERE r.tenant_id = e.tenant_id AND r.semantic_embedding_id = e.id)
  AND NOT EXISTS (
    SELECT FROM workflows_task r WHERE r.tenant_id = e.tenant_id AND r.semantic_embedding_id = e.id)
"""
STALE_TENANTS_SQL = """
SELECT tenant_id FROM workflows_asset a WHERE NOT EXISTS (
  SELECT FROM workflows_assetembedding e WHERE e.id = a.id AND e.updated_at >= a.updated_at)
UNION SELECT r.tenant_id FROM workflows_calendarevent r WHERE NOT EXISTS (
  SELECT FROM knowledge_embedding e WHERE e.id = r.semantic_embedding_id AND e.updated_at >= r.updated_at)
UNION SELECT r.tenant_id FROM workflows_task r WHERE NOT EXISTS (
  SELECT FROM knowledge_embedding e WHERE e.id = r.semantic_embedding_id AND e.updated_at >= r.updated_at)
"""


def asset_text(asset: Asset) -> str:
    """Return the text that represents an asset."""
    return _join_parts(
        asset.asset_name,
        asset.get_asset_type_display() or "",
        asset.asset_subtype,
        asset.application_name,
        " ".join(map(str, asset.technology_stack or [])),
        f"{asset.os_type} {asset.os_version}",
        asset.get_environment_display(),
        asset.business_unit,
        asset.hostname,
        asset.fqdn,
        " ".join(map(str, asset.blockers or [])),
    )


def event_text(event: CalendarEvent) -> str:
    """Return the text that represents an event."""
    return _join_parts(event.summary, event.description, event.location)


def task_text(task: Task) -> str:
    """Return the text that represents a task."""
    return _join_parts(task.title, task.description, task.programming_language)


def _join_parts(*parts: str) -> str:
    return "\n".join(part.strip() for part in parts if part and part.strip())


# Models that refer to an `Embedding`, and the function that builds its text.
TEXT_BUILDERS: dict[Any, Callable[[Any], str]] = {CalendarEvent: event_text, Task: task_text}


def defer_embedding() -> None:
    """Enqueue one job that embeds the tenant's new and changed rows."""
    tenant_id = str(require_tenant_id())
    defer_once(JOB, f"embed_rows:{tenant_id}", tenant_id=tenant_id)


def embed_rows(tenant_id: UUID) -> int:
    """Embed a tenant's new and changed rows and return their number. Call it outside any scope.

    Raises:
        EmbeddingError: The embedder is not available.
    """
    made = _embed_all(tenant_id, _stale_assets, asset_text, ASSET_DIMENSIONS, _store_asset_vectors)
    for model, text_of in TEXT_BUILDERS.items():
        made += _embed_all(
            tenant_id, _stale_rows(model), text_of, Embedding.DIMENSIONS, _store_text_vectors(model, text_of)
        )
    with tenant_scope(tenant_id, actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(DELETE_ORPHANS_SQL, [tenant_id])
    return made


def list_stale_tenants() -> list[UUID]:
    """Return the tenants that have rows to embed, for example after an import."""
    with platform_scope(reason="embed rows", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(STALE_TENANTS_SQL)
        return [row[0] for row in cursor.fetchall()]


def _embed_all(
    tenant_id: UUID,
    stale_rows: Callable[[], Any],
    text_of: Callable[[Any], str],
    dimensions: int,
    store: Callable[[list[Any], list[list[float]]], None],
) -> int:
    # Advance by ID, so that a row that keeps changing is embedded only once per run.
    made, last = 0, UUID(int=0)
    while True:
        with tenant_scope(tenant_id, actor=ACTOR):
            rows = list(stale_rows().filter(id__gt=last).order_by("id")[:BATCH])
        if not rows:
            return made
        last = rows[-1].pk
        vectors = embed_texts([text_of(row) for row in rows], dimensions)
        with tenant_scope(tenant_id, actor=ACTOR):
            store(*_lock_unchanged(rows, vectors))
        made += len(rows)


def _lock_unchanged(rows: list[Any], vectors: list[list[float]]) -> tuple[list[Any], list[list[float]]]:
    """Lock the rows that have not changed since they were read, and return them with their vectors."""
    held = (
        type(rows[0]).objects.select_for_update(of=("self",), no_key=True).filter(pk__in=[r.pk for r in rows])
    )
    now = dict(held.order_by("id").values_list("pk", "updated_at"))
    pairs = [pair for pair in zip(rows, vectors, strict=True) if now.get(pair[0].pk) == pair[0].updated_at]
    return [row for row, _ in pairs], [vector for _, vector in pairs]


def _stale_assets() -> Any:
    held = AssetEmbedding.objects.filter(pk=OuterRef("pk"), embedding_model=get_embedder_name())
    made = Asset.objects.annotate(made=Subquery(held.values("updated_at")[:1]))
    return made.filter(Q(made=None) | Q(made__lt=F("updated_at")))


def _store_asset_vectors(assets: list[Asset], vectors: list[list[float]]) -> None:
    tenant_id, model, now = require_tenant_id(), get_embedder_name(), timezone.now()
    rows = [
        AssetEmbedding(
            id=asset.pk, tenant_id=tenant_id, embedding_model=model, embedding=vector, updated_at=now
        )
        for asset, vector in zip(assets, vectors, strict=True)
    ]
    AssetEmbedding.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["embedding_model", "embedding", "updated_at"],
    )


def _stale_rows(model: Any) -> Callable[[], Any]:
    def stale_rows() -> Any:
        rows = model.objects.select_related("semantic_embedding")
        other = ~Q(semantic_embedding__embedding_model=get_embedder_name())
        return rows.filter(
            Q(semantic_embedding=None) | Q(semantic_embedding__updated_at__lt=F("updated_at")) | other
        )

    return stale_rows


def _store_text_vectors(
    model: Any, text_of: Callable[[Any], str]
) -> Callable[[list[Any], list[list[float]]], None]:
    def store(rows: list[Any], vectors: list[list[float]]) -> None:
        touched = []
        for row, vector, insight in zip(
            rows, vectors, extract_insights([text_of(r) for r in rows]), strict=True
        ):
            text = row.semantic_embedding or Embedding(source_id=row.pk)
            text.content, text.embedding, text.embedding_model = text_of(row), vector, get_embedder_name()
            text.save()
            found = {} if row.semantic_keywords else {"semantic_keywords": insight.keywords}
            if row.semantic_embedding_id != text.pk or found:
                model.objects.filter(pk=row.pk).update(semantic_embedding_id=text.pk, **found)
                touched.append(text.pk)
        # The trigger sets `updated_at`. An embedding older than its row would be computed again.
        Embedding.objects.filter(pk__in=touched).update(embedding_model=F("embedding_model"))

    return store


def similar_assets(text: str, *, engagement_id: UUID | None = None, limit: int = 10) -> list[Asset]:
    """Return the assets most similar to `text`, each with its `distance`."""
    rows = AssetEmbedding.objects.filter(embedding_model=get_embedder_name())
    if engagement_id:
        rows = rows.filter(pk__in=Asset.objects.filter(engagement_id=engagement_id).values("pk"))
    found = find_nearest(rows, embed_query(text, ASSET_DIMENSIONS), limit)
    return _with_distance(Asset.objects.in_bulk([row.pk for row in found]), found)


def similar_events(text: str, *, limit: int = 10) -> list[CalendarEvent]:
    """Return the events most similar to `text`, each with its `distance`."""
    return _find_similar(CalendarEvent, text, limit)


def similar_tasks(text: str, *, limit: int = 10) -> list[Task]:
    """Return the tasks most similar to `text`, each with its `distance`."""
    return _find_similar(Task, text, limit)


def _find_similar(model: Any, text: str, limit: int) -> list[Any]:
    vector = embed_query(text, Embedding.DIMENSIONS)
    rows = model.objects.filter(semantic_embedding__embedding_model=get_embedder_name())
    return find_nearest(rows, vector, limit, field="semantic_embedding__embedding")


def _with_distance(rows: dict[UUID, Any], found: Sequence[Any]) -> list[Any]:
    for each in found:
        rows[each.pk].distance = each.distance
    return [rows[each.pk] for each in found]
