"""Similarities of found passages that the extractive model uses as evidence."""

from collections.abc import Sequence

from knowledge.embedders.e5 import E5Embedder
from knowledge.models import Collection
from knowledge.services.search import FoundPassage


def get_similarity(found: FoundPassage, collections: Sequence[Collection]) -> float | None:
    """Return the cosine similarity of a passage by multilingual E5.

    It is None for passages of other embedders, whose similarities have different ranges.
    """
    models = {collection.pk: collection.embedding_model for collection in collections}
    is_known = found.collection_id is not None and models.get(found.collection_id) == E5Embedder.name
    return found.explanation.similarity if is_known else None
