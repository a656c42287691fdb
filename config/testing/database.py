"""Database connections for tests: other logins, the superuser, and cleanup as the owner."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from config.db import roles
from config.postgres.cluster import connection_settings, default_cluster, ensure_running, run_sql
from config.postgres.logins import OWNER, TEST

PRESERVED_TABLES = frozenset(
    {"django_migrations", "django_content_type", "auth_permission", "conclave_scope_key"}
)


def connection_parameters(login: str, database: str = "") -> dict[str, Any]:
    """Return psycopg's connection arguments for `login` on the test database."""
    from config.settings.databases import login_settings

    fields = login_settings(login)
    return {
        "dbname": database or connection.settings_dict["NAME"],
        "user": fields["USER"],
        "password": fields["PASSWORD"],
        "host": fields["HOST"],
        "port": fields["PORT"],
    }


def connect(login: str = TEST, *, database: str = "", **options: Any) -> psycopg.Connection[Any]:
    """Open a connection as `login`, in autocommit mode by default."""
    return psycopg.connect(**connection_parameters(login, database), **({"autocommit": True} | options))


def as_superuser(script: str, database: str = "") -> str:
    """Run `script` as the embedded server's superuser and return its rows as text."""
    return run_sql(default_cluster(), script, database or connection.settings_dict["NAME"])


def has_superuser() -> bool:
    """Return whether tests can act as a superuser: only on the embedded server."""
    return not os.environ.get("DATABASE_URL") and str(settings.DATABASES["default"]["HOST"]).startswith("/")


def create_test_login() -> None:
    """Create the login of the tests on the embedded server.

    Elsewhere, `manage.py db_roles` creates it.
    """
    if has_superuser():
        cluster = default_cluster()
        ensure_running(cluster)
        create = roles.test_login_sql(connection_settings(cluster, TEST)["PASSWORD"])
        # Parallel test processes start together, and PostgreSQL rejects concurrent changes of a role.
        lock = "SELECT pg_advisory_xact_lock(hashtext('conclave_test'));"
        run_sql(cluster, f"BEGIN;\n{lock}\n{create}\nCOMMIT;\n", "postgres")


def restrict_database(name: str) -> None:
    """Revoke the default privileges of PUBLIC, as `config.db.roles` does in production."""
    database = sql.Identifier(name)
    with connect(OWNER, database=name) as owner:
        owner.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        present = owner.execute("SELECT rolname FROM pg_roles WHERE rolname = %s", [TEST]).fetchall()
        for login in (*roles.LOGINS, *(name for (name,) in present)):
            grantee = sql.Identifier(login)
            owner.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, grantee))
        for role in ("conclave_app", "conclave_operator", "conclave_queue"):
            grantee = sql.Identifier(role)
            owner.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, grantee))


def wait_until_closed(seconds: float = 120) -> None:
    """Wait until no older transaction overlaps those of the audit log.

    A seal covers only such rows. Tests on other databases of the cluster share its transaction ids.
    """
    until = time.monotonic() + seconds
    with connect(OWNER) as owner:
        while time.monotonic() < until:
            row = owner.execute(
                "SELECT coalesce(max(xid) < pg_snapshot_xmin(pg_current_snapshot()), true) FROM audit_auditlog"
            ).fetchone()
            if row and row[0]:
                return
            time.sleep(0.05)
    raise TimeoutError("another transaction of the cluster is still open")


# The locks wait for transactions of other threads: a DELETE would not see their rows.
DELETE_ROWS = """
SET session_replication_role = replica;
DO $$
DECLARE
  filled regclass[] := ARRAY(
    SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
      AND relname NOT IN ({preserved}) AND pg_relation_size(oid) > 0 ORDER BY oid);
  each regclass;
BEGIN
  FOREACH each IN ARRAY filled LOOP EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', each); END LOOP;
  FOREACH each IN ARRAY filled LOOP EXECUTE format('DELETE FROM %s', each); END LOOP;
END $$;
"""


def empty_tables() -> None:
    """Delete the rows of all tables.

    The superuser deletes the few rows in a fraction of the time that truncating every table takes. Elsewhere the owner
    truncates the tables, with the append-only triggers disabled.
    """
    connection.close()
    if has_superuser():
        preserved = ", ".join(f"'{name}'" for name in sorted(PRESERVED_TABLES))
        as_superuser(DELETE_ROWS.format(preserved=preserved))
    else:
        _truncate_tables()


def _truncate_tables() -> None:
    with connect(OWNER) as owner, owner.transaction():
        rows = owner.execute(
            "SELECT relname, pg_get_userbyid(relowner) FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
        ).fetchall()
        tables = [name for name, _ in rows if name not in PRESERVED_TABLES]
        guarded = [name for name, owned_by in rows if owned_by != OWNER and name in tables]
        _switch_triggers(owner, guarded, "DISABLE")
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        owner.execute(sql.SQL("TRUNCATE {}").format(names))
        _switch_triggers(owner, guarded, "ENABLE")


def _switch_triggers(owner: psycopg.Connection[Any], tables: list[str], verb: str) -> None:
    for table in tables:
        owner.execute(sql.SQL("ALTER TABLE {} {} TRIGGER USER").format(sql.Identifier(table), sql.SQL(verb)))


@contextmanager
def shared_rows(blocker: Any) -> Iterator[None]:
    """Keep the rows that a fixture of a wider scope creates until the block ends.

    Each test runs in a savepoint within the block's transaction and rolls back its own changes only.

    Args:
        blocker: pytest-django's `django_db_blocker`.
    """
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]
    with blocker.unblock(), block:
        yield
        transaction.set_rollback(True)
