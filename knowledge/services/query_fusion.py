"""Search with several queries, whose results are fused by rank."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from knowledge.models import Collection
from knowledge.services.search import FoundPassage, search

# A small offset favours passages that one query ranks first.
RANK_OFFSET = 10


def search_queries(
    queries: Sequence[str], collections: Sequence[Collection], *, limit: int = 8
) -> list[FoundPassage]:
    """Return the passages most relevant to the queries, best first, by reciprocal rank fusion.

    A passage has the score of the first query that found it. Needs a tenant scope.

    Raises:
        EmbeddingError: If an embedder is unavailable.
    """
    results = [search(query, collections, limit=limit) for query in queries]
    if len(results) == 1:
        return results[0]
    ranks: defaultdict[UUID, float] = defaultdict(float)
    passages: dict[UUID, FoundPassage] = {}
    for found in results:
        for rank, passage in enumerate(found, 1):
            ranks[passage.id] += 1 / (RANK_OFFSET + rank)
            passages.setdefault(passage.id, passage)
    return sorted(passages.values(), key=lambda passage: -ranks[passage.id])[:limit]
