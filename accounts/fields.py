"""Fields whose columns roles of the application cannot read."""

from typing import Any

from django.db import models

from config.db.session import APP, current_scope

# Begin of the placeholder for a hash. No hasher accepts it.
UNREADABLE_HASH = "!withheld"


class WithheldMixin:
    """Mixin for a field whose column tenant roles have no privilege to read.

    Within a tenant scope, queries select `withheld_value` instead of the column.
    """

    withheld_value: Any

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """Return the column, or a placeholder if the role cannot read it."""
        scope = current_scope()
        if scope is not None and scope.role == APP:
            return "%s", [self.withheld_value]
        return sql, params


class PlatformRightField(WithheldMixin, models.BooleanField):  # type: ignore[type-arg]
    """Right on the platform. It is false for tenant roles."""

    withheld_value = False


class PasswordHashField(models.CharField):  # type: ignore[type-arg]
    """Password hash that no role of the application can read.

    Queries select a placeholder instead of the column. `accounts.passwords` checks and sets passwords.
    """

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """Return the placeholder."""
        return "%s", [UNREADABLE_HASH]

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Return the value to store.

        Raises:
            ValueError: The user was loaded, so the value is a placeholder.
        """
        if not is_readable(value):
            raise ValueError(
                "A copy of a user has no password hash. Call set_password() or set_unusable_password()."
            )
        return super().get_db_prep_save(value, connection)


def is_readable(value: str) -> bool:
    """Return whether the value is a hash, and not the placeholder of a loaded user."""
    return not value.startswith(UNREADABLE_HASH)
