"""Database roles: logins of processes, and the roles that transactions switch to.

A login inherits almost no privileges. Each transaction switches to one role with SET LOCAL ROLE, which requires
membership. All SQL here is idempotent, repairs drift and must run as superuser.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Mapping

from config.postgres.logins import OWNER, PLATFORM, PUBLIC, TENANT, TEST, WEB, WORKER

APP = "conclave_app"
IDENTITY = "conclave_identity"
OPERATOR = "conclave_operator"
READER = "conclave_reader"
QUEUE = "conclave_queue"
AUDIT = "conclave_audit"
SCOPE = "conclave_scope"

ROLES = (APP, IDENTITY, OPERATOR, READER, QUEUE, AUDIT, SCOPE)
LOGINS = (OWNER, WEB, WORKER, PUBLIC, TENANT, PLATFORM)

# login -> role -> whether the login inherits its privileges without SET ROLE. Other roles are not granted.
MEMBERSHIPS: dict[str, dict[str, bool]] = {
    OWNER: {
        AUDIT: True,
        APP: False,
        IDENTITY: False,
        OPERATOR: False,
        READER: False,
        QUEUE: False,
        SCOPE: False,
    },
    WEB: {IDENTITY: True},
    WORKER: {IDENTITY: True, QUEUE: True},
    PUBLIC: {IDENTITY: True},
    TENANT: {APP: False, READER: False},
    PLATFORM: {OPERATOR: False},
}
TEST_MEMBERSHIPS = MEMBERSHIPS[WEB] | MEMBERSHIPS[TENANT] | MEMBERSHIPS[PLATFORM]

# Limits for serving processes: lost clients, lock queues and runaway queries.
REQUEST_TIMEOUTS = {
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "300s",
}
TIMEOUTS: dict[str, dict[str, str]] = {
    **dict.fromkeys((WEB, PUBLIC, TENANT, PLATFORM, TEST), REQUEST_TIMEOUTS),
    WORKER: {"lock_timeout": "60s", "idle_in_transaction_session_timeout": "900s"},
}

# Planner settings of every login. Partition pruning uses bounds; `constraint_exclusion` would also compare each
# partition's checks with each filter, which finds nothing more and took a quarter of the planning time. Partitionwise
# aggregates count within each partition instead of passing all rows to the Append node.
PLANNING = {"constraint_exclusion": "off", "enable_partitionwise_aggregate": "on"}
# Serving processes prepare statements that repeat with different ids (`prepared_cursor`). PostgreSQL would replan those
# on partitioned tables each time: the cost of a generic plan includes partitions that are pruned only at run time.
PREPARED_PLANS = {"plan_cache_mode": "force_generic_plan"}
# Jobs share the scopes' logins with requests. Each of the worker's transactions replaces their limits.
WORKER_TRANSACTION = {**TIMEOUTS[WORKER], "statement_timeout": "0", "plan_cache_mode": "auto"}

BASE_ATTRIBUTES = "NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION NOINHERIT"

# Runs a script in a database as superuser and returns its rows as text: (database, sql) -> rows.
SQLRunner = Callable[[str, str], str]


def scram_verifier(password: str, *, salt: bytes | None = None, iterations: int = 4096) -> str:
    """Return the SCRAM-SHA-256 verifier (RFC 5802) in PostgreSQL's format.

    It is sent instead of the password.

    Raises:
        ValueError: the password is not printable ASCII and would need SASLprep (RFC 4013).
    """
    if not (password.isascii() and password.isprintable() and password):
        raise ValueError("database passwords must be printable ASCII")
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"


def _role_sql(name: str, attributes: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}')"
        f" THEN CREATE ROLE {name}; END IF; END $$;\n"
        f"ALTER ROLE {name} WITH {BASE_ATTRIBUTES} {attributes};"
    )


def _login_sql(name: str, password: str | None) -> str:
    create = "CREATEDB" if name == OWNER else "NOCREATEDB"
    secret = f" PASSWORD '{scram_verifier(password)}'" if password else ""
    lines = [_role_sql(name, f"LOGIN {create}{secret}")]
    kept = {} if name in (OWNER, WORKER) else PREPARED_PLANS
    wanted = TIMEOUTS.get(name, {}) | PLANNING | kept
    lines += [f"ALTER ROLE {name} SET {key} = '{value}';" for key, value in wanted.items()]
    return "\n".join(lines)


def _grant_sql(login: str, role: str, inherit: bool) -> str:
    return f"GRANT {role} TO {login} WITH INHERIT {str(inherit).upper()}, SET TRUE, ADMIN FALSE;"


def _membership_sql() -> str:
    pairs = [
        (login, role, inherit)
        for login, granted_roles in MEMBERSHIPS.items()
        for role, inherit in granted_roles.items()
    ]
    wanted = ", ".join(f"('{role}', '{login}')" for login, role, _ in pairs)
    ours = ", ".join(f"'{name}'" for name in (*ROLES, *LOGINS))
    strip = f"""
