"""Checks of the database and its server, run by `manage.py doctor`."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import compress
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import ConnectionHandler, Error

from config.db import partitions, roles
from config.db.scope_proofs import LIFETIME_SECONDS, accepted_keys
from config.encryption import keyring

OLDEST_SERVER = 170000
OLDEST_VECTOR = (0, 8)
STALLED_SECONDS = 60
WAITING_MINUTES = 15
RISKY_ATTRIBUTES = ("SUPERUSER", "BYPASSRLS", "CREATEROLE", "REPLICATION")


class Level(StrEnum):
    """Severity of a finding. Only FAIL makes the command fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class CheckResult:
    """One line of the report. `hint` says how to fix the problem."""

    level: Level
    subject: str
    text: str
    hint: str = ""


passed = partial(CheckResult, Level.OK)
warned = partial(CheckResult, Level.WARN)
failed = partial(CheckResult, Level.FAIL)
APPLY_ROLES = "run `manage.py db_roles --apply` as superuser (the embedded server: restart it)"
CheckFunction = Callable[[BaseDatabaseWrapper], Iterator[CheckResult]]


def owner_connection() -> BaseDatabaseWrapper:
    """Return a connection to the default database as the schema owner."""
    fields = {**settings.DATABASE_OWNER, "NAME": connection.settings_dict["NAME"]}
    return ConnectionHandler({"default": fields})["default"]


