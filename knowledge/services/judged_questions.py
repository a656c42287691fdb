"""Judged questions: suggestions from feedback and models, and their review.

A suggestion from feedback is private to its user until that user shares it or a second user asks the same. It is
deleted with its conversation, with its user, and after `SUGGESTION_LIFETIME` without a review. An accepted question
belongs to the collection and no longer refers to a user or conversation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from audit.services.events import record_event
from config.db.ids import uuid7_floor
from config.tenancy.scope import platform_scope, require_scope, require_tenant_id, tenant_scope
from knowledge.choices import Feedback, QuestionOrigin, QuestionStatus, RetrievalStrategy
from knowledge.languages import detect_language, detect_question_language
from knowledge.models import Chunk, Collection, JudgedQuestion, RagQuery
from knowledge.models.evaluations import MAX_GOLD_LENGTH, MAX_GRADES
from knowledge.services.search import search

MAX_SUGGESTIONS = 1000
SUGGESTION_LIFETIME = timedelta(days=90)
SEARCHED_PASSAGES = 8
ACTOR = "system:upkeep"


@dataclass(frozen=True, slots=True)
class QuestionSuggestion:
    """A question, the grades of its documents by source, and where it comes from."""

    question: str
    origin: QuestionOrigin
    grades: dict[str, int] = field(default_factory=dict)
    gold: tuple[str, ...] = ()
    chunk_id: UUID | None = None
    conversation_id: UUID | None = None
    source_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RatedResults:
    """A question, its passages, best first, and the feedback on them."""

    question: str
    chunk_ids: Sequence[UUID]
    feedback: str
    origin: QuestionOrigin
    source_id: UUID
    conversation_id: UUID | None = None
    # Text of the correct answer.
    correction: str = ""


class ReviewError(ValidationError):
    """The question cannot be accepted, rejected or shared in its current state."""


def contains_text(passage: str, text: str) -> bool:
    """Return whether `passage` contains `text`; any white space equals one space."""
    wanted = " ".join(text.split())
    return bool(wanted) and wanted in " ".join(passage.split())


def suggest_question(collection: Collection, suggestion: QuestionSuggestion) -> JudgedQuestion | None:
    """Store a suggestion of the current user, or add it to the same question of the collection.

    A question that another user also asked becomes visible to the tenant. Questions that were reviewed stay unchanged.

    Returns:
        The suggestion; None if it is blank, was reviewed, or if the collection has too many suggestions.
    """
    scope, text = require_scope(), " ".join(suggestion.question.split())[:2000]
    if not text:
        return None
    # Without a user, because the same question of another user is private to that user.
    with tenant_scope(require_tenant_id(), actor=scope.actor), transaction.atomic():
        _lock_questions(collection)
        rows = JudgedQuestion.objects.filter(collection=collection, question__iexact=text).order_by("id")
        known = [row for row in rows if row.is_shared or row.user_id == scope.user_id] or list(rows)
        if not known:
            return _create_question(collection, text, suggestion, user_id=scope.user_id)
        if known[0].status != QuestionStatus.SUGGESTED:
            return None
        return _merge_suggestion(known[0], suggestion, user_id=scope.user_id)


def _lock_questions(collection: Collection) -> None:
    """Serialize suggestions of a collection; otherwise two users could create the same question."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"judged-question:{collection.pk}"]
        )


def _create_question(
    collection: Collection, text: str, suggestion: QuestionSuggestion, *, user_id: UUID | None
) -> JudgedQuestion | None:
    waiting = JudgedQuestion.objects.filter(collection=collection, status=QuestionStatus.SUGGESTED)
    if waiting.count() >= MAX_SUGGESTIONS:
        return None
    return JudgedQuestion.objects.create(
        collection=collection,
        question=text,
        grades=dict(list(suggestion.grades.items())[:MAX_GRADES]),
        gold=list(suggestion.gold),
        chunk_id=suggestion.chunk_id,
        language=detect_judged_language(text, collection),
        origin=suggestion.origin,
        is_shared=user_id is None,
        user_id=user_id,
        conversation_id=suggestion.conversation_id,
        source_id=suggestion.source_id,
    )


def _merge_suggestion(
    row: JudgedQuestion, suggestion: QuestionSuggestion, *, user_id: UUID | None
) -> JudgedQuestion:
    row.grades = dict(list({**row.grades, **suggestion.grades}.items())[:MAX_GRADES])
    row.gold = list(dict.fromkeys([*row.gold, *suggestion.gold]))[:MAX_GRADES]
    row.chunk_id = suggestion.chunk_id or row.chunk_id
    if row.user_id == user_id:
        row.conversation_id, row.source_id = suggestion.conversation_id, suggestion.source_id
    else:
        row.is_shared, row.user_id = True, None  # type: ignore[misc]
        row.conversation_id = row.source_id = None
    row.save()
    return row


def detect_judged_language(question: str, collection: Collection | None) -> str:
    """Return the language of a question to `collection`, or "" if it is uncertain."""
    return detect_language(question) or detect_question_language(
        question, collection.languages if collection else []
    )


