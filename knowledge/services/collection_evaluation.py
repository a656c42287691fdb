"""Evaluations of a collection on its accepted questions, and their baseline."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from knowledge.choices import EvaluationStatus, QuestionStatus, RetrievalStrategy
from knowledge.embedders import EmbeddingError
from knowledge.evaluation.answers import ExpectedAnswer
from knowledge.evaluation.regression import (
    MetricDifference,
    QuestionScore,
    compare_scores,
    compute_mean,
    parse_scores,
)
from knowledge.models import Collection, JudgedQuestion, RagEvaluation
from knowledge.services.evaluation import (
    ACTOR,
    MAX_QUESTIONS,
    SearchedQuestions,
    StrategyScore,
    build_report,
    embed_queries,
    evaluate_collection,
)

AnswerQuestions = Callable[[SearchedQuestions, Iterable[str]], Mapping[str, str | None]]


class NoQuestionsError(ValueError):
    """The collection has no accepted questions."""


def list_accepted_questions(collection: Collection) -> list[JudgedQuestion]:
    """Return the questions that evaluations of the collection use, oldest first."""
    rows = JudgedQuestion.objects.filter(collection=collection, status=QuestionStatus.ACCEPTED)
    return list(rows.order_by("id")[:MAX_QUESTIONS])


def get_baseline(collection: Collection) -> RagEvaluation | None:
    """Return the baseline of the collection, if there is one."""
    return RagEvaluation.objects.filter(collection=collection, is_baseline=True).first()


@transaction.atomic
def save_baseline(evaluation: RagEvaluation, *, tolerance: float) -> None:
    """Compare later evaluations of the collection with this one, instead of an earlier baseline.

    Raises:
        NoQuestionsError: If the evaluation has no scores of accepted questions.
    """
    if not evaluation.scores:
        raise NoQuestionsError("A baseline must be a completed evaluation of the accepted questions.")
    others = RagEvaluation.objects.filter(collection_id=evaluation.collection_id, is_baseline=True)
    others.exclude(pk=evaluation.pk).update(is_baseline=False)
    evaluation.is_baseline, evaluation.tolerance = True, tolerance
    evaluation.save(update_fields=["is_baseline", "tolerance", "updated_at"])


def run_evaluation(tenant_id: UUID, evaluation_id: UUID, answer_questions: AnswerQuestions) -> None:
    """Run a pending evaluation and store its metrics or error. Call it outside any scope.

    Args:
        answer_questions: Returns the answer to each question, None if it is declined.
    """
    with tenant_scope(tenant_id, actor=ACTOR):
        found = RagEvaluation.objects.select_related("collection").filter(
            pk=evaluation_id, status=EvaluationStatus.PENDING
        )
        evaluation = found.first()
    if evaluation is None:
        return
    try:
        measure = _measure_judgements if evaluation.judgements else _measure_accepted_questions
        changes = measure(tenant_id, evaluation, answer_questions) | {"status": EvaluationStatus.COMPLETED}
    except (EmbeddingError, NoQuestionsError) as error:
        changes = {"status": EvaluationStatus.FAILED, "error_message": str(error)}
    with tenant_scope(tenant_id, actor=ACTOR):
        RagEvaluation.objects.filter(pk=evaluation_id).update(completed_at=timezone.now(), **changes)


def _measure_judgements(tenant_id: UUID, evaluation: RagEvaluation, _: AnswerQuestions) -> dict[str, Any]:
    """Return the columns of an evaluation on the judgements that it contains."""
    scores = evaluate_collection(
        tenant_id, evaluation.collection, evaluation.judgements, strategies=RetrievalStrategy.values
    )
    return {"results": build_report(scores)}


def _measure_accepted_questions(
    tenant_id: UUID, evaluation: RagEvaluation, answer_questions: AnswerQuestions
) -> dict[str, Any]:
    """Return the columns of an evaluation on the accepted questions of its collection."""
    collection = evaluation.collection
    with tenant_scope(tenant_id, actor=ACTOR):
        questions = {str(row.pk): row for row in list_accepted_questions(collection)}
    if not questions:
        raise NoQuestionsError("The collection has no accepted questions. Accept judged questions first.")
    queries = {key: row.question for key, row in questions.items()}
    # Without an open transaction, because a remote embedder may be slow.
    searched = SearchedQuestions(collection, queries, embed_queries(queries, collection))
    with tenant_scope(tenant_id, actor=ACTOR):
        judgements = {key: row.grades for key, row in questions.items()}
        strategies = searched.score_strategies(judgements, RetrievalStrategy.values)
        answers = answer_questions(searched, [key for key, row in questions.items() if row.gold])
        scores = _build_question_scores(strategies, questions, answers)
        differences = compare_with_baseline(collection, scores)
    return {
        "results": _build_results(strategies, scores),
        "scores": [score.as_dict() for score in scores.values()],
        "differences": [each.as_dict() for each in differences],
    }


def _build_question_scores(
    strategies: Iterable[StrategyScore],
    questions: Mapping[str, JudgedQuestion],
    answers: Mapping[str, str | None],
) -> dict[str, QuestionScore]:
    hybrid = next(each for each in strategies if each.strategy == RetrievalStrategy.HYBRID)
    return {
        key: QuestionScore(
            key,
            row.language,
            round(hybrid.ndcgs[key], 4),
            round(hybrid.recalls[key], 4),
            _score_answer(row, answers.get(key)) if row.gold else None,
        )
        for key, row in questions.items()
    }


def _score_answer(row: JudgedQuestion, answer: str | None) -> float:
    return float(answer is not None and ExpectedAnswer(row.question, tuple(row.gold)).matches(answer))


def _build_results(
    strategies: Iterable[StrategyScore], scores: Mapping[str, QuestionScore]
) -> list[dict[str, Any]]:
    """Return the results by strategy; that of hybrid search has the share of answers with a gold text."""
    gold = compute_mean(score.gold for score in scores.values())
    rows = build_report(list(strategies))
    return [
        row | {"gold": gold and round(gold, 4)} if row["strategy"] == RetrievalStrategy.HYBRID else row
        for row in rows
    ]


def compare_with_baseline(
    collection: Collection, scores: Mapping[str, QuestionScore]
) -> list[MetricDifference]:
    """Return the differences to the baseline of the collection; none without a baseline."""
    baseline = get_baseline(collection)
    if baseline is None:
        return []
    return compare_scores(parse_scores(baseline.scores), scores, tolerance=baseline.tolerance)
