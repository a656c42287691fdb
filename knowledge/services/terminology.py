"""Terms in use: which of them a text holds, how often they are used, what else they are called."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Lower, StrIndex
from django.utils import timezone

from knowledge.choices import RelationKind
from knowledge.models import Term, TermRelation
from tenants.scoping import require_scope

MAX_TEXT = 20_000
MAX_TERMS = 50


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
