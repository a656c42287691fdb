"""What the database refused, in words for the person at the form."""

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import Error, models

from config.db.rules import fields_of, message_of

UNIQUE, FOREIGN_KEY, RESTRICT, CHECK, NOT_NULL = "23505", "23503", "23001", "23514", "23502"
PRIVILEGE = "42501"
WORDS = {
    UNIQUE: "There is such a row already.",
    FOREIGN_KEY: "It refers to something that does not exist here, or something still refers to it.",
    RESTRICT: "Something still refers to it.",
    CHECK: "The values contradict a rule of this table.",
    NOT_NULL: "A value is missing.",
    PRIVILEGE: "You may not do this here.",
    "22001": "A text is too long.",
    "22003": "A number is out of range.",
    "22021": "A text holds characters that the database cannot store.",
    "22P02": "A value has the wrong form.",
    "22P05": "A text holds characters that the database cannot store.",
    "55P03": "Somebody else is changing this; try again.",
    "57014": "This took too long and was stopped.",
    "40001": "Somebody else changed this at the same time; try again.",
    "40P01": "Somebody else changed this at the same time; try again.",
}
UNKNOWN = "The database did not accept this."


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE of a database error, or an empty string."""
    return getattr(error.__cause__, "sqlstate", None) or getattr(error, "sqlstate", None) or ""


def _constraint_named(name: str, model: type[models.Model]) -> models.BaseConstraint | None:
    related = [model, *(relation.related_model for relation in model._meta.related_objects)]
    found = (rule for each in related for rule in each._meta.constraints if rule.name == name)
    return next(found, None)


def explain(error: Error, model: type[models.Model]) -> ValidationError:
    """A validation error that says what `error` means, at its field where one is to blame.

    The texts name no values: an error may carry those of a row that its reader must not see.
    """
    state = sqlstate(error)
    diagnosis = getattr(error.__cause__, "diag", None)
    rule = _constraint_named(getattr(diagnosis, "constraint_name", None) or "", model)
    text = WORDS.get(state, UNKNOWN)
    if isinstance(rule, (models.CheckConstraint, models.UniqueConstraint)):
        named = fields_of(model, rule) if rule in model._meta.constraints else ()
        return ValidationError({named[0] if len(named) == 1 else NON_FIELD_ERRORS: message_of(rule)})
    if rule is not None and rule.violation_error_message != rule.default_violation_error_message:
        text = str(rule.violation_error_message)
    return ValidationError({getattr(rule, "field", NON_FIELD_ERRORS): text})
