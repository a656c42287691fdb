"""Snapshots of databases of released versions, for tests of upgrades.

python -m config.testing.upgrade VERSION

The command writes `config/tests/snapshots/VERSION.sql.gz`: a dump of two tenants with a row of every model, written by
the code of that version. Run it with the last commit of the version. `VERSION.json` contains the number of rows of each
table and the credentials of one person, which are valid with the test settings only.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from config.postgres.cluster import PORT, SUPERUSER, default_cluster, run_sql
from config.postgres.logins import OWNER

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "snapshots"
PASSWORD = "a long test password"
COUNTED_SQL = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
  AND NOT relispartition ORDER BY relname"""


def count_rows(database: str) -> dict[str, int]:
    """Return the number of rows of each table, counted as the superuser."""
    cluster = default_cluster()
    names = run_sql(cluster, COUNTED_SQL, database).split()
    script = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM public.\"{name}\"" for name in names)
    lines = (line.split("|") for line in run_sql(cluster, script, database).splitlines())
    return {name: int(count) for name, count in lines}


def write_snapshot(version: str) -> None:
    """Write the snapshot of a new database with test data."""
    from config.postgres.binaries import binary_path, run_program
    from config.testing.isolation.fixtures import create_attack_fixture, temporary_database

    with temporary_database() as name:
        fixture = create_attack_fixture(tenants=2)
        person = _create_person(fixture.tenants[0])
        cluster = default_cluster()
        command = [
            binary_path("pg_dump"),
            "-h",
            str(cluster.socket_dir),
            "-p",
            str(PORT),
            "-U",
            SUPERUSER,
            name,
        ]
        dump = run_program(command, f"dump of {name}")
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{version}.sql.gz").write_bytes(gzip.compress(dump.encode(), mtime=0))
        described = {"person": person, "rows": count_rows(name)}
        (FOLDER / f"{version}.json").write_text(json.dumps(described, indent=1) + "\n")


def _create_person(tenant_id: str) -> dict[str, str]:
    """Create an administrator with a password, a session and an API key, and return the credentials."""
    from allauth.account.models import EmailAddress
    from django.test import Client

    from config.tenancy.scope import tenant_scope
    from config.testing.factories import factory_for

    user: Any = factory_for("accounts.User")(email="person@example.com")
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    with tenant_scope(tenant_id, user=user):
        factory_for("accounts.Membership")(user=user, role="admin")
        key: Any = factory_for("accounts.ApiKey")(user=user)
        conversation: Any = factory_for("conversations.Conversation")(user=user)
    client = Client()
    client.force_login(user)
    return {
        "email": user.email,
        "password": PASSWORD,
        "session": client.cookies["sessionid"].value,
        "api_key": key.secret,
        "conversation": str(conversation.pk),
    }


@contextmanager
def restored_snapshot(version: str) -> Iterator[dict[str, Any]]:
    """Restore a snapshot into a temporary database, connect to it, and return its description."""
    from django.conf import settings
    from django.db import connection

    from config.testing.database import restrict_database

    cluster, before = default_cluster(), connection.settings_dict["NAME"]
    name = f"upgrade_{uuid4().hex[:12]}"
    run_sql(cluster, f"CREATE DATABASE {name} OWNER {OWNER}", "postgres")
    try:
        # Materialised views are refreshed as their owner, for whom `row_security = off` would be an error.
        dump = gzip.decompress((FOLDER / f"{version}.sql.gz").read_bytes()).decode()
        run_sql(cluster, dump.replace("SET row_security = off;", ""), name)
        restrict_database(name)
        # The session in the snapshot would expire two weeks after the snapshot was written.
        run_sql(cluster, "UPDATE django_session SET expire_date = now() + interval '1 day'", name)
        connection.close()
        connection.settings_dict["NAME"] = name
        yield json.loads((FOLDER / f"{version}.json").read_text())
    finally:
        connection.close()
        connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = before
        run_sql(cluster, f"DROP DATABASE {name} WITH (FORCE)", "postgres")


if __name__ == "__main__":
    import os

    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    django.setup()
    write_snapshot(sys.argv[1])
