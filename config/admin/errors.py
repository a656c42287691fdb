"""Form errors for statements that the database rejects."""

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import Error, models

from config.db.constraint_messages import (
    LIMIT_EXCEEDED,
    LIMIT_MESSAGE,
    constraint_fields,
    constraint_message,
)
from config.db.errors import get_sqlstate

UNIQUE, FOREIGN_KEY, RESTRICT, CHECK, NOT_NULL = "23505", "23503", "23001", "23514", "23502"
PRIVILEGE = "42501"
ERROR_MESSAGES = {
    UNIQUE: "An object with these values already exists.",
    FOREIGN_KEY: "A referenced object does not exist, or other objects still refer to this one.",
    RESTRICT: "Other objects still refer to this one.",
    CHECK: "The values violate a constraint.",
    NOT_NULL: "A required value is missing.",
    PRIVILEGE: "You do not have permission to perform this action.",
    LIMIT_EXCEEDED: LIMIT_MESSAGE,
    "22001": "A text value is too long.",
    "22003": "A number is out of range.",
    "22021": "A text value contains characters that the database cannot store.",
    "22P02": "A value has an invalid format.",
    "22P05": "A text value contains characters that the database cannot store.",
    "55P03": "Another user is changing this object. Try again.",
    "57014": "The request timed out. Try again.",
    "40001": "Another user changed this object at the same time. Try again.",
    "40P01": "Another user changed this object at the same time. Try again.",
}
DEFAULT_MESSAGE = "The database rejected the change."


def _find_constraint(name: str, model: type[models.Model]) -> models.BaseConstraint | None:
    related = [model, *(relation.related_model for relation in model._meta.related_objects)]
    found = (rule for each in related for rule in each._meta.constraints if rule.name == name)
    return next(found, None)


def to_validation_error(error: Error, model: type[models.Model]) -> ValidationError:
    """Convert a database error to a `ValidationError`, on the field where possible.

    The messages contain no values, because the error can quote a row that the user must not see.
    """
    state = get_sqlstate(error)
    diagnosis = getattr(error.__cause__, "diag", None)
    rule = _find_constraint(getattr(diagnosis, "constraint_name", None) or "", model)
    text = ERROR_MESSAGES.get(state, DEFAULT_MESSAGE)
    if isinstance(rule, (models.CheckConstraint, models.UniqueConstraint)):
        named = constraint_fields(model, rule) if rule in model._meta.constraints else ()
        return ValidationError({named[0] if len(named) == 1 else NON_FIELD_ERRORS: constraint_message(rule)})
    if rule is not None and rule.violation_error_message != rule.default_violation_error_message:
        text = str(rule.violation_error_message)
    return ValidationError({getattr(rule, "field", NON_FIELD_ERRORS): text})