def fetch_rows(database: BaseDatabaseWrapper, sql: str, params: list[Any] | None = None) -> list[Any]:
    """Run a query and return all rows."""
    with database.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def check_server(database: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check the server's version and that committed writes are durable."""
    number, version = fetch_rows(
        database, "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    )[0]
    if number < OLDEST_SERVER:
        yield failed("server", f"PostgreSQL {version}", "upgrade to PostgreSQL 17 or newer")
    else:
        yield passed("server", f"PostgreSQL {version}")
    wanted = ["fsync", "full_page_writes", "synchronous_commit"]
    off = fetch_rows(
        database, "SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off'", [wanted]
    )
    for (name,) in off:
        yield failed("durability", f"{name} is off", "a crash would lose acknowledged writes")
    if not off:
        yield passed("durability", "acknowledged writes survive a crash")


def check_extensions(database: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check pgvector, and that full-text search can use its index under row-level security."""
    found = fetch_rows(database, "SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    version = found[0][0] if found else "missing"
    if not found or tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VECTOR:
        yield failed("pgvector", version, f"0.8 or newer is needed: {APPLY_ROLES}")
    else:
        yield passed("pgvector", version)
    sql = "SELECT proleakproof FROM pg_proc WHERE oid = 'ts_match_vq(tsvector, tsquery)'::regprocedure"
    if fetch_rows(database, sql)[0][0]:
        yield passed("full text", "uses its index under row-level security")
    else:
        hint = f"search works, some 30 times slower for large tenants: {APPLY_ROLES}"
        yield warned("full text", "ts_match_vq is not LEAKPROOF", hint)


def check_roles(database: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check that no role bypasses the policies and that memberships are as declared."""
    names = [*roles.LOGINS, *roles.ROLES]
    sql = (
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolreplication FROM pg_roles"
        " WHERE rolname = ANY(%s) OR rolname IN (current_user, session_user, %s)"
    )
    found = {row[0]: row[1:] for row in fetch_rows(database, sql, [names, connection.settings_dict["USER"]])}
    missing = [name for name in names if name not in found]
    risky = [
        f"{name} has {flag}" for name, flags in found.items() for flag in compress(RISKY_ATTRIBUTES, flags)
    ]
    for name in missing:
        yield failed("roles", f"{name} is missing", APPLY_ROLES)
    for text in risky:
        yield failed("roles", text, f"isolation is void: {APPLY_ROLES}")
    if not missing and not risky:
        yield passed("roles", f"{len(found)} roles, none bypasses the policies")
    yield from _check_memberships(database)


def _check_memberships(database: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    sql = (
        "SELECT m.rolname, r.rolname, bool_or(a.inherit_option), bool_or(a.set_option) FROM pg_auth_members a"
        " JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member"
        " WHERE m.rolname = ANY(%s) GROUP BY 1, 2"
    )
    actual = set(fetch_rows(database, sql, [[*roles.LOGINS, *roles.ROLES]]))
    wanted = {
        (login, role, inherit, True)
        for login, granted_roles in roles.MEMBERSHIPS.items()
        for role, inherit in granted_roles.items()
    }
    for login, role, inherit, may_set in sorted(actual - wanted):
        how = f"inherit {inherit}, set {may_set}"
        yield failed("memberships", f"{login} is a member of {role} ({how})", APPLY_ROLES)
    for login, role, inherit, _ in sorted(wanted - actual):
        yield failed("memberships", f"{login} should be in {role} (inherit {inherit})", APPLY_ROLES)
    if actual == wanted:
        yield passed("memberships", f"{len(wanted)} memberships as declared")


def check_logins(_: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check that the logins of tenant and platform scopes can connect."""
    own: dict[str, Any] = settings.DATABASES["default"]
    options = {name: value for name, value in own["OPTIONS"].items() if name != "pool"}
    for login, fields in own["LOGINS"].items():
        changed = {"LOGINS": {}, "OPTIONS": options, "NAME": connection.settings_dict["NAME"]}
        database = ConnectionHandler({"default": {**own, **fields, **changed}})["default"]
        try:
            actual = fetch_rows(database, "SELECT session_user::text")[0][0]
        except Error as error:
            hint = f"set the password of {login} or its URL: see docs/how-to/external-database.md"
            yield failed("logins", f"{login}: {str(error).strip().splitlines()[0]}", hint)
            continue
        finally:
            database.close()
        if actual == login:
            yield passed("logins", f"{login} connects")
        else:
            yield failed(
                "logins", f"the connection of {login} logs in as {actual}", f"change the URL of {login}"
            )


def check_row_security(database: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check that every tenant-scoped table and partition has forced row-level security."""
    sql = """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
          AND c.relnamespace = 'public'::regnamespace ORDER BY 1"""
    found = fetch_rows(database, sql)
    bare = [name for name, *truths in found if not all(truths)]
    for name in bare:
        hint = "run `manage.py migrate`; until then the table is open to every tenant"
        yield failed("row security", f"{name} is not protected", hint)
    if not bare:
        yield passed("row security", f"enabled and forced on {len(found)} tables and partitions")


def check_partitions(_: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check that partitions exist for the coming periods."""
    hint = "run `manage.py partitions`, and make sure that a worker is running: it creates them in time"
    for model in partitions.partitioned_models():
        label, ahead = model._meta.label_lower, partitions.periods_ahead(model)
        level = Level.OK if ahead >= settings.PARTITIONS_AHEAD else Level.WARN if ahead else Level.FAIL
        yield CheckResult(level, "partitions", f"{label}: {ahead} ahead", "" if level is Level.OK else hint)


def check_keys(_: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check that the key-encryption keys are readable, without showing them."""
    try:
        known = keyring.keks()
    except (keyring.KeyringError, OSError) as error:
        yield failed("keys", str(error), "set CONCLAVE_KEKS, or restore the key file: see .env.example")
    else:
        yield passed("keys", f"{len(known)} key-encryption keys readable, {next(iter(known))} is current")


def check_scope_proofs(_: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check that the database accepts proofs of this process and clocks agree."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT conclave_identity_scope(), extract(epoch FROM clock_timestamp())::float")
            proved, moment = cursor.fetchone()
    except (Error, ImproperlyConfigured) as error:
        text, proved, moment = str(error).strip().splitlines()[0], False, time.time()
    else:
        text = "the database knows no scope"
    skew = abs(moment - time.time())
    if not proved:
        yield failed(
            "scope proofs", text, "run `manage.py migrate` with the CONCLAVE_SCOPE_KEYS of all processes"
        )
    elif skew > LIFETIME_SECONDS / 2:
        yield failed(
            "scope proofs", f"the database's clock differs by {skew:.0f} s", "synchronise the clocks"
        )
    else:
        yield passed(
            "scope proofs", f"accepted; {len(accepted_keys())} keys, the clocks differ by {skew:.1f} s"
        )


def check_migrations(database: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check that all migrations are applied."""
    executor = MigrationExecutor(database)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        names = ", ".join(str(migration) for migration, _ in waiting[:3])
        yield failed("schema", f"{len(waiting)} unapplied migrations: {names}", "run `manage.py migrate`")
    else:
        yield passed("schema", "up to date")


JOBS_SQL = """
    SELECT
      (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)),
      (SELECT count(*) FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
        WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %s))),
      (SELECT count(*) FROM procrastinate_jobs j WHERE j.status = 'todo' AND now() - make_interval(mins => %s)
        > coalesce(j.scheduled_at, (SELECT min(at) FROM procrastinate_events e WHERE e.job_id = j.id)))"""


def check_worker(database: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Check for live workers, stalled jobs and long queues."""
    lag = [STALLED_SECONDS, STALLED_SECONDS, WAITING_MINUTES]
    alive, stalled, waiting = fetch_rows(database, JOBS_SQL, lag)[0]
    level = Level.OK if alive else Level.WARN
    yield CheckResult(level, "worker", f"{alive} alive", "" if alive else "start `manage.py worker`")
    if stalled:
        yield warned("jobs", f"{stalled} stalled", "a living worker takes them up within minutes")
    if waiting:
        hint = "start more workers, or one for this queue"
        yield warned("jobs", f"{waiting} queued for more than {WAITING_MINUTES} minutes", hint)


CHECKS: tuple[CheckFunction, ...] = (
    check_server,
    check_extensions,
    check_roles,
    check_logins,
    check_row_security,
    check_migrations,
    check_partitions,
    check_keys,
    check_scope_proofs,
    check_worker,
)


def run_checks(database: BaseDatabaseWrapper) -> Iterator[CheckResult]:
    """Run all checks and yield their findings. A check that raises is a failure."""
    for check in CHECKS:
        try:
            yield from check(database)
        except Error as error:
            subject = check.__name__.removeprefix("check_").replace("_", " ")
            yield failed(subject, str(error).strip().splitlines()[0], "could not be checked")
