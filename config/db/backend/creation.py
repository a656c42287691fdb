"""Create and migrate test databases as the schema owner. Tests run as the login role."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import creation
from django.utils import timezone

TEMPLATE_PREFIX = "template_conclave_"
MAX_TEMPLATES = 4
# Directories that no migration reads.
EXCLUDED_FOLDERS = {"tests", "testing", "benchmarks", "var", "docs", "staticfiles", "node_modules"}


class DatabaseCreation(creation.DatabaseCreation):
    """Test database creation with the owner's credentials.

    Migrating from empty takes half a minute of CPU. So a template database is migrated once per state of the source
    files, and each test database is a copy of it. `migrate` still runs on the copy and finds nothing to do.
    """

    @contextmanager
    def _as_owner(self) -> Iterator[None]:
        owner = settings.DATABASE_OWNER
        changed = {key: owner[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "LOGINS")}
        before = {key: self.connection.settings_dict[key] for key in changed}
        self.connection.close()
        self.connection.settings_dict.update(changed)
        try:
            yield
        finally:
            self.connection.close()
            self.connection.settings_dict.update(before)

    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        test = self.connection.settings_dict["TEST"]
        with self._as_owner():
            reused = kwargs.get("keepdb") and self._exists(self._get_test_db_name())  # type: ignore[attr-defined]
            test["TEMPLATE"] = None if reused else self._template()
            return super().create_test_db(*args, **kwargs)

    def destroy_test_db(self, *args: Any, **kwargs: Any) -> None:
        with self._as_owner():
            super().destroy_test_db(*args, **kwargs)

    def clone_test_db(self, *args: Any, **kwargs: Any) -> None:
        with self._as_owner():
            super().clone_test_db(*args, **kwargs)

    # -- the database that is copied ------------------------------------------------------------------------

    def _template(self) -> str:
        """Return the name of the migrated template database, creating it if necessary."""
        name = TEMPLATE_PREFIX + _digest(Path(settings.BASE_DIR))
        with self._nodb_cursor() as cursor:  # type: ignore[attr-defined]
            # Parallel test processes start together: the first creates the template, the others wait.
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [TEMPLATE_PREFIX])
            if not self._exists(name):
                self._make_template(f"{name}_half")
                cursor.execute(f'ALTER DATABASE "{name}_half" RENAME TO "{name}"')
                self._drop_old_templates(cursor)
        return name

    def _make_template(self, name: str) -> None:
        named = self.connection.settings_dict
        before, test = named["NAME"], named["TEST"]["NAME"]
        named["TEST"].update(NAME=name, TEMPLATE=None)
        try:
            super().create_test_db(verbosity=0, autoclobber=True, serialize=False)
        finally:
            self.connection.close()
            named["TEST"]["NAME"] = test
            settings.DATABASES[self.connection.alias]["NAME"] = named["NAME"] = before

    def _exists(self, name: str) -> bool:
        with self._nodb_cursor() as cursor:  # type: ignore[attr-defined]
            return bool(self._database_exists(cursor, name))  # type: ignore[attr-defined]

    def _drop_old_templates(self, cursor: Any) -> None:
        cursor.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY oid DESC OFFSET %s",
            [TEMPLATE_PREFIX, MAX_TEMPLATES],
        )
        for (old,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE IF EXISTS "{old}"')


def _digest(folder: Path) -> str:
    """Return a digest of all inputs of the migrations.

    Those are the source files, the package versions, and the month, which determines the partitions.
    """
    files = [folder / "requirements.txt"]
    for app in sorted(path for path in folder.iterdir() if (path / "__init__.py").exists()):
        files += sorted(path for path in app.rglob("*.py") if not EXCLUDED_FOLDERS & set(path.parts[-3:-1]))
        files += sorted(app.rglob("*.sql"))
    found = hashlib.sha256(f"{timezone.now():%Y-%m}".encode())
    for path in files:
        found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
