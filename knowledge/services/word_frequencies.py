"""Frequent words of a collection, estimated from a sample and cached per process.

A long question consists mostly of words that nearly every chunk contains. They carry little information and matching
them takes most of the time, so search matches the rarest words and scores with all of them.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from config.tenancy.scope import require_tenant_id
from knowledge.models import Collection

# Minimum chunks of a collection, sample size, minimum share of a frequent word, maximum words per collection.
MIN_CHUNKS, SAMPLE, FREQUENT, MAX_WORDS = 300, 2000, 0.01, 400
MAX_CACHED_COLLECTIONS = 500
# Recount when the number of chunks has changed by this share.
CHANGE = 0.2
# The last two bytes of a UUIDv7 are random, so they select a random sample.
SAMPLE_SQL = """
WITH sampled AS MATERIALIZED (
  SELECT search FROM knowledge_chunk WHERE tenant_id = %(tenant)s AND collection_id = %(collection)s
    AND get_byte(uuid_send(id), 14) * 256 + get_byte(uuid_send(id), 15) < %(lots)s LIMIT %(most)s
)
SELECT word.lexeme, count(*) / (SELECT greatest(count(*), 1) FROM sampled)::float AS share
FROM sampled, unnest(search) AS word
GROUP BY word.lexeme HAVING count(*) >= %(frequent)s * (SELECT count(*) FROM sampled)
ORDER BY share DESC LIMIT %(words)s
"""

Shares = Mapping[str, float]


class _WordShareCache:
    """LRU cache of word shares by collection, with the chunk count they were computed at."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: OrderedDict[tuple[UUID, UUID], tuple[int, Shares]] = OrderedDict()

    def get(self, key: tuple[UUID, UUID], chunks: int) -> Shares | None:
        with self.lock:
            counted, shares = self.found.get(key, (0, {}))
            if not counted or abs(chunks - counted) > CHANGE * counted:
                return None
            self.found.move_to_end(key)
            return shares

    def put(self, key: tuple[UUID, UUID], chunks: int, shares: Shares) -> None:
        with self.lock:
            self.found[key] = chunks, shares
            self.found.move_to_end(key)
            while len(self.found) > MAX_CACHED_COLLECTIONS:
                self.found.popitem(last=False)

    def clear(self) -> None:
        with self.lock:
            self.found.clear()


word_share_cache = _WordShareCache()


def frequent_words(collections: Sequence[Collection]) -> dict[str, float]:
    """Return lexemes frequent in `collections` with their share of chunks. Needs a tenant scope."""
    total = sum(collection.chunk_count for collection in collections)
    if total < MIN_CHUNKS:
        return {}
    shares: dict[str, float] = {}
    for collection in collections:
        for lexeme, share in _get_shares(collection).items():
            shares[lexeme] = shares.get(lexeme, 0.0) + share * collection.chunk_count / total
    return shares


def _get_shares(collection: Collection) -> Shares:
    if not collection.chunk_count:
        return {}
    # Key by the tenant of the scope, not of the collection: under another scope, row-level security hides the chunks.
    key = (UUID(str(require_tenant_id())), collection.pk)
    shares = word_share_cache.get(key, collection.chunk_count)
    if shares is None:
        shares = _count_words(collection)
        word_share_cache.put(key, collection.chunk_count, shares)
    return shares


def _count_words(collection: Collection) -> Shares:
    parameters: dict[str, Any] = {
        "tenant": require_tenant_id(),
        "collection": collection.pk,
        "lots": min(65536, 65536 * SAMPLE // collection.chunk_count),
        "most": 2 * SAMPLE,
        "frequent": FREQUENT,
        "words": MAX_WORDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(SAMPLE_SQL, parameters)
        return dict(cursor.fetchall())
