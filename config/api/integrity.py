"""Violated constraints in the words of the model: the database is asked once, by the write itself.

`full_clean()` would ask it for each unique, check and foreign key beforehand, and could still be overtaken
by another transaction. The name of the constraint that PostgreSQL reports leads to the same message.
"""

from functools import cache
from typing import Any

from django.apps import apps
from django.db import models

from config.db.constraints import SameTenant
from config.db.rules import fields_of, message_of

MISSING = "This object does not exist."
NOT_NULL, FOREIGN_KEY, UNIQUE = "23502", "23503", "23505"
Errors = tuple[int, str, list[dict[str, str]]]


@cache
def _constraints() -> dict[str, tuple[type[models.Model], models.BaseConstraint]]:
    return {
        constraint.name: (model, constraint)
        for model in apps.get_models()
        for constraint in model._meta.constraints
    }


@cache
def _columns() -> dict[tuple[str, str], str]:
    """(table, column) -> name of the field."""
    return {
        (model._meta.db_table, str(field.column)): field.name
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
    }


def _entry(field: str, code: str, detail: str) -> dict[str, str]:
    return {"pointer": f"/{field}" if field else "", "code": code, "detail": detail}


def _named(model: type[models.Model], constraint: models.BaseConstraint) -> Errors:
    """One entry for each field that the constraint speaks of."""
    unique = isinstance(constraint, models.UniqueConstraint)
    status, code, reason = (409, "conflict", "unique") if unique else (400, "invalid", "invalid")
    detail = message_of(constraint)
    return status, code, [_entry(name, reason, detail) for name in fields_of(model, constraint) or ("",)]


def _by_column(diag: Any, state: str) -> Errors | None:
    """What the database names by a column: a missing value, a unique column (its detail is hidden by policies)."""
    table = diag.table_name or ""
    if state == NOT_NULL and (field := _columns().get((table, diag.column_name or ""))):
        return 400, "invalid", [_entry(field, "null", "This field may not be null.")]
    column = (diag.constraint_name or "").removeprefix(f"{table}_").removesuffix("_key")
    if state == UNIQUE and (field := _columns().get((table, column))):
        return 409, "conflict", [_entry(field, "unique", "There is one with this value already.")]
    return None


def constraint_error(cause: Any, state: str) -> Errors | None:
    """Status, code and errors of a violated constraint of a model, None when it is none of theirs."""
    diag = getattr(cause, "diag", None)
    if diag is None:
        return None
    model, constraint = _constraints().get(diag.constraint_name or "", (None, None))
    if isinstance(constraint, SameTenant):
        if state == FOREIGN_KEY and _refused_write(diag):
            return 400, "invalid", [_entry(constraint.field, "does_not_exist", MISSING)]
        return None
    if model is not None and isinstance(constraint, (models.UniqueConstraint, models.CheckConstraint)):
        return _named(model, constraint)
    return _by_column(diag, state)


def _refused_write(diag: Any) -> bool:
    """Whether the row itself was refused, rather than the deletion of the row that it refers to.

    PostgreSQL names the referring table in both cases; the primary message tells which statement it was.
    """
    return "insert or update" in (diag.message_primary or "")
