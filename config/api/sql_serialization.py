"""Compile a serializer's fields to SQL, so that PostgreSQL produces each row's JSON.

The result is byte-identical to the serializer's data rendered by `ORJSONRenderer`. PostgreSQL formats JSON values and
very small or large floats differently; such rows are flagged and re-encoded by `orjson`. A field that only Python can
compute raises `NotSqlSerializable`, and the serializer renders the rows instead.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from django.db import models
from django.db.models.expressions import RawSQL
from rest_framework import serializers

from config.encryption.fields import EncryptedField

from .fields import MASK, SecretField

PLAIN = (
    serializers.UUIDField,
    serializers.CharField,
    serializers.ChoiceField,
    serializers.IntegerField,
    serializers.BooleanField,
    serializers.DateField,
)


class NotSqlSerializable(Exception):
    """A serializer field cannot be expressed in SQL."""


@dataclass(frozen=True, slots=True)
class ColumnSQL:
    """SQL of a value, and SQL of the condition under which it must be re-encoded by `orjson`."""

    sql: str
    needs_reencode: str = ""


@dataclass(frozen=True, slots=True)
class SerializationPlan:
    """Expressions to select for a row: its JSON text and whether to re-encode it."""

    json: RawSQL
    needs_reencode: RawSQL


def quote_identifier(name: str) -> str:
    """Quote an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def model_field(model: type[models.Model], source: str) -> Any:
    """Return the concrete field of `model` that a serializer field reads.

    Raises:
        NotSqlSerializable: the serializer field reads no column.
    """
    for field in model._meta.concrete_fields:
        if source in (field.attname, field.name):
            return field
    raise NotSqlSerializable(source)


def _float_sql(column: str) -> ColumnSQL:
    finite = f"CASE WHEN {column} IN ('NaN', 'Infinity', '-Infinity') THEN NULL ELSE {column} END"
    return ColumnSQL(finite, f"{column} <> 0 AND (abs({column}) < 1e-3 OR abs({column}) >= 1e14)")


def _datetime_sql(column: str) -> ColumnSQL:
    text = f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    return ColumnSQL(f"replace({text}, '.000000Z', 'Z')")


def _json_sql(column: str) -> ColumnSQL:
    return ColumnSQL(column, f"{column} NOT IN ('{{}}'::jsonb, '[]'::jsonb)")


def _column_sql(field: serializers.Field, model: type[models.Model], table: str) -> ColumnSQL:
    source = model_field(model, field.source or "")
    column = f"{table}.{quote_identifier(source.column)}"
    kind = getattr(source, "output_field", source) if isinstance(source, models.GeneratedField) else source
    if isinstance(field, SecretField) and isinstance(source, EncryptedField):
        return ColumnSQL(f"CASE WHEN {column} IS NOT NULL THEN '{MASK}' END")
    if isinstance(field, serializers.DateTimeField) and not hasattr(field, "format"):
        return _datetime_sql(column)
    if isinstance(field, serializers.FloatField):
        return _float_sql(column)
    if isinstance(field, serializers.DecimalField) and isinstance(kind, models.DecimalField):
        return ColumnSQL(f"{column}::text")
    if isinstance(kind, models.JSONField):
        return _json_sql(column)
    if isinstance(field, serializers.IPAddressField):
        return ColumnSQL(f"host({column})")
    if isinstance(field, PLAIN) and not isinstance(field, serializers.ReadOnlyField):
        return ColumnSQL(column)
    raise NotSqlSerializable(field.field_name)


def compile_column(field: serializers.Field, model: type[models.Model], table: str) -> ColumnSQL:
    """Return the SQL of a serializer field. A field class can define `as_sql`."""
    if hasattr(field, "as_sql"):
        return field.as_sql(model, table)
    return _column_sql(field, model, table)


def row_json(serializer: Any, model: type[models.Model], table: str) -> ColumnSQL:
    """Return SQL of a row's JSON object, with keys in the serializer's order.

    Raises:
        NotSqlSerializable: a field of the serializer is computed in Python.
    """
    columns = {name: compile_column(field, model, table) for name, field in readable_fields(serializer)}
    if not columns:
        raise NotSqlSerializable("no field")
    listed = ", ".join(f"{column.sql} AS {quote_identifier(name)}" for name, column in columns.items())
    needs_reencode = " OR ".join(
        f"coalesce({column.needs_reencode}, false)" for column in columns.values() if column.needs_reencode
    )
    return ColumnSQL(f"SELECT row_to_json(_r) FROM (SELECT {listed}) _r", needs_reencode)


def readable_fields(serializer: Any) -> list[tuple[str, serializers.Field]]:
    """Return the names and fields that the serializer outputs."""
    return [(name, field) for name, field in serializer.fields.items() if not field.write_only]


def compile_plan(serializer: Any) -> SerializationPlan | None:
    """Return the expressions to select, or None if Python must serialize the rows."""
    model = serializer.Meta.model
    try:
        column = row_json(serializer, model, quote_identifier(model._meta.db_table))
    except NotSqlSerializable:
        return None
    text = models.TextField()
    return SerializationPlan(
        RawSQL(column.sql.replace("row_to_json(_r)", "row_to_json(_r)::text", 1), (), text),  # noqa: S611
        RawSQL(column.needs_reencode or "false", (), models.BooleanField()),  # noqa: S611 - the model's own columns
    )


def reencode(text: str, needs_reencode: bool) -> bytes:
    """Return a row's JSON as bytes, re-encoded by `orjson` if needed."""
    return orjson.dumps(orjson.loads(text)) if needs_reencode else text.encode()