def withdraw_suggestion(source_id: UUID) -> None:
    """Delete the current user's suggestion from a rated message or search, unless it was reviewed."""
    rows = JudgedQuestion.objects.filter(source_id=source_id, status=QuestionStatus.SUGGESTED)
    rows.filter(user_id=require_scope().user_id).delete()


def suggest_from_results(rated: RatedResults) -> JudgedQuestion | None:
    """Suggest a question from feedback on its results, for the collection of the first one.

    Helpful results are graded 1 and unhelpful ones 0. The passage that contains the correction is graded 1. Empty
    feedback withdraws an earlier suggestion from the same source.
    """
    withdraw_suggestion(rated.source_id)
    chunks = _load_chunks(rated.chunk_ids)
    if not rated.feedback or not chunks:
        return None
    collection = chunks[0].collection
    grade = int(rated.feedback == Feedback.HELPFUL)
    grades = {each.document.source: grade for each in chunks if each.collection_id == collection.pk}
    answering = chunks[0] if grade else None
    if correction := " ".join(rated.correction.split())[:MAX_GOLD_LENGTH]:
        answering = _find_passage(correction, collection, chunks) or answering
    if answering:
        grades[answering.document.source] = 1
    suggestion = QuestionSuggestion(
        rated.question,
        rated.origin,
        grades,
        (correction,) if correction else (),
        answering.pk if answering else None,
        rated.conversation_id,
        rated.source_id,
    )
    return suggest_question(collection, suggestion)


def _load_chunks(ids: Sequence[UUID]) -> list[Chunk]:
    """Return the chunks that exist with their documents and collections, in the order of `ids`."""
    rows = Chunk.objects.filter(pk__in=ids).select_related("document", "collection")
    found = {chunk.pk: chunk for chunk in rows.defer("search", "document__metadata")}
    return [found[each] for each in dict.fromkeys(ids) if each in found]


def _find_passage(text: str, collection: Collection, rated: Iterable[Chunk]) -> Chunk | None:
    """Return a passage of the collection that contains `text`, preferring those that were rated."""
    for chunk in rated:
        if chunk.collection_id == collection.pk and contains_text(chunk.content, text):
            return chunk
    found = search(text, [collection], limit=SEARCHED_PASSAGES, strategy=RetrievalStrategy.KEYWORD)
    matching = [passage.id for passage in found if contains_text(passage.text, text)]
    return Chunk.objects.filter(pk__in=matching[:1]).select_related("document").first()


@transaction.atomic
def rate_query(query: RagQuery, feedback: str) -> None:
    """Store feedback on a search, and suggest a judged question from its best result."""
    changed = query.user_feedback != feedback
    query.user_feedback = feedback
    query.save(update_fields=["user_feedback"])
    if changed:
        suggest_from_results(
            RatedResults(
                query.query_text,
                _list_chunks(query.results[:1]),
                feedback,
                QuestionOrigin.SEARCH_FEEDBACK,
                query.pk,
                query.conversation_id,
            )
        )


def _list_chunks(results: Iterable[Mapping[str, Any]]) -> list[UUID]:
    return [UUID(str(result["chunk"])) for result in results]


@transaction.atomic
def accept_question(question: JudgedQuestion) -> None:
    """Add a suggestion to the questions that evaluations use.

    Raises:
        ReviewError: If no document has a grade above 0, or the question is already accepted.
    """
    if question.status == QuestionStatus.ACCEPTED:
        raise ReviewError("The question is already accepted.", code="reviewed")
    if not any(question.grades.values()):
        raise ReviewError("Grade at least one document above 0 first.", code="ungraded")
    question.is_shared, question.user_id = True, None  # type: ignore[misc]
    question.conversation_id = question.source_id = None
    _store_review(question, QuestionStatus.ACCEPTED, "judged_question.accepted")


@transaction.atomic
def reject_question(question: JudgedQuestion) -> None:
    """Remove a question from evaluations, or reject a suggestion.

    Raises:
        ReviewError: If the question is already rejected.
    """
    if question.status == QuestionStatus.REJECTED:
        raise ReviewError("The question is already rejected.", code="reviewed")
    _store_review(question, QuestionStatus.REJECTED, "judged_question.rejected")


def _store_review(question: JudgedQuestion, status: QuestionStatus, action: str) -> None:
    question.status = status
    question.reviewed_by_id = require_scope().user_id  # type: ignore[misc]
    question.reviewed_at = timezone.now()
    question.save()
    record_event(action, resource=question, metadata={"collection": str(question.collection_id)})


def share_question(question: JudgedQuestion) -> None:
    """Show the user's suggestion to the whole tenant."""
    question.is_shared = True
    question.save(update_fields=["is_shared", "updated_at"])


def expire_suggestions() -> int:
    """Delete questions that are not accepted and whose lifetime has ended, of all tenants.

    Returns:
        Number of deleted questions.
    """
    oldest = uuid7_floor(timezone.now() - SUGGESTION_LIFETIME)
    with platform_scope(reason="expire suggested questions", actor=ACTOR):
        rows = JudgedQuestion.objects.filter(id__lt=oldest).exclude(status=QuestionStatus.ACCEPTED)
        return int(rows.delete()[0])
