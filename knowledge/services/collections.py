"""Creation, archiving, deletion and re-embedding of collections.

A job changes the embedding model: it embeds every chunk into drafts, which searches ignore, and then replaces the old
vectors in one transaction. Until then searches use the old vectors.
"""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from procrastinate.contrib.django import app

from audit.services import record_event
from config.tenancy.scope import require_tenant_id, tenant_scope
from knowledge.choices import CollectionStatus
from knowledge.embedders import default_embedder, get_embedder
from knowledge.models import Chunk, ChunkVectorDraft, Collection, Document
from knowledge.services.embedding import TABLES, get_supported_embedder
from knowledge.services.files import delete_file

JOB = "knowledge.tasks.reembed_collection"
BATCH = 128
ACTOR = "system:reembed"
CHANGE_SQL = """
SELECT id FROM knowledge_collection WHERE tenant_id = %s AND id = %s AND next_embedding_model = %s FOR KEY SHARE
"""


def get_or_create_collection(slug: str, **fields: Any) -> tuple[Collection, bool]:
    """Return the collection with `slug`, creating it with the default embedder if missing.

    Raises:
        ValidationError: If a field is invalid or the embedding model is unavailable.
    """
    found = Collection.objects.filter(slug=slug).first()
    if found is not None:
        return found, False
    fields.setdefault("name", slug.replace("-", " ").capitalize())
    fields.setdefault("embedding_model", default_embedder(fields.get("language", "")).name)
    embedder = get_supported_embedder(fields["embedding_model"])
    collection = Collection(slug=slug, dimensions=embedder.dimensions, **fields)
    collection.full_clean(exclude=["tenant"])
    collection.save()
    return collection, True


def update_collection(collection: Collection, **changes: Any) -> Collection:
    """Change columns of a locked collection.

    Raises:
        ValidationError: If a value is invalid.
    """
    for name, value in changes.items():
        setattr(collection, name, value)
    collection.full_clean(exclude=["tenant"])
    collection.save(update_fields=[*changes, "updated_at"])
    return collection


@transaction.atomic
def archive_collection(collection: Collection) -> Collection:
    """Archive a collection; it keeps its documents and accepts no new ones."""
    return _set_status(collection, CollectionStatus.ARCHIVED, "collection.archived")


@transaction.atomic
def restore_collection(collection: Collection) -> Collection:
    """Restore an archived collection."""
    return _set_status(collection, CollectionStatus.ACTIVE, "collection.restored")


@transaction.atomic
def delete_collection(collection: Collection) -> None:
    """Delete a collection, its documents and their files."""
    paths = Document.objects.filter(collection_id=collection.pk).exclude(storage_path="")
    for path in paths.values_list("storage_path", flat=True):
        delete_file(path)
    collection.delete()


def _set_status(collection: Collection, status: str, event: str) -> Collection:
    collection = Collection.objects.select_for_update().get(pk=collection.pk)
    if collection.status != status:
        collection.status = status
        collection.save(update_fields=["status", "updated_at"])
        record_event(event, resource=collection)
    return collection


@transaction.atomic
def change_model(collection: Collection, name: str) -> Collection:
    """Request a change of the collection's embedding model.

    A collection without chunks changes at once. Passing the current model cancels a pending change.

    Raises:
        ValidationError: If the model is unavailable.
    """
    embedder = get_supported_embedder(name)
    collection = Collection.objects.select_for_update().get(pk=collection.pk)
    ChunkVectorDraft.objects.filter(collection_id=collection.pk).exclude(embedding_model=name).delete()
    has_chunks = Chunk.objects.filter(collection_id=collection.pk).exists()
    if name == collection.embedding_model or not has_chunks:
        collection.embedding_model, collection.dimensions = name, embedder.dimensions
        collection.next_embedding_model = ""
    else:
        collection.next_embedding_model = name
        defer_change(collection)
    collection.save()
    record_event("collection.model_changed", resource=collection, metadata={"embedding_model": name})
    return collection


def defer_change(collection: Collection) -> None:
    """Queue the re-embedding job in the current transaction."""
    job = app.configure_task(JOB)
    job.defer(
        tenant_id=str(collection.tenant_id),
        collection_id=str(collection.pk),
        model=collection.next_embedding_model,
    )


