"""Mutation tests: break each protection and expect its test to fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from config.db.processes import OWNER, WEB
from config.db.stamps import APP, STAMP_SQL, Stamp
from config.isolation import catalogue
from config.isolation.attacks import ATTACKS
from config.isolation.ground import Ground
from config.isolation.matrix import run_matrix
from config.testing.database import as_superuser, connect, has_superuser

TABLE, POLICY, TRIGGER = "agents_agent", "agents_agent_rls_app_all", "agents_agent_audit"
CHILD, KEY = "conversations_conversation", "conversations_conversation_agent_same"
GROWN = "conversations_message"
REPORT = "agents_usagedaily"
OWN = "tenant_id = (SELECT conclave_current_tenant())"
TENANT_BODY = "nullif(current_setting('app.current_tenant_id', true), '')::uuid"

Proof = Callable[[Ground], list[str]]
Breakage = Callable[[Ground], Any]


@dataclass(frozen=True)
class Sabotage:
    """A broken protection: `proof` must report failures while `break_it` is active."""

    name: str
    break_it: Breakage
    proof: Proof
    needs_superuser: bool = False


@dataclass(frozen=True)
class Outcome:
    """Result of a mutation.

    `caught`: the proof passed before and after the mutation and failed during it.
    """

    name: str
    caught: bool
    what: str


def by_matrix(*tables: str, hat: str = APP) -> Proof:
    """Return a proof that runs every attack on `tables`, for one pair of tenants."""

    def proof(ground: Ground) -> list[str]:
        targets = [ground.target(table) for table in tables]
        report = run_matrix(ground, ATTACKS, ground.pairs(1), targets=targets, hat=hat)
        return [f"{found.attack}: {found.what}" for found in report.findings]

    return proof


def by_catalogue(ground: Ground) -> list[str]:
    """Check row-level security, partition grants and function definitions in the catalog."""
    with connect(OWNER, database=ground.database) as owner:
        query = _query(owner)
        tables = [target.table for target in ground.targets]
        return [
            *catalogue.unprotected_tables(query, tables),
            *catalogue.open_partitions(query),
            *catalogue.context_functions(query),
            *catalogue.loose_definers(query),
        ]


def by_rights(ground: Ground) -> list[str]:
    """Check that no role can TRUNCATE a table or attach triggers."""
    with connect(OWNER, database=ground.database) as owner:
        return catalogue.excess_rights(_query(owner))


def by_audit_log(ground: Ground) -> list[str]:
    """Check that one update as the application role writes one audit row."""
    tenant, target = ground.tenants[0], ground.target(TABLE)
    logged = f"SELECT count(*) FROM audit_auditlog WHERE resource_id = '{ground.row_id(target, tenant)}'"
    with connect(WEB, database=ground.database) as web, web.transaction(force_rollback=True):
        web.execute(STAMP_SQL, Stamp(APP, tenant, actor="system:test").params())
        before = web.execute(logged).fetchone()[0]  # type: ignore[index]
        web.execute(
            "UPDATE agents_agent SET name = name || '!' WHERE id = %s", [ground.row_id(target, tenant)]
        )
        after = web.execute(logged).fetchone()[0]  # type: ignore[index]
    return [] if after == before + 1 else [f"{after - before} audit rows of one update"]


def by_unattributed_write(ground: Ground) -> list[str]:
    """Check that a write without an actor is rejected."""
    tenant, target = ground.tenants[0], ground.target(TABLE)
    with connect(WEB, database=ground.database) as web, web.transaction(force_rollback=True):
        web.execute(STAMP_SQL, Stamp(APP, tenant).params())
        try:
            with web.transaction():
                web.execute(
                    "UPDATE agents_agent SET name = 'x' WHERE id = %s", [ground.row_id(target, tenant)]
                )
        except Exception as error:  # noqa: BLE001 - any error is accepted; the message identifies it
            return [] if "unattributed" in str(error) else [str(error)]
    return ["an unattributed write succeeded"]


def by_shared_connection(stamp_sql: str) -> Proof:
    """Return a proof that a reused connection shows no rows without a scope."""

    def proof(ground: Ground) -> list[str]:
        with connect(WEB, database=ground.database) as web:
            with web.transaction():
                web.execute(stamp_sql, Stamp(APP, ground.tenants[0], actor="system:test").params())
            with web.transaction():
                web.execute("SET LOCAL ROLE conclave_app")
                seen = web.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0]  # type: ignore[index]
        return [f"{seen} rows of the previous request"] if seen else []

    return proof


def _query(connection: Any) -> catalogue.Query:
    return lambda statement: connection.execute(statement).fetchall()


def owner_does(broken: str, mended: str) -> Breakage:
    """Run `broken` as the schema owner, and `mended` after the block."""

    @contextmanager
    def breakage(ground: Ground) -> Iterator[None]:
        with connect(OWNER, database=ground.database) as owner:
            owner.execute(broken)
            try:
                yield
            finally:
                owner.execute(mended)

    return breakage


def _policy(using: str, check: str) -> str:
    return (
        f"DROP POLICY IF EXISTS {POLICY} ON {TABLE};"
        f" CREATE POLICY {POLICY} ON {TABLE} TO conclave_app USING ({using}) WITH CHECK ({check})"
    )


def _tenant_function(volatility: str, body: str = TENANT_BODY) -> str:
    return (
        "CREATE OR REPLACE FUNCTION conclave_current_tenant() RETURNS uuid LANGUAGE sql"
        f" {volatility} PARALLEL SAFE AS $$ SELECT {body} $$"
    )


def _audit_trigger(ground: Ground) -> str:
    with connect(OWNER, database=ground.database) as owner:
        found = owner.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [TRIGGER])
        return found.fetchone()[0]  # type: ignore[index]


@contextmanager
def without_trigger(ground: Ground) -> Iterator[None]:
    """Drop the audit trigger of one table."""
    with owner_does(f"DROP TRIGGER {TRIGGER} ON {TABLE}", _audit_trigger(ground))(ground):
        yield


@contextmanager
def with_granted_partition(ground: Ground) -> Iterator[None]:
    """Grant the application role SELECT on a partition."""
    part = ground.target(GROWN).partitions[0]
    broken = owner_does(
        f"GRANT SELECT ON {part} TO conclave_app", f"REVOKE SELECT ON {part} FROM conclave_app"
    )
    with broken(ground):
        yield


@contextmanager
def with_lax_actor(ground: Ground) -> Iterator[None]:
    """Replace the function that requires an actor with an empty one."""
    with connect(OWNER, database=ground.database) as owner:
        found = owner.execute("SELECT pg_get_functiondef('conclave_require_actor'::regproc)").fetchone()
    lax = (
        "CREATE OR REPLACE FUNCTION conclave_require_actor() RETURNS void LANGUAGE plpgsql STABLE"
        " SET search_path = pg_catalog, pg_temp AS $$ BEGIN END $$"
    )
    with owner_does(lax, found[0])(ground):  # type: ignore[index]
        yield


@contextmanager
def with_plain_key(ground: Ground) -> Iterator[None]:
    """Replace a composite foreign key with a plain one."""
    with connect(OWNER, database=ground.database) as owner:
        found = owner.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [KEY])
        definition = found.fetchone()[0]  # type: ignore[index]
    plain = "ADD CONSTRAINT plain_key FOREIGN KEY (agent_id) REFERENCES agents_agent (id)"
    broken = owner_does(
        f"ALTER TABLE {CHILD} DROP CONSTRAINT {KEY}; ALTER TABLE {CHILD} {plain}",
        f"ALTER TABLE {CHILD} DROP CONSTRAINT plain_key;"
        f" ALTER TABLE {CHILD} ADD CONSTRAINT {KEY} {definition}",
    )
    with broken(ground):
        yield


BYPASSER = f"isolation_bypasser_{token_hex(4)}"


@contextmanager
def with_bypassing_hat(ground: Ground) -> Iterator[None]:
    """Create a role with the application's rights and BYPASSRLS that the login can use."""
    as_superuser(
        f"CREATE ROLE {BYPASSER} NOLOGIN BYPASSRLS; GRANT conclave_app TO {BYPASSER};"
        f" GRANT {BYPASSER} TO {WEB} WITH INHERIT FALSE, SET TRUE",
        ground.database,
    )
    try:
        yield
    finally:
        as_superuser(f"DROP ROLE {BYPASSER}", ground.database)


