"""Comparison of an evaluation with its baseline, question by question."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from knowledge.evaluation.significance import compare_paired_scores

METRICS = ("ndcg_at_10", "recall_at_10", "gold")
SIGNIFICANCE_LEVEL = 0.05
# With fewer questions, the bootstrap finds differences significant that one question causes.
MIN_QUESTIONS = 10
DEFAULT_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """Metrics of hybrid search for one question, and whether the answer contains a gold text.

    `gold` is 1 or 0, and None for a question without gold texts.
    """

    question: str
    language: str
    ndcg_at_10: float
    recall_at_10: float
    gold: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the score in the stored JSON format."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """Difference of one metric to the baseline, on the questions that both evaluations have."""

    metric: str
    questions: int
    before: float
    after: float
    mean: float
    low: float
    high: float
    p_value: float
    is_regression: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the difference in the stored JSON format."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class LanguageMetrics:
    """Mean metrics of the questions in one language; `gold` is None without gold texts."""

    language: str
    questions: int
    ndcg_at_10: float
    recall_at_10: float
    gold: float | None


@dataclass(frozen=True, slots=True)
class WorseQuestion:
    """A question whose metric decreased."""

    question: str
    metric: str
    before: float
    after: float


def parse_scores(rows: Iterable[Mapping[str, Any]]) -> dict[str, QuestionScore]:
    """Return stored scores by question."""
    return {row["question"]: QuestionScore(**row) for row in rows}


def compare_scores(
    before: Mapping[str, QuestionScore], after: Mapping[str, QuestionScore], *, tolerance: float
) -> list[MetricDifference]:
    """Return the difference of each metric, without metrics that no common question has.

    A regression is a significant decrease by more than `tolerance` on at least `MIN_QUESTIONS` questions.
    """
    differences = []
    for metric in METRICS:
        pairs = list(_pair_values(before, after, metric).values())
        if not pairs:
            continue
        old, new = zip(*pairs, strict=True)
        found = compare_paired_scores(new, old)
        is_significant = len(pairs) >= MIN_QUESTIONS and found.p_value < SIGNIFICANCE_LEVEL
        differences.append(
            MetricDifference(
                metric,
                len(pairs),
                math.fsum(old) / len(old),
                math.fsum(new) / len(new),
                found.mean,
                found.low,
                found.high,
                found.p_value,
                is_significant and found.mean < -tolerance,
            )
        )
    return differences


def list_worse_questions(
    before: Mapping[str, QuestionScore], after: Mapping[str, QuestionScore], metrics: Sequence[str] = METRICS
) -> list[WorseQuestion]:
    """Return the questions with a lower metric than before, by metric, largest decrease first."""
    return [
        WorseQuestion(question, metric, old, new)
        for metric in metrics
        for question, (old, new) in sorted(
            _pair_values(before, after, metric).items(), key=lambda item: item[1][1] - item[1][0]
        )
        if new < old
    ]


def _pair_values(
    before: Mapping[str, QuestionScore], after: Mapping[str, QuestionScore], metric: str
) -> dict[str, tuple[float, float]]:
    pairs = {
        question: (getattr(before[question], metric), getattr(score, metric))
        for question, score in after.items()
        if question in before
    }
    return {question: pair for question, pair in pairs.items() if None not in pair}


def compute_language_metrics(scores: Iterable[QuestionScore]) -> list[LanguageMetrics]:
    """Return the metrics of each language, that of most questions first; "" is unknown."""
    groups: defaultdict[str, list[QuestionScore]] = defaultdict(list)
    for score in scores:
        groups[score.language].append(score)
    rows = [
        LanguageMetrics(
            language,
            len(group),
            compute_mean(score.ndcg_at_10 for score in group) or 0.0,
            compute_mean(score.recall_at_10 for score in group) or 0.0,
            compute_mean(score.gold for score in group),
        )
        for language, group in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row.questions, row.language))


def compute_mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None; None without any."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
