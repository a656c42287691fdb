"""Compile a serializer's fields to SQL, so that PostgreSQL produces each row's JSON.

The result is byte-identical to the serializer's data rendered by `ORJSONRenderer`. PostgreSQL formats JSON values and
very small or large floats differently; such rows are flagged and re-encoded by `orjson`. A field that only Python can
compute raises `NotCompilable`, and the serializer renders the rows instead.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from django.db import models
from django.db.models.expressions import RawSQL
from rest_framework import serializers

from config.db.fields import EncryptedField

from .fields import MASK, SecretField

PLAIN = (
    serializers.UUIDField,
    serializers.CharField,
    serializers.ChoiceField,
    serializers.IntegerField,
    serializers.BooleanField,
    serializers.DateField,
)


class NotCompilable(Exception):
    """A serializer field cannot be expressed in SQL."""


@dataclass(frozen=True, slots=True)
class Column:
    """SQL of a value, and SQL of the condition under which it must be re-encoded by `orjson`."""

    sql: str
    rich: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Expressions to select for a row: its JSON text and whether to re-encode it."""

    json: RawSQL
    rich: RawSQL


def quoted(name: str) -> str:
    """Quote an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def model_field(model: type[models.Model], source: str) -> Any:
    """Return the concrete field of `model` that a serializer field reads.

    Raises:
        NotCompilable: the serializer field reads no column.
    """
    for field in model._meta.concrete_fields:
        if source in (field.attname, field.name):
            return field
    raise NotCompilable(source)


def _float(column: str) -> Column:
    finite = f"CASE WHEN {column} IN ('NaN', 'Infinity', '-Infinity') THEN NULL ELSE {column} END"
    return Column(finite, f"{column} <> 0 AND (abs({column}) < 1e-3 OR abs({column}) >= 1e14)")


def _moment(column: str) -> Column:
    text = f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    return Column(f"replace({text}, '.000000Z', 'Z')")


def _json(column: str) -> Column:
    return Column(column, f"{column} NOT IN ('{{}}'::jsonb, '[]'::jsonb)")


def _column(field: serializers.Field, model: type[models.Model], table: str) -> Column:
    source = model_field(model, field.source)
    column = f"{table}.{quoted(source.column)}"
    kind = getattr(source, "output_field", source) if isinstance(source, models.GeneratedField) else source
    if isinstance(field, SecretField) and isinstance(source, EncryptedField):
        return Column(f"CASE WHEN {column} IS NOT NULL THEN '{MASK}' END")
    if isinstance(field, serializers.DateTimeField) and not hasattr(field, "format"):
        return _moment(column)
    if isinstance(field, serializers.FloatField):
        return _float(column)
    if isinstance(field, serializers.DecimalField) and isinstance(kind, models.DecimalField):
        return Column(f"{column}::text")
    if isinstance(kind, models.JSONField):
        return _json(column)
    if isinstance(field, serializers.IPAddressField):
        return Column(f"host({column})")
    if isinstance(field, PLAIN) and not isinstance(field, serializers.ReadOnlyField):
        return Column(column)
    raise NotCompilable(field.field_name)


def compile_column(field: serializers.Field, model: type[models.Model], table: str) -> Column:
    """Return the SQL of a serializer field. A field class can define `as_sql`."""
    if hasattr(field, "as_sql"):
        return field.as_sql(model, table)
    return _column(field, model, table)


def row_json(serializer: Any, model: type[models.Model], table: str) -> Column:
    """Return SQL of a row's JSON object, with keys in the serializer's order.

    Raises:
        NotCompilable: a field of the serializer is computed in Python.
    """
    columns = {name: compile_column(field, model, table) for name, field in readable(serializer)}
    if not columns:
        raise NotCompilable("no field")
    listed = ", ".join(f"{column.sql} AS {quoted(name)}" for name, column in columns.items())
    rich = " OR ".join(f"coalesce({column.rich}, false)" for column in columns.values() if column.rich)
    return Column(f"SELECT row_to_json(_r) FROM (SELECT {listed}) _r", rich)


def readable(serializer: Any) -> list[tuple[str, serializers.Field]]:
    """Return the names and fields that the serializer outputs."""
    return [(name, field) for name, field in serializer.fields.items() if not field.write_only]


def compile_plan(serializer: Any) -> Plan | None:
    """Return the expressions to select, or None if Python must serialize the rows."""
    model = serializer.Meta.model
    try:
        column = row_json(serializer, model, quoted(model._meta.db_table))
    except NotCompilable:
        return None
    text = models.TextField()
    return Plan(
        RawSQL(column.sql.replace("row_to_json(_r)", "row_to_json(_r)::text", 1), (), text),  # noqa: S611
        RawSQL(column.rich or "false", (), models.BooleanField()),  # noqa: S611 - the model's own columns
    )


def respell(text: str, rich: bool) -> bytes:
    """Return a row's JSON as bytes, re-encoded by `orjson` if needed."""
    return orjson.dumps(orjson.loads(text)) if rich else text.encode()
