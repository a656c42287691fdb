"""Paired bootstrap of the difference between two systems on the same questions.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), percentile intervals; for search metrics: Sakai,
"Evaluating evaluation metrics based on the bootstrap" (SIGIR 2006).
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES, SEED = 10_000, 2024
TAIL = 0.025


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """Mean difference with the bounds of its 95 % interval and the two-sided p value."""

    mean: float
    low: float
    high: float
    p_value: float


def compare_paired_scores(
    first: Sequence[float], second: Sequence[float], *, resamples: int = RESAMPLES
) -> MeanDifference:
    """Return the mean of `first` minus `second`; both have one score per question, in the same order.

    The questions are resampled with a fixed seed, so equal scores give equal results.

    Raises:
        ValueError: If the lengths differ or there are no scores.
    """
    differences = [one - other for one, other in zip(first, second, strict=True)]
    if not differences:
        raise ValueError("there are no scores to compare")
    generator, count = random.Random(SEED), len(differences)  # noqa: S311 - statistics, not a secret
    means = sorted(math.fsum(generator.choices(differences, k=count)) / count for _ in range(resamples))
    # The observed sample counts as one resample on either side, so the p value is never 0.
    below = (sum(mean <= 0 for mean in means) + 1) / (resamples + 1)
    above = (sum(mean >= 0 for mean in means) + 1) / (resamples + 1)
    return MeanDifference(
        mean=math.fsum(differences) / count,
        low=means[int(TAIL * resamples)],
        high=means[math.ceil((1 - TAIL) * resamples) - 1],
        p_value=min(1.0, 2 * min(below, above)),
    )
