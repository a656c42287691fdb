"""Test databases are made and migrated by the schema's owner; the tests then run as the login role."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import creation


class DatabaseCreation(creation.DatabaseCreation):
    """Django's test database creation under the owner's credentials."""

    @contextmanager
    def _as_owner(self) -> Iterator[None]:
        owner = settings.DATABASE_OWNER
        changed = {key: owner[key] for key in ("USER", "PASSWORD", "HOST", "PORT")}
        before = {key: self.connection.settings_dict[key] for key in changed}
        self.connection.close()
        self.connection.settings_dict.update(changed)
        try:
            yield
        finally:
            self.connection.close()
            self.connection.settings_dict.update(before)

    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        with self._as_owner():
            return super().create_test_db(*args, **kwargs)

    def destroy_test_db(self, *args: Any, **kwargs: Any) -> None:
        with self._as_owner():
            super().destroy_test_db(*args, **kwargs)

    def clone_test_db(self, *args: Any, **kwargs: Any) -> None:
        with self._as_owner():
            super().clone_test_db(*args, **kwargs)
