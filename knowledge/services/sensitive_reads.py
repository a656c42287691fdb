"""Audit of reads from collections that are marked sensitive."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from audit.services import record_event
from knowledge.models import Chunk, Collection

if TYPE_CHECKING:
    from knowledge.services.search import FoundPassage


def record_sensitive_reads(collections: Iterable[Collection], passages: "Iterable[FoundPassage]") -> None:
    """Record the documents that a search returned, once for each sensitive collection.

    Runs no query if none of the collections is marked.
    """
    marked = {each.pk: each for each in collections if each.is_sensitive}
    if not marked:
        return
    _record(
        (marked[passage.collection_id], passage.document_id)
        for passage in passages
        if passage.collection_id in marked
    )


def record_sensitive_chunks(ids: Iterable[UUID]) -> None:
    """Record the documents of chunks that were read, once for each sensitive collection.

    Runs one query, and no other if none of the collections is marked.
    """
    chunks = Chunk.objects.filter(pk__in=ids, collection__is_sensitive=True).select_related("collection")
    _record((chunk.collection, chunk.document_id) for chunk in chunks.only("document_id", "collection__slug"))


def _record(reads: Iterable[tuple[Collection, UUID]]) -> None:
    found: dict[Collection, set[str]] = {}
    for collection, document_id in reads:
        found.setdefault(collection, set()).add(str(document_id))
    for collection, documents in found.items():
        record_event("collection.accessed", resource=collection, metadata={"documents": sorted(documents)})
