"""Terms in use: which of them a text holds or means, how often they are used, what else they are called."""

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
from knowledge.choices import RelationKind
from knowledge.embedders import EmbeddingError
from knowledge.models import Term, TermEmbedding, TermRelation
from knowledge.services.meaning import embedder_name, nearest, query_vector, vectors_of
from tenants.scoping import platform_scope, require_scope, require_tenant_id, tenant_scope

MAX_TEXT = 20_000
MAX_TERMS = 50


DIMENSIONS = 1536
ACTOR = "system:terms"
MAX_QUERIES, BATCH = 10_000, 128
ASKED_SQL = """
SELECT tenant_id, user_id, query_text FROM knowledge_ragquery
WHERE id >= %s AND id < %s AND user_id IS NOT NULL ORDER BY tenant_id, user_id, id LIMIT %s
"""
UNEMBEDDED_SQL = """
SELECT t.tenant_id, t.user_id, array_agg(t.id) FROM knowledge_term t
LEFT JOIN knowledge_termembedding e ON e.tenant_id = t.tenant_id AND e.term_id = t.id AND e.embedding_model = %s
WHERE t.user_id IS NOT NULL AND (e.id IS NULL OR e.updated_at < t.updated_at) GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class FoundTerm:
    """A term that a text holds, and the other words for it."""

    term: Term
    synonyms: list[str]


def terms_in(text: str) -> list[Term]:
    """The person's own terms and the public ones that `text` holds as whole words, longest first."""
    text = text[:MAX_TEXT]
    position = StrIndex(Value(text.lower(), output_field=TextField()), Lower("term"))
    found = (
        Term.objects.annotate(at=position)
        .filter(at__gt=0)
        .order_by(Func("term", function="length").desc(), "id")
    )
    return [term for term in found[: MAX_TERMS * 4] if _holds(text, term.term)][:MAX_TERMS]


def _holds(text: str, term: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(term)}(?!\w)", text, re.IGNORECASE) is not None


@transaction.atomic
def note_use(text: str) -> list[Term]:
    """Count the use of the person's own terms in `text`; those of colleagues are theirs to count.

    Returns:
        The terms that were counted, with their new frequency.
    """
    own = [term.pk for term in terms_in(text) if term.user_id == require_scope().user_id]
    Term.objects.filter(pk__in=own).update(frequency=F("frequency") + 1, last_used_at=timezone.now())
    return list(Term.objects.filter(pk__in=own).order_by("-frequency", "id"))


def look_up(text: str) -> list[FoundTerm]:
    """The terms that `text` holds, each with the other words that mean the same."""
    terms = terms_in(text)
    words = _synonyms([term.pk for term in terms])
    return [FoundTerm(term, sorted(words.get(term.pk, ()))) for term in terms]


def _synonyms(ids: list[UUID]) -> dict[UUID, set[str]]:
    """Words by term; a synonym counts both ways, whoever of the two it was written on."""
    rows = TermRelation.objects.filter(Q(term_id__in=ids) | Q(related_id__in=ids), kind=RelationKind.SYNONYM)
    words: dict[UUID, set[str]] = {}
    for row in rows.select_related("term", "related"):
        words.setdefault(row.term_id, set()).add(row.related.term)
        words.setdefault(row.related_id, set()).add(row.term.term)
    return words


def expand_query(text: str) -> str:
    """`text`, and behind it the other words for the terms in it: what a search of words should look for too."""
    known = {word for found in look_up(text) for word in found.synonyms}
    added = [word for word in sorted(known) if not _holds(text, word)]
    return f"{text} {' '.join(added)}" if added else text


@transaction.atomic
def relate_terms(term: Term, related: Term, kind: str) -> TermRelation:
    """Say that two terms mean the same, or belong together; says it anew when they were related already."""
    held: Any = TermRelation.objects.select_for_update().filter(term=term, related=related).first()
    relation = held or TermRelation(term=term, related=related)
    relation.kind = kind
    relation.save()
    return relation


def embed_new_terms(terms: Sequence[Term]) -> None:
    """`embed_terms`, or leave it to the job when the embedder cannot be used now."""
    with suppress(EmbeddingError):
        embed_terms(terms)


@transaction.atomic
def embed_terms(terms: Sequence[Term]) -> None:
    """Keep the vectors of the person's own `terms`, so that they are found by what they mean."""
    model = embedder_name()
    TermEmbedding.objects.filter(term__in=terms).delete()
    vectors = vectors_of([f"{term.term}\n{term.definition}" for term in terms], DIMENSIONS)
    tenant_id = require_tenant_id()
    TermEmbedding.objects.bulk_create(
        TermEmbedding(tenant_id=tenant_id, term_id=term.pk, embedding_model=model, embedding=vector)
        for term, vector in zip(terms, vectors, strict=True)
    )


def similar_terms(text: str, *, limit: int = 10) -> list[Term]:
    """The person's own terms and the public ones whose meaning is nearest to `text`, each with its `distance`."""
    rows = TermEmbedding.objects.filter(embedding_model=embedder_name()).select_related("term")
    found = []
    for row in nearest(rows, query_vector(text, DIMENSIONS), limit):
        row.term.distance = row.distance
        found.append(row.term)
    return found


def embed_missing_terms() -> int:
    """Make the vectors of everybody's terms that have none or changed since; how many."""
    with platform_scope(reason="embed terms", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(UNEMBEDDED_SQL, [embedder_name()])
        waiting = cursor.fetchall()
    for tenant_id, user_id, ids in waiting:
        for at in range(0, len(ids), BATCH):
            with tenant_scope(tenant_id, user=user_id, actor=ACTOR):
                embed_terms(list(Term.objects.filter(pk__in=ids[at : at + BATCH])))
    return sum(len(ids) for _, _, ids in waiting)


def learn_use(start: datetime, end: datetime) -> int:
    """Count the use of terms in what their people asked between two moments; how many questions were read."""
    with platform_scope(reason="learn the use of terms", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(ASKED_SQL, [uuid7_floor(start), uuid7_floor(end), MAX_QUERIES])
        asked = cursor.fetchall()
    for (tenant_id, user_id), rows in groupby(asked, key=lambda row: row[:2]):
        with tenant_scope(tenant_id, user=user_id, actor=ACTOR):
            for row in rows:
                note_use(row[2])
    return len(asked)
