"""Field for password hashes that tenant roles cannot read."""

from typing import Any

from django.db import models

from config.db.session import APP, current_scope

# Placeholder for roles that cannot read the hash. No hasher accepts it.
UNREADABLE_HASH = "!withheld"


class PasswordHashField(models.CharField):  # type: ignore[type-arg]
    """Password hash that tenant roles have no privilege to read.

    Within a tenant scope, queries select a placeholder instead of the column. Sign-in reads the hash with the
    identity role.
    """

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """Return the column, or a placeholder if the role cannot read it."""
        scope = current_scope()
        if scope is not None and scope.role == APP:
            return "%s", [UNREADABLE_HASH]
        return sql, params

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Return the value to store.

        Raises:
            ValueError: The user was loaded without the hash, so saving would overwrite the password.
        """
        if value == UNREADABLE_HASH:
            raise ValueError(
                "This user was loaded inside a tenant scope, without the password hash."
                " Pass update_fields to save() or reload the user."
            )
        return super().get_db_prep_save(value, connection)
