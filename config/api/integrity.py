"""Violated constraints in the words of the model: the database is asked once, by the write itself.

`full_clean()` would ask it for each unique, check and foreign key beforehand, and could still be overtaken
by another transaction. The name of the constraint that PostgreSQL reports leads to the same message.
"""

from functools import cache
from typing import Any

from django.apps import apps
from django.db import models

from config.db.constraints import SameTenant

MISSING = "This object does not exist."
Errors = tuple[int, str, list[dict[str, str]]]


@cache
def _constraints() -> dict[str, tuple[type[models.Model], models.BaseConstraint]]:
    return {
        constraint.name: (model, constraint)
        for model in apps.get_models()
        for constraint in model._meta.constraints
    }


def _entry(field: str, code: str, detail: str) -> dict[str, str]:
    return {"pointer": f"/{field}" if field else "", "code": code, "detail": detail}


def _unique(model: type[models.Model], constraint: models.UniqueConstraint) -> Errors:
    fields = [name for name in constraint.fields if name != "tenant"]
    detail = str(constraint.violation_error_message)
    if detail == str(constraint.default_violation_error_message):
        detail = "There is one with these values already."
    return (
        409,
        "conflict",
        [_entry(field, "unique", detail) for field in fields] or [_entry("", "unique", detail)],
    )


def _check(model: type[models.Model], constraint: models.BaseConstraint) -> Errors:
    detail = str(constraint.violation_error_message)
    if detail == str(constraint.default_violation_error_message):
        detail = "The values are not valid together."
    return 400, "invalid", [_entry("", "invalid", detail)]


def constraint_error(cause: Any, state: str) -> Errors | None:
    """Status, code and errors of a violated constraint of a model, None when it is none of theirs."""
    name = getattr(getattr(cause, "diag", None), "constraint_name", None)
    if name is None:
        return None
    model, constraint = _constraints().get(name, (None, None))
    if isinstance(constraint, SameTenant) and state == "23503" and _is_own_write(cause, model):
        return 400, "invalid", [_entry(constraint.field, "does_not_exist", MISSING)]
    if isinstance(constraint, models.UniqueConstraint) and model is not None:
        return _unique(model, constraint)
    if isinstance(constraint, models.CheckConstraint) and model is not None:
        return _check(model, constraint)
    return None


def _is_own_write(cause: Any, model: type[models.Model] | None) -> bool:
    """Whether the row itself was refused, rather than the deletion of the row that it refers to.

    PostgreSQL names the referring table in both cases; the primary message tells which statement it was.
    """
    return "insert or update" in (cause.diag.message_primary or "") and model is not None
