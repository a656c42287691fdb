"""Search with several queries, whose results are fused by rank."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from knowledge.models import Collection
from knowledge.services.search import CANDIDATE_FACTOR, FoundPassage, choose_passages, search

# A small offset favours passages that one query ranks first.
RANK_OFFSET = 10


def search_queries(
    queries: Sequence[str], collections: Sequence[Collection], *, limit: int = 8, diversity: float = 0.0
) -> list[FoundPassage]:
    """Return the passages most relevant to the queries, best first, by reciprocal rank fusion.

    A passage has the score of the first query that found it. Needs a tenant scope.

    Args:
        diversity: How much to avoid passages that resemble better ones, from 0 to 1.

    Raises:
        EmbeddingError: If an embedder is unavailable.
    """
    if len(queries) == 1:
        return search(queries[0], collections, limit=limit, diversity=diversity)
    wanted = limit * CANDIDATE_FACTOR if diversity else limit
    results = [search(query, collections, limit=wanted) for query in queries]
    ranks: defaultdict[UUID, float] = defaultdict(float)
    passages: dict[UUID, FoundPassage] = {}
    for found in results:
        for rank, passage in enumerate(found, 1):
            ranks[passage.id] += 1 / (RANK_OFFSET + rank)
            passages.setdefault(passage.id, passage)
    found = sorted(passages.values(), key=lambda passage: -ranks[passage.id])[:wanted]
    relevances = [ranks[passage.id] for passage in found]
    return choose_passages(found, collections, limit=limit, diversity=diversity, relevances=relevances)
