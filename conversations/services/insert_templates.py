"""INSERT templates, built once per process: placeholders for varying values, defaults for the rest.

Building a statement with the ORM costs more CPU time than PostgreSQL needs to run it.
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
    """A row of an INSERT: columns, values, and the fields that each statement provides."""

    columns: str
    values: str
    fields: tuple[Field, ...]
    prefix: str

    def given(self, row: Model) -> dict[str, Any]:
        """Return the values of `row` by placeholder."""
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
    """Build the template of a row of `model`.

    Args:
        varying: attributes that each statement provides.
        prefix: prefix of placeholder names, for statements with several rows.
        instead: SQL expressions by attribute, instead of values.
    """
    plain, columns, values = model(), [], []
    fields = [f for f in model._meta.concrete_fields if not f.generated and _has_value(f, plain, varying)]
    for field in fields:
        columns.append(connection.ops.quote_name(str(field.column)))
        values.append((instead or {}).get(field.attname) or _value(field, plain, varying, prefix))
    given = tuple(field for field in fields if field.attname in varying)
    return InsertTemplate(", ".join(columns), ", ".join(values), given, prefix)


def _has_value(field: Field, plain: Model, varying: Collection[str]) -> bool:
    """Return False if the database generates the value."""
    return field.attname in varying or not isinstance(field.value_from_object(plain), DatabaseDefault)


def _value(field: Field, plain: Model, varying: Collection[str], prefix: str) -> str:
    # Values in a SELECT are untyped, so they need casts. Text is cast to text, so that PostgreSQL rejects
    # overlong values instead of truncating them.
    kind = "text" if isinstance(field, (CharField, TextField)) else field.db_type(connection)
    if field.attname in varying:
        return f"%({prefix}{field.column})s::{kind}"
    # Constant across rows, so it is part of the template.
    value = Literal(field.get_db_prep_save(field.value_from_object(plain), connection))
    return f"{value.as_string(connection.connection)}::{kind}".replace("%", "%%")
