"""Error messages and fields of check and unique constraints.

constraint_fields(Collection, check) -> ("chunk_size",); constraint_message(check) -> "Must be greater than 0."
"""

from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.models.constants import LOOKUP_SEP
from django.db.models.functions import Lower

# SQLSTATE of a change beyond a limit. Its DETAIL is a JSON object: resource, limit, used, plan, resets_at.
LIMIT_EXCEEDED = "CL001"
LIMIT_MESSAGE = "The limit of the organisation is reached. Remove objects, or ask for a higher limit."
COMPARISONS = {"gt": "greater than", "gte": "at least", "lt": "less than", "lte": "at most"}


def iter_lookups(condition: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield (field, lookup, value) for each field of a condition.

    Fields inside expressions have an empty lookup.
    """
    if isinstance(condition, models.Q):
        for child in condition.children:
            if isinstance(child, tuple):
                field, _, lookup = child[0].partition(LOOKUP_SEP)
                yield field, lookup or "exact", child[1]
                yield from iter_lookups(child[1])
            else:
                yield from iter_lookups(child)
    elif isinstance(condition, models.F):
        yield condition.name.partition(LOOKUP_SEP)[0], "", None  # type: ignore[attr-defined]
    elif isinstance(condition, (list, tuple)):
        for each in condition:
            yield from iter_lookups(each)
    elif hasattr(condition, "get_source_expressions"):
        for each in condition.get_source_expressions():
            yield from iter_lookups(each)


def constraint_fields(model: type[models.Model], constraint: models.BaseConstraint) -> tuple[str, ...]:
    """Return the fields of a check or unique constraint, except the tenant."""
    if isinstance(constraint, models.UniqueConstraint):
        named = [*constraint.fields, *(leaf[0] for leaf in iter_lookups(constraint.expressions))]
    else:
        named = [leaf[0] for leaf in iter_lookups(constraint.condition)]  # type: ignore[attr-defined]
    known = {field.name for field in model._meta.local_fields}
    return tuple(name for name in dict.fromkeys(named) if name in known and name != "tenant")


def _lookup_message(lookup: str, value: Any) -> str:
    """Return the message for one lookup, or an empty string."""
    if isinstance(value, Lower):
        return "Must be in lower case."
    if lookup == "in":
        return f"Must be one of {', '.join(str(each) or 'empty' for each in value)}."
    if lookup == "range":
        return f"Must be between {value[0]} and {value[1]}."
    word = COMPARISONS.get(lookup)
    if word and isinstance(value, (int, float)):
        return f"Must be {word} {value}."
    return f"Must match {value}." if lookup == "regex" else ""


def constraint_message(constraint: models.BaseConstraint) -> str:
    """Return the constraint's custom message, or one derived from its condition."""
    if str(constraint.violation_error_message) != str(constraint.default_violation_error_message):
        return str(constraint.violation_error_message)
    if isinstance(constraint, models.UniqueConstraint):
        return "An object with these values already exists."
    rules = [_lookup_message(lookup, value) for _, lookup, value in iter_lookups(constraint.condition)]  # type: ignore[attr-defined]
    return next((rule for rule in rules if rule), "The value is invalid.")
