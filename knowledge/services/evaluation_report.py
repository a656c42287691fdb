"""Report of a collection's evaluations on its accepted questions: runs, languages and worst questions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from knowledge.choices import EvaluationStatus, RetrievalStrategy
from knowledge.evaluation.regression import (
    METRICS,
    LanguageMetrics,
    QuestionScore,
    compute_language_metrics,
    parse_scores,
)
from knowledge.models import Collection, Document, JudgedQuestion, RagEvaluation

MAX_RUNS, MAX_WORST = 30, 20


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """Metrics of hybrid search in one evaluation, and their differences to the baseline of that time.

    `gold` is the share of answers with a gold text, or None without gold texts.
    """

    id: UUID
    name: str
    completed_at: datetime
    is_baseline: bool
    questions: int
    ndcg_at_10: float
    recall_at_10: float
    gold: float | None
    differences: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class GradedDocument:
    """A relevant document of a question; `id` is None if it is not in the collection."""

    id: UUID | None
    title: str
    source: str
    grade: int


@dataclass(frozen=True, slots=True)
class WorstQuestion:
    """A question with low metrics, its relevant documents and the passage that answers it, if known."""

    id: UUID
    question: str
    language: str
    ndcg_at_10: float
    recall_at_10: float
    gold: float | None
    chunk: UUID | None
    documents: list[GradedDocument]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Runs, newest first; languages and worst questions are those of the newest run."""

    runs: list[EvaluationRun]
    languages: list[LanguageMetrics]
    worst: list[WorstQuestion]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a JSON-serializable dictionary."""
        return asdict(self)


def build_evaluation_report(collection: Collection) -> EvaluationReport:
    """Return the report of the latest completed evaluations of the accepted questions."""
    rows = RagEvaluation.objects.filter(collection=collection, status=EvaluationStatus.COMPLETED)
    # Evaluations of other judgements have no scores.
    latest = list(rows.exclude(scores=[]).order_by("-id").defer("judgements", "scores")[:MAX_RUNS])
    if not latest:
        return EvaluationReport([], [], [])
    stored = RagEvaluation.objects.filter(pk=latest[0].pk).values_list("scores", flat=True).get()
    scores = parse_scores(stored)
    return EvaluationReport(
        [_build_run(evaluation) for evaluation in latest],
        compute_language_metrics(scores.values()),
        _list_worst_questions(collection, scores),
    )


def _build_run(evaluation: RagEvaluation) -> EvaluationRun:
    found = next(row for row in evaluation.results if row["strategy"] == RetrievalStrategy.HYBRID)
    return EvaluationRun(
        id=evaluation.pk,
        name=evaluation.name,
        completed_at=evaluation.completed_at or evaluation.created_at,
        is_baseline=evaluation.is_baseline,
        questions=found["questions"],
        differences=evaluation.differences,
        **{metric: found[metric] for metric in METRICS},
    )


def _list_worst_questions(collection: Collection, scores: Mapping[str, QuestionScore]) -> list[WorstQuestion]:
    """Return the questions that are not answered perfectly, lowest nDCG first, without deleted ones."""
    poor = [score for score in scores.values() if score.ndcg_at_10 < 1 or score.gold == 0]
    poor.sort(key=lambda score: (score.ndcg_at_10, score.recall_at_10, score.gold or 0, score.question))
    rows = JudgedQuestion.objects.filter(pk__in=[score.question for score in poor[:MAX_WORST]])
    questions = {str(row.pk): row for row in rows}
    documents = _load_documents(collection, questions.values())
    return [
        WorstQuestion(
            row.pk,
            row.question,
            score.language,
            score.ndcg_at_10,
            score.recall_at_10,
            score.gold,
            row.chunk_id,
            _list_graded_documents(row, documents),
        )
        for score in poor[:MAX_WORST]
        if (row := questions.get(score.question))
    ]


def _load_documents(collection: Collection, questions: Iterable[JudgedQuestion]) -> dict[str, Document]:
    sources = {source for row in questions for source, grade in row.grades.items() if grade}
    found = Document.objects.filter(collection=collection, source__in=sources)
    return {document.source: document for document in found.only("title", "filename", "source")}


def _list_graded_documents(row: JudgedQuestion, documents: Mapping[str, Document]) -> list[GradedDocument]:
    graded: Sequence[tuple[str, int]] = sorted(row.grades.items(), key=lambda item: -item[1])
    return [
        GradedDocument(document.pk, document.title or document.filename, source, grade)
        if (document := documents.get(source))
        else GradedDocument(None, source, source, grade)
        for source, grade in graded
        if grade
    ]
