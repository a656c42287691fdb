"""Figures of one ranking against graded judgements, as trec_eval and BEIR define them.

nDCG: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002), with the grade as gain.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

DEPTH = 10


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over questions, each from 0 to 1."""

    ndcg: float
    recall: float
    mrr: float
    questions: int


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH) -> float:
    """Discounted gain of the first `depth`, divided by that of the best order there is; 0 where nothing is judged."""
    best = _gain(sorted(grades.values(), reverse=True)[:depth])
    return _gain([grades.get(each, 0) for each in ranking[:depth]]) / best if best else 0.0


def _gain(grades: Iterable[int]) -> float:
    return math.fsum(grade / math.log2(place + 1) for place, grade in enumerate(grades, 1))


def recall(ranking: Sequence[str], grades: Mapping[str, int], depth: int = DEPTH) -> float:
    """The share of what is relevant that stands among the first `depth`."""
    relevant = {each for each, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:depth])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """One divided by the place of the first relevant one; 0 where there is none."""
    return next((1 / place for place, each in enumerate(ranking, 1) if grades.get(each, 0) > 0), 0.0)


def figures(rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Mapping[str, int]]) -> Figures:
    """The means over every judged question; one without a ranking counts as 0."""
    pairs = [(rankings.get(question, ()), grades) for question, grades in judgements.items()]
    count = len(pairs) or 1
    return Figures(
        ndcg=math.fsum(ndcg(*pair) for pair in pairs) / count,
        recall=math.fsum(recall(*pair) for pair in pairs) / count,
        mrr=math.fsum(reciprocal_rank(*pair) for pair in pairs) / count,
        questions=len(pairs),
    )
