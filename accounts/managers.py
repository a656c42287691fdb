"""Manager of users."""

from typing import Any

from django.contrib.auth.base_user import BaseUserManager

from config.tenancy.managers import ScopedQuerySet
from config.tenancy.scope import platform_scope


class UserManager(BaseUserManager.from_queryset(ScopedQuerySet)):  # type: ignore[misc]
    """Manager of users with case-insensitive e-mail addresses."""

    def get_by_natural_key(self, username: str | None) -> Any:
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Any:
        """Create a user who can sign in.

        Raises:
            ValueError: The e-mail address is empty.
        """
        if not email:
            raise ValueError("The e-mail address is required.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> Any:
        """Create a superuser: platform staff with all permissions.

        Call it outside any scope.
        """
        rights = {"is_staff": True, "is_superuser": True}
        with platform_scope(reason="create a superuser"):
            return self.create_user(email, password, is_verified=True, status="active", **rights, **fields)
