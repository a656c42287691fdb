"""Collections: making them, archiving them, changing the model that their chunks are embedded with.

A change of the model is work for a job: it embeds every chunk anew into drafts, which no search sees, and at the
end puts them in the place of the old vectors in one transaction. Until then the old ones serve.
"""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from procrastinate.contrib.django import app

from audit.services import record_event
from knowledge.choices import CollectionStatus
from knowledge.embedders import default_embedder, get_embedder
from knowledge.models import Chunk, ChunkVectorDraft, Collection, Document
from knowledge.services.embedding import TABLES, embedder_for
from knowledge.services.files import forget_file
from tenants.scoping import require_tenant_id, tenant_scope

JOB = "knowledge.tasks.reembed_collection"
BATCH = 128
ACTOR = "system:reembed"
CHANGE_SQL = """
SELECT id FROM knowledge_collection WHERE tenant_id = %s AND id = %s AND next_embedding_model = %s FOR KEY SHARE
"""


def get_or_create_collection(slug: str, **fields: Any) -> tuple[Collection, bool]:
    """The scope's collection called `slug`, made with the best embedder of this machine when there is none.

    Raises:
        ValidationError: for fields that are not valid, and for an embedding model that cannot be used.
    """
    found = Collection.objects.filter(slug=slug).first()
    if found is not None:
        return found, False
    fields.setdefault("name", slug.replace("-", " ").capitalize())
    fields.setdefault("embedding_model", default_embedder().name)
    embedder = embedder_for(fields["embedding_model"])
    collection = Collection(slug=slug, dimensions=embedder.dimensions, **fields)
    collection.full_clean(exclude=["tenant"])
    collection.save()
    return collection, True


@transaction.atomic
def archive_collection(collection: Collection) -> Collection:
    """Close a collection: it takes no documents any more; what it has stays."""
    return _set_status(collection, CollectionStatus.ARCHIVED, "collection.archived")


@transaction.atomic
def restore_collection(collection: Collection) -> Collection:
    """Open an archived collection again."""
    return _set_status(collection, CollectionStatus.ACTIVE, "collection.restored")


@transaction.atomic
def delete_collection(collection: Collection) -> None:
    """Delete a collection, its documents and their files."""
    paths = Document.objects.filter(collection_id=collection.pk).exclude(storage_path="")
    for path in paths.values_list("storage_path", flat=True):
        forget_file(path)
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
    """Have the chunks of `collection` embedded by another model; a collection without any changes at once.

    Naming the present model stops a change that is under way.

    Raises:
        ValidationError: for a model that cannot be used.
    """
    embedder = embedder_for(name)
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
    """The job that does what `change_model` asked for, in the current transaction."""
    job = app.configure_task(JOB)
    job.defer(
        tenant_id=str(collection.tenant_id),
        collection_id=str(collection.pk),
        model=collection.next_embedding_model,
    )


def reembed_collection(tenant_id: UUID, collection_id: UUID, model: str) -> bool:
    """Do the work of `change_model`. Call it outside any scope; a run that was stopped goes on where it was.

    Returns:
        Whether the model was changed; False when another change was asked for meanwhile.

    Raises:
        EmbeddingError: when vectors cannot be made now.
    """
    embedder = get_embedder(model)
    while True:
        with tenant_scope(tenant_id, actor=ACTOR):
            wanted = Collection.objects.filter(pk=collection_id, next_embedding_model=model)
            if not wanted.exists():
                return False
            batch = list(_missing(collection_id, model).select_related("document").order_by("id")[:BATCH])
        if not batch:
            with tenant_scope(tenant_id, actor=ACTOR):
                if _swap(collection_id, model, embedder.dimensions):
                    return True
            continue
        vectors = embedder.embed(
            [f"{chunk.document.title} {chunk.context}\n{chunk.content}" for chunk in batch]
        )
        with tenant_scope(tenant_id, actor=ACTOR):
            _keep_drafts(
                collection_id, model, {chunk.pk: vector for chunk, vector in zip(batch, vectors, strict=True)}
            )


def abandon_change(tenant_id: UUID, collection_id: UUID, model: str, reason: str) -> None:
    """Give up a change of the model; the old one goes on serving."""
    with tenant_scope(tenant_id, actor=ACTOR):
        collection = Collection.objects.select_for_update().filter(pk=collection_id).first()
        if collection is None or collection.next_embedding_model != model:
            return
        collection.next_embedding_model = ""
        collection.save()
        ChunkVectorDraft.objects.filter(collection_id=collection_id).delete()
        record_event("collection.model_not_changed", resource=collection, metadata={"reason": reason})


def _missing(collection_id: UUID, model: str) -> Any:
    drafts = ChunkVectorDraft.objects.filter(pk=OuterRef("pk"), embedding_model=model)
    return Chunk.objects.filter(~Exists(drafts), collection_id=collection_id)


def _keep_drafts(collection_id: UUID, model: str, vectors: dict[UUID, list[float]]) -> None:
    """Store the vectors of the chunks that are still there, unless another model is asked for by now."""
    if not _holds_change(collection_id, model):
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


def _holds_change(collection_id: UUID, model: str) -> bool:
    """Whether the collection is changing to `model`, which nobody stops until the transaction ends.

    A draft of another model, stored behind the back of a change, would stand in its way for ever.
    """
    with connection.cursor() as cursor:
        cursor.execute(CHANGE_SQL, [require_tenant_id(), collection_id, model])
        return cursor.fetchone() is not None


def _swap(collection_id: UUID, model: str, dimensions: int) -> bool:
    """Put the drafts in the place of the vectors, when every chunk has one.

    Whoever stores chunks holds the collection's row until its transaction ends: this waits for them.
    """
    collection = Collection.objects.select_for_update().filter(
        pk=collection_id, next_embedding_model=model
    ).first()  # fmt: skip
    if collection is None or _missing(collection_id, model).exists():
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
    """The length of the vectors of the model that a person gave a collection.

    Raises:
        ValidationError: when it cannot be used, and when there are chunks of another.
    """
    if collection is not None and name != collection.embedding_model:
        if Chunk.objects.filter(collection_id=collection.pk).exists() or collection.chunk_count:
            message = "It has chunks already; have them embedded anew by `reembed`."
            raise ValidationError({"embedding_model": ValidationError(message, code="has_chunks")})
    elif collection is not None:
        return collection.dimensions
    return embedder_for(name).dimensions
