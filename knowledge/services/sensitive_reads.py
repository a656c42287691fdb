"""Audit of reads from collections that are marked sensitive."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from audit.services import record_event
from knowledge.models import Collection

if TYPE_CHECKING:
    from knowledge.services.search import FoundPassage


def record_sensitive_reads(collections: Iterable[Collection], passages: "Iterable[FoundPassage]") -> None:
    """Record the documents that a search returned, once for each sensitive collection.

    Runs no query if none of the collections is marked.
    """
    marked = {each.pk: each for each in collections if each.is_sensitive}
    if not marked:
        return
    found: dict[Collection, set[str]] = {}
    for passage in passages:
        if passage.collection_id in marked:
            found.setdefault(marked[passage.collection_id], set()).add(str(passage.document_id))
    for collection, documents in found.items():
        record_event("collection.accessed", resource=collection, metadata={"documents": sorted(documents)})
