"""Which words are frequent in a collection: counted on a sample, kept in this process, never exact.

A long question is mostly words that nearly every chunk has. They say little, and to look at every chunk that has one
of them takes most of the time, so search looks for the rarest ones and scores with all.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from knowledge.models import Collection
from tenants.scoping import require_tenant_id

# Chunks from which on it pays, chunks of a sample, the share from which on a word is frequent, and words kept.
LEAST_CHUNKS, SAMPLE, FREQUENT, MOST_WORDS = 300, 2000, 0.01, 400
KEPT = 500
# Counted again when the collection has grown or shrunk by this much.
CHANGE = 0.2
# Ids are UUIDv7: their last two bytes are random, so they draw lots.
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


class _Kept:
    """The shares of the collections that were searched last, each with the number of chunks it was counted at."""

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
            while len(self.found) > KEPT:
                self.found.popitem(last=False)

    def clear(self) -> None:
        with self.lock:
            self.found.clear()


kept = _Kept()


def frequent_words(collections: Sequence[Collection]) -> dict[str, float]:
    """Lexemes that many chunks of `collections` have, with the share that has them; needs a tenant's scope."""
    total = sum(collection.chunk_count for collection in collections)
    if total < LEAST_CHUNKS:
        return {}
    shares: dict[str, float] = {}
    for collection in collections:
        for lexeme, share in _shares(collection).items():
            shares[lexeme] = shares.get(lexeme, 0.0) + share * collection.chunk_count / total
    return shares


def _shares(collection: Collection) -> Shares:
    if not collection.chunk_count:
        return {}
    # The tenant is the scope's, not the collection's word: under another tenant's scope there is nothing to count.
    key = (UUID(str(require_tenant_id())), collection.pk)
    shares = kept.get(key, collection.chunk_count)
    if shares is None:
        shares = _counted(collection)
        kept.put(key, collection.chunk_count, shares)
    return shares


def _counted(collection: Collection) -> Shares:
    parameters: dict[str, Any] = {
        "tenant": require_tenant_id(),
        "collection": collection.pk,
        "lots": min(65536, 65536 * SAMPLE // collection.chunk_count),
        "most": 2 * SAMPLE,
        "frequent": FREQUENT,
        "words": MOST_WORDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(SAMPLE_SQL, parameters)
        return dict(cursor.fetchall())
