"""Rows in statements that are written once a process: what varies is a placeholder, the rest has its default.

Building a statement by the ORM costs more CPU than PostgreSQL needs to run it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import CharField, Field, Model, TextField
from django.db.models.expressions import DatabaseDefault
from psycopg.sql import Literal


@dataclass(frozen=True, slots=True)
class InsertTemplate:
    """A row of an INSERT: its columns, its values, and the fields whose values are given with each statement."""

    columns: str
    values: str
    fields: tuple[Field, ...]
    prefix: str

    def given(self, row: Model) -> dict[str, Any]:
        """The values of `row` by placeholder."""
        return {
            f"{self.prefix}{f.column}": f.get_db_prep_save(f.pre_save(row, add=True), connection)
            for f in self.fields
        }


def build_insert_template(
    model: type[Model],
    varying: Collection[str],
    *,
    prefix: str = "",
    instead: Mapping[str, str] | None = None,
) -> InsertTemplate:
    """The text of a row of `model`.

    Args:
        varying: attributes that each statement gives.
        prefix: before the placeholders' names, where a statement has several rows.
        instead: SQL for attributes, in place of a value.
    """
    plain, columns, values = model(), [], []
    fields = [f for f in model._meta.concrete_fields if not f.generated and _has_value(f, plain, varying)]
    for field in fields:
        columns.append(connection.ops.quote_name(str(field.column)))
        values.append((instead or {}).get(field.attname) or _value(field, plain, varying, prefix))
    given = tuple(field for field in fields if field.attname in varying)
    return InsertTemplate(", ".join(columns), ", ".join(values), given, prefix)


def _has_value(field: Field, plain: Model, varying: Collection[str]) -> bool:
    """Not where the database makes one."""
    return field.attname in varying or not isinstance(field.value_from_object(plain), DatabaseDefault)


def _value(field: Field, plain: Model, varying: Collection[str], prefix: str) -> str:
    # A value in a SELECT has no type of its own, hence the casts; text stays text, so that a length is refused
    # and not cut.
    kind = "text" if isinstance(field, (CharField, TextField)) else field.db_type(connection)
    if field.attname in varying:
        return f"%({prefix}{field.column})s::{kind}"
    # The same for each row, so it is part of the text.
    value = Literal(field.get_db_prep_save(field.value_from_object(plain), connection))
    return f"{value.as_string(connection.connection)}::{kind}".replace("%", "%%")
