"""Lookup, usage counts, synonyms and similarity of terms."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Lower, StrIndex
from django.utils import timezone

from config.db.ids import uuid7_floor
from config.tenancy.scope import platform_scope, require_scope, require_tenant_id, tenant_scope
from knowledge.choices import RelationKind
from knowledge.embedders import EmbeddingError
from knowledge.models import Term, TermEmbedding, TermRelation
from knowledge.services.similarity import embed_query, embed_texts, find_nearest, get_embedder_name

MAX_TEXT = 20_000
MAX_TERMS = 50


DIMENSIONS = 1536
ACTOR = "system:terms"
MAX_QUERIES, BATCH = 10_000, 128
QUERIES_SQL = """
SELECT tenant_id, user_id, query_text FROM knowledge_ragquery
WHERE id >= %s AND id < %s AND user_id IS NOT NULL ORDER BY tenant_id, user_id, id LIMIT %s
"""
UNEMBEDDED_SQL = """
SELECT t.tenant_id, t.user_id, array_agg(t.id) FROM knowledge_term t
LEFT JOIN knowledge_termembedding e ON e.tenant_id = t.tenant_id AND e.term_id = t.id AND e.embedding_model = %s
WHERE t.user_id IS NOT NULL AND (e.id IS NULL OR e.updated_at < t.updated_at) GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class TermMatch:
    """A term in a text and its synonyms."""

    term: Term
    synonyms: list[str]


def find_terms(text: str) -> list[Term]:
    """Return the visible terms that occur in `text` as whole words, longest first."""
    text = text[:MAX_TEXT]
    position = StrIndex(Value(text.lower(), output_field=TextField()), Lower("term"))
    found = (
        Term.objects.annotate(at=position)
        .filter(at__gt=0)
        .order_by(Func("term", function="length").desc(), "id")
    )
    return [term for term in found[: MAX_TERMS * 4] if _contains_term(text, term.term)][:MAX_TERMS]


def _contains_term(text: str, term: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(term)}(?!\w)", text, re.IGNORECASE) is not None


@transaction.atomic
def note_use(text: str) -> list[Term]:
    """Count the use of the user's terms in `text`.

    Returns:
        The counted terms with their new frequency.
    """
    own = [term.pk for term in find_terms(text) if term.user_id == require_scope().user_id]
    Term.objects.filter(pk__in=own).update(frequency=F("frequency") + 1, last_used_at=timezone.now())
    return list(Term.objects.filter(pk__in=own).order_by("-frequency", "id"))


def look_up(text: str) -> list[TermMatch]:
    """Return the terms that occur in `text`, with their synonyms."""
    terms = find_terms(text)
    words = _load_synonyms([term.pk for term in terms])
    return [TermMatch(term, sorted(words.get(term.pk, ()))) for term in terms]


def _load_synonyms(ids: list[UUID]) -> dict[UUID, set[str]]:
    """Return synonyms by term id; the relation applies in both directions."""
    rows = TermRelation.objects.filter(Q(term_id__in=ids) | Q(related_id__in=ids), kind=RelationKind.SYNONYM)
    words: dict[UUID, set[str]] = {}
    for row in rows.select_related("term", "related"):
        words.setdefault(row.term_id, set()).add(row.related.term)
        words.setdefault(row.related_id, set()).add(row.term.term)
    return words


def expand_query(text: str) -> str:
    """Append the synonyms of the terms in `text`, for keyword search."""
    known = {word for found in look_up(text) for word in found.synonyms}
    added = [word for word in sorted(known) if not _contains_term(text, word)]
    return f"{text} {' '.join(added)}" if added else text


@transaction.atomic
def relate_terms(term: Term, related: Term, kind: str) -> TermRelation:
    """Relate two terms, or update the kind of an existing relation."""
    held: Any = TermRelation.objects.select_for_update().filter(term=term, related=related).first()
    relation = held or TermRelation(term=term, related=related)
    relation.kind = kind
    relation.save()
    return relation


def embed_new_terms(terms: Sequence[Term]) -> None:
    """Embed terms; leave them to the periodic job if the embedder fails."""
    with suppress(EmbeddingError):
        embed_terms(terms)


@transaction.atomic
def embed_terms(terms: Sequence[Term]) -> None:
    """Store the vectors of the user's `terms`."""
    model = get_embedder_name()
    TermEmbedding.objects.filter(term__in=terms).delete()
    vectors = embed_texts([f"{term.term}\n{term.definition}" for term in terms], DIMENSIONS)
    tenant_id = require_tenant_id()
    TermEmbedding.objects.bulk_create(
        TermEmbedding(tenant_id=tenant_id, term_id=term.pk, embedding_model=model, embedding=vector)
        for term, vector in zip(terms, vectors, strict=True)
    )


def find_similar_terms(text: str, *, limit: int = 10) -> list[Term]:
    """Return visible terms similar to `text`, nearest first, with their `distance`."""
    rows = TermEmbedding.objects.filter(embedding_model=get_embedder_name()).select_related("term")
    terms = []
    for row in find_nearest(rows, embed_query(text, DIMENSIONS), limit):
        row.term.distance = row.distance
        terms.append(row.term)
    return terms


def embed_missing_terms() -> int:
    """Embed new and changed terms of all tenants; return their number."""
    with platform_scope(reason="embed terms", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(UNEMBEDDED_SQL, [get_embedder_name()])
        waiting = cursor.fetchall()
    for tenant_id, user_id, ids in waiting:
        for at in range(0, len(ids), BATCH):
            with tenant_scope(tenant_id, user=user_id, actor=ACTOR):
                embed_terms(list(Term.objects.filter(pk__in=ids[at : at + BATCH])))
    return sum(len(ids) for _, _, ids in waiting)


def count_term_use(start: datetime, end: datetime) -> int:
    """Count term use in the queries of a period; return the number of queries."""
    with platform_scope(reason="learn the use of terms", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(QUERIES_SQL, [uuid7_floor(start), uuid7_floor(end), MAX_QUERIES])
        counts = cursor.fetchall()
    for (tenant_id, user_id), rows in groupby(counts, key=lambda row: row[:2]):
        with tenant_scope(tenant_id, user=user_id, actor=ACTOR):
            for row in rows:
                note_use(row[2])
    return len(counts)
