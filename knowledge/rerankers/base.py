"""Interface of rerankers."""

import math
from collections.abc import Callable, Sequence

# Takes the query and the texts of the passages, and returns one score per text.
Reranker = Callable[[str, Sequence[str]], Sequence[float]]


class RerankError(Exception):
    """Reranking failed; the message is shown to users and contains no secrets."""


class RerankPauseError(RerankError):
    """The reranker failed recently and was not asked."""


def check_scores(scores: Sequence[float], count: int) -> list[float]:
    """Return the scores as numbers.

    Raises:
        RerankError: If there is not exactly one finite score per passage.
    """
    try:
        numbers = [float(score) for score in scores]
    except (TypeError, ValueError, OverflowError):
        raise RerankError("the reranker gave scores that are not numbers") from None
    if len(numbers) != count:
        raise RerankError(f"the reranker gave {len(numbers)} scores for {count} passages")
    if not all(map(math.isfinite, numbers)):
        raise RerankError("the reranker gave a score that is not finite")
    return numbers