def reembed_collection(tenant_id: UUID, collection_id: UUID, model: str) -> bool:
    """Re-embed the chunks of a collection with its new model.

    Call it outside any scope. An interrupted run continues where it stopped.

    Returns:
        Whether the model was changed; False if another change was requested in the meantime.

    Raises:
        EmbeddingError: If the embedder fails.
    """
    embedder = get_embedder(model)
    while True:
        with tenant_scope(tenant_id, actor=ACTOR):
            rows = Collection.objects.filter(pk=collection_id, next_embedding_model=model)
            if not rows.exists():
                return False
            batch = list(
                _chunks_without_draft(collection_id, model).select_related("document").order_by("id")[:BATCH]
            )
        if not batch:
            with tenant_scope(tenant_id, actor=ACTOR):
                if _swap_vectors(collection_id, model, embedder.dimensions):
                    return True
            continue
        vectors = embedder.embed(
            [f"{chunk.document.title} {chunk.context}\n{chunk.content}" for chunk in batch]
        )
        with tenant_scope(tenant_id, actor=ACTOR):
            _store_drafts(
                collection_id, model, {chunk.pk: vector for chunk, vector in zip(batch, vectors, strict=True)}
            )


def abandon_change(tenant_id: UUID, collection_id: UUID, model: str, reason: str) -> None:
    """Cancel a change of the embedding model and keep the current one."""
    with tenant_scope(tenant_id, actor=ACTOR):
        collection = Collection.objects.select_for_update().filter(pk=collection_id).first()
        if collection is None or collection.next_embedding_model != model:
            return
        collection.next_embedding_model = ""
        collection.save()
        ChunkVectorDraft.objects.filter(collection_id=collection_id).delete()
        record_event("collection.model_not_changed", resource=collection, metadata={"reason": reason})


def _chunks_without_draft(collection_id: UUID, model: str) -> Any:
    drafts = ChunkVectorDraft.objects.filter(pk=OuterRef("pk"), embedding_model=model)
    return Chunk.objects.filter(~Exists(drafts), collection_id=collection_id)


def _store_drafts(collection_id: UUID, model: str, vectors: dict[UUID, list[float]]) -> None:
    """Store draft vectors of existing chunks if the change is still pending."""
    if not _lock_change(collection_id, model):
        return
    chunks = Chunk.objects.select_for_update(no_key=True).filter(pk__in=vectors).order_by("id")
    tenant_id = require_tenant_id()
    drafts = [
        ChunkVectorDraft(
            id=pk,
            tenant_id=tenant_id,
            collection_id=collection_id,
            embedding_model=model,
            embedding=vectors[pk],
        )
        for pk in chunks.values_list("pk", flat=True)
    ]
    ChunkVectorDraft.objects.bulk_create(drafts, ignore_conflicts=True)


def _lock_change(collection_id: UUID, model: str) -> bool:
    """Lock the pending change to `model`; return whether it exists.

    Without the lock, a concurrent change could leave drafts of another model, which would block it forever.
    """
    with connection.cursor() as cursor:
        cursor.execute(CHANGE_SQL, [require_tenant_id(), collection_id, model])
        return cursor.fetchone() is not None


def _swap_vectors(collection_id: UUID, model: str, dimensions: int) -> bool:
    """Replace the vectors with the drafts if every chunk has one.

    Transactions that store chunks hold a lock on the collection's row; this function waits for them.
    """
    collection = Collection.objects.select_for_update().filter(
        pk=collection_id, next_embedding_model=model
    ).first()  # fmt: skip
    if collection is None or _chunks_without_draft(collection_id, model).exists():
        return False
    TABLES[collection.dimensions].objects.filter(collection_id=collection_id).delete()
    table = TABLES[dimensions]._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (id, tenant_id, collection_id, embedding)"
            f" SELECT id, tenant_id, collection_id, embedding::halfvec({int(dimensions)})"
            " FROM knowledge_chunkvectordraft WHERE tenant_id = %s AND collection_id = %s AND embedding_model = %s",
            [require_tenant_id(), collection_id, model],
        )
    Chunk.objects.filter(collection_id=collection_id).update(embedding_model=model)
    ChunkVectorDraft.objects.filter(collection_id=collection_id).delete()
    collection.embedding_model, collection.dimensions, collection.next_embedding_model = model, dimensions, ""
    collection.save()
    return True


def check_model(collection: Collection | None, name: str) -> int:
    """Return the dimensions of the embedding model requested for a collection.

    Raises:
        ValidationError: If the model is unavailable or the collection has chunks of another model.
    """
    if collection is not None and name != collection.embedding_model:
        if Chunk.objects.filter(collection_id=collection.pk).exists() or collection.chunk_count:
            message = "The collection already has chunks. Use `reembed` to change the model."
            raise ValidationError({"embedding_model": ValidationError(message, code="has_chunks")})
    elif collection is not None:
        return collection.dimensions
    return get_supported_embedder(name).dimensions