def bypasser_or_app(ground: Ground) -> list[str]:
    """Run the attacks as the bypassing role if it exists."""
    with connect(WEB, database=ground.database) as web:
        there = web.execute("SELECT FROM pg_roles WHERE rolname = %s", [BYPASSER]).fetchone() is not None
    return by_matrix(TABLE, hat=BYPASSER if there else APP)(ground)


@contextmanager
def session_settings(ground: Ground) -> Iterator[None]:
    """Set the scope for the session instead of the transaction; see `proof_of_stamp`."""
    _stamp["sql"] = STAMP_SQL.replace("true", "false")
    try:
        yield
    finally:
        _stamp["sql"] = STAMP_SQL


_stamp = {"sql": STAMP_SQL}


def proof_of_stamp(ground: Ground) -> list[str]:
    """Run `by_shared_connection` with the current SQL of the scope."""
    return by_shared_connection(_stamp["sql"])(ground)


SABOTAGES = (
    Sabotage(
        "policy dropped",
        owner_does(f"DROP POLICY {POLICY} ON {TABLE}", _policy(OWN, OWN)),
        by_matrix(TABLE),
    ),
    Sabotage("policy USING (true)", owner_does(_policy("true", OWN), _policy(OWN, OWN)), by_matrix(TABLE)),
    Sabotage(
        "policy WITH CHECK (true)", owner_does(_policy(OWN, "true"), _policy(OWN, OWN)), by_matrix(TABLE)
    ),
    Sabotage(
        "further permissive policy",
        owner_does(
            f"CREATE POLICY extra ON {TABLE} FOR SELECT TO PUBLIC USING (deleted_at IS NULL)",
            f"DROP POLICY extra ON {TABLE}",
        ),
        by_matrix(TABLE),
    ),
    Sabotage(
        "row-level security disabled",
        owner_does(
            f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        ),
        by_matrix(TABLE),
    ),
    Sabotage(
        "row-level security not forced on the owner",
        owner_does(
            f"ALTER TABLE {TABLE} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",
        ),
        by_catalogue,
    ),
    Sabotage(
        "tenant function IMMUTABLE",
        owner_does(_tenant_function("IMMUTABLE"), _tenant_function("STABLE")),
        by_matrix(TABLE),
    ),
    Sabotage(
        "no tenant means every tenant",
        owner_does(_policy(f"conclave_current_tenant() IS NULL OR {OWN}", OWN), _policy(OWN, OWN)),
        by_matrix(TABLE),
    ),
    Sabotage("composite key replaced by a plain one", with_plain_key, by_matrix(CHILD)),
    Sabotage("right granted on a partition", with_granted_partition, by_matrix(GROWN)),
    Sabotage(
        "right granted on the materialized view of a report",
        owner_does(
            f"GRANT SELECT ON {REPORT}_kept TO conclave_app",
            f"REVOKE SELECT ON {REPORT}_kept FROM conclave_app",
        ),
        by_matrix(REPORT),
    ),
    Sabotage(
        "report's view without its barrier",
        owner_does(
            f"ALTER VIEW {REPORT} SET (security_barrier = false)",
            f"ALTER VIEW {REPORT} SET (security_barrier = true)",
        ),
        by_matrix(REPORT),
    ),
    Sabotage(
        "TRUNCATE granted",
        owner_does(
            f"GRANT TRUNCATE ON {GROWN} TO conclave_app", f"REVOKE TRUNCATE ON {GROWN} FROM conclave_app"
        ),
        by_rights,
    ),
    Sabotage(
        "definer function opened to all",
        owner_does(
            "GRANT EXECUTE ON FUNCTION conclave_memberships_of(uuid) TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION conclave_memberships_of(uuid) FROM PUBLIC",
        ),
        by_matrix(TABLE),
    ),
    Sabotage(
        "audit functions opened to all",
        owner_does(
            "GRANT EXECUTE ON FUNCTION conclave_audit_row() TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION conclave_audit_row() FROM PUBLIC",
        ),
        by_matrix(TABLE),
    ),
    Sabotage("audit trigger dropped", without_trigger, by_audit_log),
    Sabotage("actor no longer required", with_lax_actor, by_unattributed_write),
    Sabotage("session-level SET on a shared connection", session_settings, proof_of_stamp),
    Sabotage("role with BYPASSRLS", with_bypassing_hat, bypasser_or_app, needs_superuser=True),
)


def possible() -> list[Sabotage]:
    """Return the mutations that can run here; one requires a superuser."""
    return [each for each in SABOTAGES if has_superuser() or not each.needs_superuser]


def commit_sabotage(sabotage: Sabotage, ground: Ground) -> Outcome:
    """Run a mutation; the proof must pass, fail and pass again."""
    if before := sabotage.proof(ground):
        return Outcome(sabotage.name, False, f"the proof failed before the mutation: {before[0]}")
    with sabotage.break_it(ground):
        found = sabotage.proof(ground)
    if after := sabotage.proof(ground):
        return Outcome(sabotage.name, False, f"the proof still failed after the repair: {after[0]}")
    return Outcome(sabotage.name, bool(found), found[0] if found else "the proof did not fail")
