"""Manager of people."""

from typing import Any

from django.contrib.auth.base_user import BaseUserManager

from tenants.managers import HouseQuerySet


class UserManager(BaseUserManager.from_queryset(HouseQuerySet)):  # type: ignore[misc]
    """Makes people; e-mail addresses are compared without case."""

    def get_by_natural_key(self, username: str | None) -> Any:
        return self.get(email=(username or "").strip().lower())

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> Any:
        """A person who may sign in.

        Raises:
            ValueError: without an e-mail address.
        """
        if not email:
            raise ValueError("a person needs an e-mail address")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> Any:
        """Platform staff with every right."""
        return self.create_user(
            email, password, is_staff=True, is_superuser=True, is_verified=True, status="active", **fields
        )
