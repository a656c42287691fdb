"""Bulk loading: binary COPY into a temporary table, then INSERT ... SELECT under the policies.

PostgreSQL rejects COPY FROM on a table with row-level security. With this detour policies, foreign keys, checks and
audit triggers apply to every row. The temporary table lasts as long as the connection and is emptied on commit.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from psycopg import Cursor, sql
from psycopg.types.json import Jsonb

from config.db.session import current_scope

BATCH = 20_000
Row = Sequence[Any]


def insert_many(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Row],
    *,
    constants: dict[str, Any] | None = None,
    batch: int = BATCH,
    on_batch: Callable[[int], object] | None = None,
    register_types: Callable[[Cursor[Any]], object] | None = None,
) -> int:
    """Insert `rows` in the current scope and transaction and return their number.

    `columns` names the values of each row and must include `id`. Columns in neither `columns` nor `constants` get the
    model's defaults; `created_at` and `updated_at` get the time of the id. Each batch is one statement, so the login's
    `statement_timeout` limits a batch and not the whole load. `register_types` registers types unknown to psycopg.

    Raises:
        ValueError: a column has no value, or its default differs per row.
    """
    staging = _staging_table(model, columns)
    insert, params = _insert_sql(model, columns, constants or {}, staging)
    done = 0
    with connection.cursor() as cursor:
        cursor.execute(_create_sql(model, columns, staging))
        source = iter(rows)
        while count := _copy_rows(model, columns, islice(source, batch), staging, register_types):
            cursor.execute(insert, params)
            cursor.execute(_empty_sql(staging, is_last=count < batch))
            done += count
            if on_batch:
                on_batch(count)
            if count < batch:
                break
    return done


def _empty_sql(staging: sql.Identifier, *, is_last: bool) -> str:
    """Return the statement that empties the temporary table.

    DELETE takes less time than TRUNCATE, but leaves row versions that the next batch would read again.
    """
    return _render(sql.SQL("DELETE FROM {}" if is_last else "TRUNCATE {}").format(staging))


def _render(query: sql.Composable) -> str:
    connection.ensure_connection()
    return query.as_string(connection.connection)


def _identifier_list(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _staging_table(model: type[models.Model], columns: Sequence[str]) -> sql.Identifier:
    """Return the name of the temporary table, one per role, since a connection may switch roles."""
    scope = current_scope()
    key = " ".join([scope.role if scope else "", model._meta.db_table, *columns])
    return sql.Identifier("pg_temp", f"conclave_bulk_{blake2b(key.encode(), digest_size=8).hexdigest()}")


def _create_sql(model: type[models.Model], columns: Sequence[str], staging: sql.Identifier) -> str:
    text = sql.SQL(
        "CREATE TEMP TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA"
    )
    return _render(text.format(staging, _identifier_list(columns), sql.Identifier(model._meta.db_table)))


def _insert_sql(
    model: type[models.Model], columns: Sequence[str], constants: dict[str, Any], staging: sql.Identifier
) -> tuple[str, list[Any]]:
    """Return the statement that copies the temporary table into the model's, and its parameters."""
    names, values, params = list(columns), [sql.Identifier(name) for name in columns], []
    for field in model._meta.local_concrete_fields:
        column = str(field.column)
        if column in columns or field.generated:
            continue
        names.append(column)
        if column in ("created_at", "updated_at") and column not in constants:
            values.append(sql.SQL("conclave_uuid_time(id)"))  # type: ignore[arg-type]
            continue
        values.append(sql.SQL(f"%s::{field.db_type(connection)}"))  # type: ignore[arg-type]
        params.append(_constant_value(field, constants))
    text = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}").format(
        sql.Identifier(model._meta.db_table), _identifier_list(names), sql.SQL(", ").join(values), staging
    )
    return _render(text), params


def _constant_value(field: Any, constants: dict[str, Any]) -> Any:
    if field.column in constants:
        value = constants[field.column]
    elif field.has_default() and not isinstance(field, models.UUIDField):
        value = field.get_default()
    elif field.null:
        return None
    else:
        raise ValueError(f"{field.model._meta.label}.{field.column} needs a value for each row")
    return Jsonb(value) if isinstance(field, models.JSONField) else field.get_db_prep_save(value, connection)


def _copy_rows(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Iterable[Row],
    staging: sql.Identifier,
    register_types: Callable[[Cursor[Any]], object] | None,
) -> int:
    """Copy `rows` to the temporary table and return their number."""
    connection.ensure_scope()  # type: ignore[attr-defined]
    types = [_type_name(model, column) for column in columns]
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(staging, _identifier_list(columns))
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        if register_types:
            register_types(cursor)
        with cursor.copy(command) as copy:
            copy.set_types(types)
            write, count = copy.write_row, 0
            for count, row in enumerate(rows, 1):  # noqa: B007
                write(row)
    return count


def _type_name(model: type[models.Model], column: str) -> str:
    field = next(each for each in model._meta.local_concrete_fields if each.column == column)
    if isinstance(field, ArrayField):
        raise ValueError(f"{model._meta.label}.{column}: arrays are not loaded this way")
    return str(field.db_type(connection)).partition("(")[0]
