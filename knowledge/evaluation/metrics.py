"""Ranking metrics for graded judgements, as defined by trec_eval and BEIR.

nDCG: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002), with the grade as gain.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

DEPTH = 10


@dataclass(frozen=True, slots=True)
class RankingMetrics:
    """Mean metrics over all questions, each from 0 to 1."""

    ndcg: float
    recall: float
    mrr: float
    questions: int


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH) -> float:
    """Return nDCG of the first `depth` results; 0 if no document is judged."""
    best = _discounted_gain(sorted(grades.values(), reverse=True)[:depth])
    return _discounted_gain([grades.get(each, 0) for each in ranking[:depth]]) / best if best else 0.0


def _discounted_gain(grades: Iterable[int]) -> float:
    return math.fsum(grade / math.log2(place + 1) for place, grade in enumerate(grades, 1))


def recall(ranking: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH) -> float:
    """Return the share of relevant documents in the first `depth` results."""
    relevant = {each for each, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:depth])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """Return 1 divided by the rank of the first relevant result; 0 if none."""
    return next((1 / place for place, each in enumerate(ranking, 1) if grades.get(each, 0) > 0), 0.0)


def compute_ndcgs(
    rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Mapping[str, int]]
) -> dict[str, float]:
    """Return nDCG of every judged question; one without a ranking counts as 0."""
    return {question: ndcg(rankings.get(question, ()), grades) for question, grades in judgements.items()}


def compute_recalls(
    rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Mapping[str, int]]
) -> dict[str, float]:
    """Return recall of every judged question; one without a ranking counts as 0."""
    return {question: recall(rankings.get(question, ()), grades) for question, grades in judgements.items()}


def compute_metrics(
    rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Mapping[str, int]]
) -> RankingMetrics:
    """Return the means over all judged questions; one without a ranking counts as 0."""
    pairs = [(rankings.get(question, ()), grades) for question, grades in judgements.items()]
    count = len(pairs) or 1
    return RankingMetrics(
        ndcg=math.fsum(ndcg(*pair) for pair in pairs) / count,
        recall=math.fsum(recall(*pair) for pair in pairs) / count,
        mrr=math.fsum(reciprocal_rank(*pair) for pair in pairs) / count,
        questions=len(pairs),
    )
