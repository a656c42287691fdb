"""Map violated database constraints to validation errors of the model.

`full_clean()` would run a query for each unique, check and foreign key constraint, and another transaction could
still invalidate the result. Instead the write itself is tried, and the constraint's name in PostgreSQL's error leads
to the same message.
"""

from functools import cache
from typing import Any

from django.apps import apps
from django.db import models

from config.db.constraint_messages import constraint_fields, constraint_message
from config.db.constraints import SameTenant

DOES_NOT_EXIST = "This object does not exist."
NOT_NULL, FOREIGN_KEY, UNIQUE = "23502", "23503", "23505"
ConstraintErrors = tuple[int, str, list[dict[str, str]]]


@cache
def _constraints() -> dict[str, tuple[type[models.Model], models.BaseConstraint]]:
    return {
        constraint.name: (model, constraint)
        for model in apps.get_models()
        for constraint in model._meta.constraints
    }


@cache
def _columns() -> dict[tuple[str, str], str]:
    """Map (table, column) to the field's name."""
    return {
        (model._meta.db_table, str(field.column)): field.name
        for model in apps.get_models()
        for field in model._meta.local_concrete_fields
    }


def _entry(field: str, code: str, detail: str) -> dict[str, str]:
    return {"pointer": f"/{field}" if field else "", "code": code, "detail": detail}


def _errors_of_constraint(model: type[models.Model], constraint: models.BaseConstraint) -> ConstraintErrors:
    """Return one error for each field of the constraint."""
    unique = isinstance(constraint, models.UniqueConstraint)
    status, code, reason = (409, "conflict", "unique") if unique else (400, "invalid", "invalid")
    detail = constraint_message(constraint)
    return (
        status,
        code,
        [_entry(name, reason, detail) for name in constraint_fields(model, constraint) or ("",)],
    )


def _errors_of_column(diag: Any, state: str) -> ConstraintErrors | None:
    """Return the errors of a violated NOT NULL or single-column unique constraint.

    Under row-level security PostgreSQL omits the error detail, so the column comes from the constraint's name.
    """
    table = diag.table_name or ""
    if state == NOT_NULL and (field := _columns().get((table, diag.column_name or ""))):
        return 400, "invalid", [_entry(field, "null", "This field may not be null.")]
    column = (diag.constraint_name or "").removeprefix(f"{table}_").removesuffix("_key")
    if state == UNIQUE and (field := _columns().get((table, column))):
        return 409, "conflict", [_entry(field, "unique", "An object with this value already exists.")]
    return None


def constraint_error(cause: Any, state: str) -> ConstraintErrors | None:
    """Return status, code and errors of a violated model constraint, else None."""
    diag = getattr(cause, "diag", None)
    if diag is None:
        return None
    model, constraint = _constraints().get(diag.constraint_name or "", (None, None))
    if isinstance(constraint, SameTenant):
        if state == FOREIGN_KEY and _is_write_error(diag):
            return 400, "invalid", [_entry(constraint.field, "does_not_exist", DOES_NOT_EXIST)]
        return None
    if model is not None and isinstance(constraint, (models.UniqueConstraint, models.CheckConstraint)):
        return _errors_of_constraint(model, constraint)
    return _errors_of_column(diag, state)


def _is_write_error(diag: Any) -> bool:
    """Return whether an INSERT or UPDATE failed, rather than deleting the referenced row.

    PostgreSQL reports the referencing table in both cases. Only the primary message tells them apart.
    """
    return "insert or update" in (diag.message_primary or "")
