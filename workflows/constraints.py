"""Validators and check constraints with messages, shared by the models of this app.

Shares range from 0 to 1, percentages from 0 to 100; scores of assessments and sources have no limits.
"""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from config.db.constraints import choices_constraint

NAME = "%(app_label)s_%(class)s_"
SHARE = [MinValueValidator(0), MaxValueValidator(1)]
PERCENT = [MinValueValidator(0), MaxValueValidator(100)]
NOT_NEGATIVE = [MinValueValidator(0)]


def choices_check(
    field: str, choices: type[models.TextChoices], *, blank: bool = False
) -> models.CheckConstraint:
    """Require one of `choices`; with `blank`, also allow the empty string."""
    values = [*choices.values, ""] if blank else choices.values
    return choices_constraint(field, values, message=f"{field}: must be one of {', '.join(choices.values)}.")


def range_check(field: str, low: float, high: float) -> models.CheckConstraint:
    """Require a value from `low` to `high`, or null."""
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__range": (low, high)}) | models.Q(**{field: None}),
        name=f"{NAME}{field}_range",
        violation_error_message=f"{field}: must be between {low} and {high}.",
    )


def min_check(field: str, low: float = 0) -> models.CheckConstraint:
    """Require a value of at least `low`, or null."""
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__gte": low}) | models.Q(**{field: None}),
        name=f"{NAME}{field}_least",
        violation_error_message=f"{field}: must be at least {low}.",
    )


def order_check(first: str, second: str) -> models.CheckConstraint:
    """Require that `second` is not before `first` if both are set."""
    both = models.Q(**{f"{second}__gte": models.F(first)})
    return models.CheckConstraint(
        condition=both | models.Q(**{first: None}) | models.Q(**{second: None}),
        name=f"{NAME}{second}_order",
        violation_error_message=f"{second} must not be before {first}.",
    )
