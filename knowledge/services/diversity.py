"""Removal of repeated passages, and diversity of the passages of a search.

Diverse passages are chosen by maximal marginal relevance (Carbonell and Goldstein, "The Use of MMR, Diversity-Based
Reranking for Reordering Documents and Producing Summaries", 1998): each next passage has the highest difference between
its relevance and its similarity to the passages chosen before.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection

from config.tenancy.scope import require_tenant_id
from knowledge.models import Collection, vector_model
from knowledge.terms import split_words

if TYPE_CHECKING:
    from knowledge.services.search import FoundPassage

# Share of the shorter of two passages of a document that is in both, from which the worse one is a repetition.
REPEATED_SHARE = 0.9
# Vectors are compared only with those of the same embedding model.
PAIRS_SQL = """
SELECT a.id, b.id, 1 - (a.embedding <=> b.embedding)
FROM {table} a JOIN {table} b ON b.tenant_id = a.tenant_id AND a.id < b.id
WHERE a.tenant_id = %(tenant)s AND a.collection_id = ANY(%(collections_{group})s) AND a.id = ANY(%(ids)s)
  AND b.collection_id = ANY(%(collections_{group})s) AND b.id = ANY(%(ids)s)
"""


def drop_repetitions(
    passages: "Sequence[FoundPassage]", *, across_documents: bool = False
) -> "list[FoundPassage]":
    """Return the passages without repetitions of better ones.

    A repetition has the same text as a better passage of the same document, or shares nearly all of its text.

    Args:
        across_documents: Whether passages of different documents with the same text are repetitions too.
    """
    texts: set[tuple[Any, str]] = set()
    found: dict[UUID, list[FoundPassage]] = {}
    result = []
    for passage in passages:
        key = (None if across_documents else passage.document_id, " ".join(passage.text.split()))
        better = found.setdefault(passage.document_id, [])
        if key not in texts and not any(_is_contained(passage, each) for each in better):
            texts.add(key)
            better.append(passage)
            result.append(passage)
    return result


def _is_contained(passage: "FoundPassage", other: "FoundPassage") -> bool:
    """Return whether nearly all text of the shorter passage is in both, by their offsets in the document."""
    if passage.start is None or other.start is None:
        return False
    lengths = len(passage.text), len(other.text)
    end = min(passage.start + lengths[0], other.start + lengths[1])
    return end - max(passage.start, other.start) >= REPEATED_SHARE * max(1, min(lengths))


def select_diverse(
    passages: "Sequence[FoundPassage]",
    relevances: Sequence[float],
    collections: Sequence[Collection],
    *,
    limit: int,
    diversity: float,
) -> "list[FoundPassage]":
    """Return `limit` passages by maximal marginal relevance. Needs a tenant scope.

    Args:
        relevances: Relevance of each passage; higher is better.
        diversity: Weight of the dissimilarity, from 0 to 1.
    """
    if len(passages) < 2:
        return list(passages[:limit])
    relevance = _scale(relevances)
    similar = _build_matrix(passages, collections)
    left, nearest = list(range(len(passages))), [0.0] * len(passages)
    chosen: list[int] = []
    while left and len(chosen) < limit:
        best = max(left, key=lambda place: (1 - diversity) * relevance[place] - diversity * nearest[place])
        left.remove(best)
        chosen.append(best)
        for place in left:
            nearest[place] = max(nearest[place], similar[place][best])
    return [passages[place] for place in chosen]


def _scale(values: Sequence[float]) -> list[float]:
    """Scale the values to the range from 0 to 1."""
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 1.0 for value in values]


def _build_matrix(passages: "Sequence[FoundPassage]", collections: Sequence[Collection]) -> list[list[float]]:
    """Return the similarity of each pair of passages, scaled like the relevance.

    It is the cosine of their vectors, or the share of common words if they have no comparable vectors.
    """
    by_vector = _load_cosines(passages, collections)
    words = [frozenset(split_words(passage.text.lower())) for passage in passages]
    pairs = list(combinations(range(len(passages)), 2))
    values = []
    for first, second in pairs:
        cosine = by_vector.get(frozenset((passages[first].id, passages[second].id)))
        values.append(_share_words(words[first], words[second]) if cosine is None else cosine)
    matrix = [[1.0] * len(passages) for _ in passages]
    for (first, second), value in zip(pairs, _scale(values), strict=True):
        matrix[first][second] = matrix[second][first] = value
    return matrix


def _share_words(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / max(1, len(first | second))


def _load_cosines(
    passages: "Sequence[FoundPassage]", collections: Iterable[Collection]
) -> dict[frozenset[UUID], float]:
    """Return the cosines of the vectors of the same model, by the ids of the two passages, in one statement."""
    found = {passage.collection_id for passage in passages}
    groups: dict[str, list[Collection]] = {}
    for collection in collections:
        if collection.pk in found:
            groups.setdefault(collection.embedding_model, []).append(collection)
    if not groups:
        return {}
    parameters: dict[str, Any] = {"tenant": require_tenant_id(), "ids": [passage.id for passage in passages]}
    parts = []
    for number, members in enumerate(groups.values()):
        table = vector_model(members[0].dimensions)._meta.db_table
        parts.append(PAIRS_SQL.format(table=table, group=number))
        parameters[f"collections_{number}"] = [member.pk for member in members]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        # The cosine of a vector of zeros is not a number.
        return {frozenset(pair): cosine for *pair, cosine in cursor.fetchall() if cosine == cosine}
