"""Statements that PostgreSQL plans once per connection."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection


def run_prepared(
    sql: str, params: Sequence[Any] | Mapping[str, Any], *, proved: bool = True
) -> list[tuple[Any, ...]]:
    """Run a statement that returns rows with server-side binding, and return them all.

    See `config.db.backend.base.DatabaseWrapper.prepared_cursor`.
    """
    with connection.prepared_cursor(proved=proved) as cursor:  # type: ignore[attr-defined]
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
