"""Checks and unique constraints in words: which fields they speak of, and what they ask for.

fields_of(Collection, check) -> ("chunk_size",); message_of(check) -> "Must be more than 0."
"""

from collections.abc import Iterator
from typing import Any

from django.db import models
from django.db.models.constants import LOOKUP_SEP

WORDS = {"gt": "more than", "gte": "at least", "lt": "less than", "lte": "at most"}


def _leaves(condition: Any) -> Iterator[tuple[str, str, Any]]:
    """(field, lookup, value) of a condition; fields that stand in expressions have no lookup."""
    if isinstance(condition, models.Q):
        for child in condition.children:
            if isinstance(child, tuple):
                field, _, lookup = child[0].partition(LOOKUP_SEP)
                yield field, lookup or "exact", child[1]
                yield from _leaves(child[1])
            else:
                yield from _leaves(child)
    elif isinstance(condition, models.F):
        yield condition.name.partition(LOOKUP_SEP)[0], "", None
    elif isinstance(condition, (list, tuple)):
        for each in condition:
            yield from _leaves(each)
    elif hasattr(condition, "get_source_expressions"):
        for each in condition.get_source_expressions():
            yield from _leaves(each)


def fields_of(model: type[models.Model], constraint: models.BaseConstraint) -> tuple[str, ...]:
    """The fields that a check or unique constraint speaks of, the tenant left out."""
    if isinstance(constraint, models.UniqueConstraint):
        named = [*constraint.fields, *(leaf[0] for leaf in _leaves(constraint.expressions))]
    else:
        named = [leaf[0] for leaf in _leaves(constraint.condition)]  # type: ignore[attr-defined]
    known = {field.name for field in model._meta.local_fields}
    return tuple(name for name in dict.fromkeys(named) if name in known and name != "tenant")


def _limit(lookup: str, value: Any) -> str:
    """A rule on a single value in words; empty where there are none for it."""
    if lookup == "in":
        return f"Must be one of {', '.join(str(each) or 'nothing' for each in value)}."
    if lookup == "range":
        return f"Must lie between {value[0]} and {value[1]}."
    word = WORDS.get(lookup)
    return f"Must be {word} {value}." if word and isinstance(value, (int, float)) else ""


def message_of(constraint: models.BaseConstraint) -> str:
    """The constraint's own message, else its rule in words."""
    if str(constraint.violation_error_message) != str(constraint.default_violation_error_message):
        return str(constraint.violation_error_message)
    if isinstance(constraint, models.UniqueConstraint):
        return "There is one with these values already."
    rules = [_limit(lookup, value) for _, lookup, value in _leaves(constraint.condition)]  # type: ignore[attr-defined]
    return next((rule for rule in rules if rule), "The value is not valid.")
