"""Columns of people that tenant work must not read."""

from typing import Any

from django.db import models

from config.db.stamps import APP, current_stamp

# What the field holds where the hash is out of reach; no hasher accepts it.
WITHHELD = "!withheld"


class PasswordHashField(models.CharField):  # type: ignore[type-arg]
    """A password's hash, which the role of tenant work has no right to read.

    Inside a tenant's scope a person is loaded without it, so that no query names the column; sign-in reads it
    under its own role.
    """

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """The column, or a mark in its place where the column may not be read."""
        stamp = current_stamp()
        if stamp is not None and stamp.role == APP:
            return "%s", [WITHHELD]
        return sql, params

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Raises:
        ValueError: for a person who was loaded without the hash: saving would take the password away.
        """
        if value == WITHHELD:
            raise ValueError(
                "This person was loaded inside a tenant's scope: save chosen fields, or load again."
            )
        return super().get_db_prep_save(value, connection)