DO $$ DECLARE m record; BEGIN
  FOR m IN SELECT r.rolname AS role, u.rolname AS login, g.rolname AS grantor FROM pg_auth_members a
      JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles u ON u.oid = a.member
      JOIN pg_roles g ON g.oid = a.grantor
    WHERE r.rolname IN ({ours}) AND u.rolname IN ({ours}) AND (r.rolname, u.rolname) NOT IN ({wanted})
  LOOP EXECUTE format('REVOKE %I FROM %I GRANTED BY %I CASCADE', m.role, m.login, m.grantor); END LOOP;
END $$;"""
    return "\n".join([strip.strip(), *(_grant_sql(*pair) for pair in pairs)])


def test_login_sql(password: str) -> str:
    """Return SQL that creates the login of the tests.

    It can use the roles of all scopes.
    """
    grants = [_grant_sql(TEST, role, inherit) for role, inherit in TEST_MEMBERSHIPS.items()]
    return "\n".join([_login_sql(TEST, password), *grants]) + "\n"


def cluster_sql(passwords: Mapping[str, str]) -> str:
    """Return SQL that creates roles and memberships. Logins missing from `passwords` keep their password."""
    parts = [_role_sql(role, "NOLOGIN NOCREATEDB PASSWORD NULL") for role in ROLES]
    parts += [_login_sql(login, passwords.get(login)) for login in LOGINS]
    if TEST in passwords:
        parts.append(test_login_sql(passwords[TEST]))
    return "\n".join([*parts, _membership_sql()]) + "\n"


# Why LEAKPROOF, and its risk. Under row-level security PostgreSQL evaluates a filter before the policy only if its
# function is leakproof. `@@` is not marked so: without the mark its GIN index is not used, and a full-text query reads
# every row of the tenant (22 ms instead of 0.7 ms). The mark promises that ts_match_vq neither raises an error nor
# emits a notice that depends on the row. It walks a valid tsvector and tsquery in C; its only errors (stack depth,
# cancellation, memory) depend on the query, which the caller wrote. A timing channel remains: an index scan may take
# longer because other tenants use the same word. No rows, counts or texts are revealed. We accept that for the
# embedded server. For other servers `manage.py doctor` recommends it, and search works without it.
LEAKPROOF_SQL = """
DO $$ BEGIN
  ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'ts_match_vq stays without LEAKPROOF: full-text search works, more slowly';
END $$;
"""


# In a schema that no login of Conclave may use, because it shows statements of all tenants.
STATEMENT_STATISTICS_SQL = """
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') THEN
    CREATE SCHEMA IF NOT EXISTS monitoring;
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA monitoring;
    GRANT USAGE ON SCHEMA monitoring TO pg_monitor;
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'no pg_stat_statements: creating it needs a superuser';
END $$;
"""


def database_sql() -> str:
    """Return SQL to run as superuser in each database, and in template1 for test databases."""
    return (
        "CREATE EXTENSION IF NOT EXISTS vector;\n"
        "ALTER SCHEMA public OWNER TO pg_database_owner;\n"
        + LEAKPROOF_SQL.lstrip()
        + STATEMENT_STATISTICS_SQL.lstrip()
    )


def grants_sql(database: str) -> str:
    """Return SQL for privileges on `database`. Bulk loads need TEMPORARY for their temporary tables."""
    name = quote_identifier(database)
    return (
        f"ALTER DATABASE {name} OWNER TO {OWNER};\n"
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;\n"
        f"GRANT CONNECT ON DATABASE {name} TO {', '.join(LOGINS)};\n"
        f"GRANT TEMPORARY ON DATABASE {name} TO {APP}, {OPERATOR}, {QUEUE};\n"
    )


def quote_identifier(name: str) -> str:
    """Quote `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def create_database_sql(database: str) -> str:
    """Return SQL that creates the database, owned by the schema owner."""
    return f"CREATE DATABASE {quote_identifier(database)} OWNER {OWNER}"


def _exists_sql(database: str) -> str:
    literal = database.replace("'", "''")
    return f"SELECT 1 FROM pg_database WHERE datname = '{literal}'"


def bootstrap_sql(passwords: Mapping[str, str], database: str = "conclave") -> str:
    """Return the complete bootstrap as a script for `psql`, to be run by a superuser."""
    create = create_database_sql(database).replace("'", "''")
    return "\n".join(
        [
            "\\set ON_ERROR_STOP on",
            "\\connect postgres",
            cluster_sql(passwords),
            "\\connect template1",
            database_sql(),
            "\\connect postgres",
            f"SELECT '{create}' WHERE NOT EXISTS ({_exists_sql(database)}) \\gexec",
            f"\\connect {quote_identifier(database)}",
            database_sql(),
            grants_sql(database),
        ]
    )


def bootstrap(run: SQLRunner, passwords: Mapping[str, str], database: str = "conclave") -> None:
    """Create roles, extension and database through `run`. Idempotent."""
    run("postgres", cluster_sql(passwords))
    run("template1", database_sql())
    if not run("postgres", _exists_sql(database)).strip():
        run("postgres", create_database_sql(database))
    run(database, database_sql() + grants_sql(database))
