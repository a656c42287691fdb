"""Fields that tenant roles cannot read."""

from typing import Any

from django.db import models

from config.db.session import APP, current_scope

# Placeholder for roles that cannot read the hash. No hasher accepts it.
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


class PasswordHashField(WithheldMixin, models.CharField):  # type: ignore[type-arg]
    """Password hash. Sign-in reads it with the identity role."""

    withheld_value = UNREADABLE_HASH

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
