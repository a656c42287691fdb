"""Model fields and functions for PostgreSQL types that Django lacks."""

from typing import Any

from django.db import models


class TransactionIdField(models.BigIntegerField):
    """`xid8`: the id of the transaction that wrote the row."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> str | None:
        return None if value is None else str(value)


class CurrentTransactionId(models.Func):
    """`pg_current_xact_id()`, for `db_default`."""

    function = "pg_current_xact_id"
    template = "%(function)s()"
    output_field = TransactionIdField()
