"""Test databases are made and migrated by the schema's owner; the tests then run as the login role."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import creation
from django.utils import timezone

TEMPLATE_PREFIX = "template_conclave_"
TEMPLATES_KEPT = 4
# What no migration reads.
LEFT_OUT = {"tests", "testing", "benchmarks", "var", "docs", "staticfiles", "node_modules"}


class DatabaseCreation(creation.DatabaseCreation):
    """Django's test database creation under the owner's credentials.

    Migrating from empty takes half a minute of CPU, so it is done once for each state of the sources; every test
    database is a copy of that one. `migrate` still runs over the copy, where it finds nothing to do.
    """

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
        """The name of a migrated database that nobody is connected to; made when there is none."""
        name = TEMPLATE_PREFIX + _digest(Path(settings.BASE_DIR))
        with self._nodb_cursor() as cursor:  # type: ignore[attr-defined]
            # Processes of one run come at the same time: the first makes it, the others wait.
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
            [TEMPLATE_PREFIX, TEMPLATES_KEPT],
        )
        for (old,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE IF EXISTS "{old}"')


def _digest(folder: Path) -> str:
    """Of every source that a migration may read, the packages' versions, and the month, which partitions have."""
    files = [folder / "requirements.txt"]
    for app in sorted(path for path in folder.iterdir() if (path / "__init__.py").exists()):
        files += sorted(path for path in app.rglob("*.py") if not LEFT_OUT & set(path.parts[-3:-1]))
        files += sorted(app.rglob("*.sql"))
    found = hashlib.sha256(f"{timezone.now():%Y-%m}".encode())
    for path in files:
        found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
