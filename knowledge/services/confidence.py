"""Confidence of learning patterns and agent insights, from counts.

The confidence is the lower bound of the 95 % Wilson score interval of the share of uses that were successful (Wilson,
"Probable inference, the law of succession, and statistical inference", 1927), computed by the database function
`knowledge_pattern_confidence`. A use counts as a success unless it failed or was rejected, so that a pattern with n
uses and no failure has n / (n + 3.84). The stored confidence is that of the last occurrence; it halves with every
`LEARNING_HALF_LIFE_DAYS` since then.
"""

from typing import Any

from django.conf import settings
from django.db.models import F, FloatField, Func, Value
from django.db.models.functions import Cast, Greatest, Now, NullIf


class PatternConfidence(Func):
    """The confidence of occurrences, applications and failures."""

    function = "knowledge_pattern_confidence"
    output_field = FloatField()


def get_half_life() -> float:
    """Return the half-life of the confidence in seconds."""
    return float(settings.LEARNING_HALF_LIFE_DAYS) * 86_400


def current_confidence_sql(row: str, column: str = "confidence") -> str:
    """Return SQL of the confidence of `row` now, with the parameter `half_life`.

    Of what was learned from answers, it is also the confidence that a use fails.
    """
    # Time that jumps back does not increase the confidence; the limit prevents an underflow.
    age = f"greatest(0, extract(epoch FROM now() - {row}.last_seen_at)::float8 / %(half_life)s::float8)"
    failing = f"""CASE WHEN {row}.key <> '' THEN knowledge_pattern_confidence({row}.occurrences, {row}.applied_count,
      greatest({row}.occurrences, {row}.applied_count) - {row}.failure_count) END"""
    return f"greatest({row}.{column}, {failing}) * 0.5::float8 ^ least(1000, {age})"


def count_evidence(
    rows: Any, *, uses: int = 0, applied: int = 0, failed: int = 0, field: str = "confidence", **changes: Any
) -> int:
    """Add to the counts of patterns, compute their confidence again and return the number of rows.

    Args:
        rows: a queryset of patterns or insights.
        field: name of the field with the confidence.
        changes: other fields to change.
    """
    occurrences, applications = F("occurrences") + uses, F("applied_count") + applied
    failures = F("failure_count") + failed
    share = Cast(failures, FloatField()) / NullIf(applications, Value(0))
    confidence = {field: PatternConfidence(occurrences, applications, failures)}
    return int(
        rows.update(
            occurrences=occurrences,
            applied_count=applications,
            failure_count=failures,
            success_rate=Value(1.0) - share,
            last_seen_at=Greatest("last_seen_at", Now()),
            **confidence,
            **changes,
        )
    )
