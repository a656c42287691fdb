"""Mutation tests: break each protection and expect its test to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any
from uuid import UUID

from config.db.session import APP, SESSION_SQL, Scope, session_sql
from config.postgres.logins import OWNER, TENANT
from config.testing.database import as_superuser, connect, has_superuser
from config.testing.isolation import catalog_checks
from config.testing.isolation.fixtures import AttackFixture
from config.testing.isolation.forgery_mutations import FORGERY_MUTATIONS
from config.testing.isolation.mutation_base import TABLE, Mutation, Proof, prove_by_attacks, run_as_owner

POLICY, TRIGGER = "agents_agent_rls_app_all", "agents_agent_audit"
CHILD, KEY = "conversations_conversation", "conversations_conversation_agent_same"
PARTITIONED_TABLE = "conversations_message"
REPORT_TABLE = "agents_usagedaily"
TENANT_CONDITION = "tenant_id = (SELECT conclave_current_tenant())"


@dataclass(frozen=True)
class MutationResult:
    """Result of a mutation.

    `caught`: the proof passed before and after the mutation and failed during it.
    """

    name: str
    caught: bool
    what: str


def prove_by_catalog(fixture: AttackFixture) -> list[str]:
    """Check row-level security, partition grants and function definitions in the catalog."""
    with connect(OWNER, database=fixture.database) as owner:
        query = _query_function(owner)
        tables = [target.table for target in fixture.targets]
        return [
            *catalog_checks.unprotected_tables(query, tables),
            *catalog_checks.open_partitions(query),
            *catalog_checks.context_functions(query),
            *catalog_checks.loose_definers(query),
        ]


def prove_by_privileges(fixture: AttackFixture) -> list[str]:
    """Check that no role can TRUNCATE a table or attach triggers."""
    with connect(OWNER, database=fixture.database) as owner:
        return catalog_checks.excess_rights(_query_function(owner))


def prove_by_audit_log(fixture: AttackFixture) -> list[str]:
    """Check that one update as the application role writes one audit row."""
    tenant, target = fixture.tenants[0], fixture.target(TABLE)
    logged = f"SELECT count(*) FROM audit_auditlog WHERE resource_id = '{fixture.row_id(target, tenant)}'"
    with connect(TENANT, database=fixture.database) as web, web.transaction(force_rollback=True):
        web.execute(SESSION_SQL, Scope(APP, UUID(tenant), actor="system:test").params())
        before = web.execute(logged).fetchone()[0]  # type: ignore[index]
        web.execute(
            "UPDATE agents_agent SET name = name || '!' WHERE id = %s", [fixture.row_id(target, tenant)]
        )
        after = web.execute(logged).fetchone()[0]  # type: ignore[index]
    return [] if after == before + 1 else [f"{after - before} audit rows of one update"]


def prove_by_unattributed_write(fixture: AttackFixture) -> list[str]:
    """Check that a write without an actor is rejected."""
    tenant, target = fixture.tenants[0], fixture.target(TABLE)
    with connect(TENANT, database=fixture.database) as web, web.transaction(force_rollback=True):
        web.execute(SESSION_SQL, Scope(APP, UUID(tenant)).params())
        try:
            with web.transaction():
                web.execute(
                    "UPDATE agents_agent SET name = 'x' WHERE id = %s", [fixture.row_id(target, tenant)]
                )
        except Exception as error:  # noqa: BLE001 - any error is accepted; the message identifies it
            return [] if "unattributed" in str(error) else [str(error)]
    return ["an unattributed write succeeded"]


def prove_by_shared_connection(scope_sql: str) -> Proof:
    """Return a proof that a reused connection shows no rows without a scope."""

    def proof(fixture: AttackFixture) -> list[str]:
        with connect(TENANT, database=fixture.database) as web:
            with web.transaction():
                web.execute(scope_sql, Scope(APP, UUID(fixture.tenants[0]), actor="system:test").params())
            with web.transaction():
                web.execute("SET LOCAL ROLE conclave_app")
                seen = web.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0]  # type: ignore[index]
        return [f"{seen} rows of the previous request"] if seen else []

    return proof


def _query_function(connection: Any) -> catalog_checks.Query:
    return lambda statement: connection.execute(statement).fetchall()


def _policy_sql(using: str, check: str) -> str:
    return (
        f"DROP POLICY IF EXISTS {POLICY} ON {TABLE};"
        f" CREATE POLICY {POLICY} ON {TABLE} TO conclave_app USING ({using}) WITH CHECK ({check})"
    )


def _tenant_function_sql(volatility: str) -> str:
    # In one message, hence in one transaction.
    return f"SET LOCAL ROLE conclave_scope; ALTER FUNCTION conclave_current_tenant() {volatility}"


def _audit_trigger_sql(fixture: AttackFixture) -> str:
    with connect(OWNER, database=fixture.database) as owner:
        found = owner.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [TRIGGER])
        return found.fetchone()[0]  # type: ignore[index]


@contextmanager
def without_trigger(fixture: AttackFixture) -> Iterator[None]:
    """Drop the audit trigger of one table."""
    with run_as_owner(f"DROP TRIGGER {TRIGGER} ON {TABLE}", _audit_trigger_sql(fixture))(fixture):
        yield


@contextmanager
def with_granted_partition(fixture: AttackFixture) -> Iterator[None]:
    """Grant the application role SELECT on a partition."""
    part = fixture.target(PARTITIONED_TABLE).partitions[0]
    broken = run_as_owner(
        f"GRANT SELECT ON {part} TO conclave_app", f"REVOKE SELECT ON {part} FROM conclave_app"
    )
    with broken(fixture):
        yield


@contextmanager
def with_lax_actor(fixture: AttackFixture) -> Iterator[None]:
    """Replace the function that requires an actor with an empty one."""
    with connect(OWNER, database=fixture.database) as owner:
        found = owner.execute("SELECT pg_get_functiondef('conclave_require_actor'::regproc)").fetchone()
    lax = (
        "CREATE OR REPLACE FUNCTION conclave_require_actor() RETURNS void LANGUAGE plpgsql STABLE"
        " SET search_path = pg_catalog, pg_temp AS $$ BEGIN END $$"
    )
    with run_as_owner(lax, found[0])(fixture):  # type: ignore[index]
        yield


@contextmanager
def with_plain_key(fixture: AttackFixture) -> Iterator[None]:
    """Replace a composite foreign key with a plain one."""
    with connect(OWNER, database=fixture.database) as owner:
        found = owner.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [KEY])
        definition = found.fetchone()[0]  # type: ignore[index]
    plain = "ADD CONSTRAINT plain_key FOREIGN KEY (agent_id) REFERENCES agents_agent (id)"
    broken = run_as_owner(
        f"ALTER TABLE {CHILD} DROP CONSTRAINT {KEY}; ALTER TABLE {CHILD} {plain}",
        f"ALTER TABLE {CHILD} DROP CONSTRAINT plain_key;"
        f" ALTER TABLE {CHILD} ADD CONSTRAINT {KEY} {definition}",
    )
    with broken(fixture):
        yield


BYPASSING_ROLE = f"isolation_bypasser_{token_hex(4)}"


@contextmanager
def with_bypassing_role(fixture: AttackFixture) -> Iterator[None]:
    """Create a role with the application's rights and BYPASSRLS that the login can use."""
    as_superuser(
        f"CREATE ROLE {BYPASSING_ROLE} NOLOGIN BYPASSRLS; GRANT conclave_app TO {BYPASSING_ROLE};"
        f" GRANT {BYPASSING_ROLE} TO {TENANT} WITH INHERIT FALSE, SET TRUE",
        fixture.database,
    )
    try:
        yield
    finally:
        as_superuser(f"DROP ROLE {BYPASSING_ROLE}", fixture.database)


def prove_bypassing_role(fixture: AttackFixture) -> list[str]:
    """Run the attacks as the bypassing role if it exists."""
    with connect(TENANT, database=fixture.database) as web:
        there = (
            web.execute("SELECT FROM pg_roles WHERE rolname = %s", [BYPASSING_ROLE]).fetchone() is not None
        )
    return prove_by_attacks(TABLE, role=BYPASSING_ROLE if there else APP)(fixture)


@contextmanager
def with_session_settings(fixture: AttackFixture) -> Iterator[None]:
    """Set the scope for the session instead of the transaction; see `prove_scope_settings`."""
    _current["sql"] = session_sql(local=False)
    try:
        yield
    finally:
        _current["sql"] = SESSION_SQL


_current = {"sql": SESSION_SQL}


def prove_scope_settings(fixture: AttackFixture) -> list[str]:
    """Run `prove_by_shared_connection` with the current SQL of the scope."""
    return prove_by_shared_connection(_current["sql"])(fixture)


MUTATIONS = (
    Mutation(
        "policy dropped",
        run_as_owner(f"DROP POLICY {POLICY} ON {TABLE}", _policy_sql(TENANT_CONDITION, TENANT_CONDITION)),
        prove_by_attacks(TABLE),
    ),
    Mutation(
        "policy USING (true)",
        run_as_owner(_policy_sql("true", TENANT_CONDITION), _policy_sql(TENANT_CONDITION, TENANT_CONDITION)),
        prove_by_attacks(TABLE),
    ),
    Mutation(
        "policy WITH CHECK (true)",
        run_as_owner(_policy_sql(TENANT_CONDITION, "true"), _policy_sql(TENANT_CONDITION, TENANT_CONDITION)),
        prove_by_attacks(TABLE),
    ),
    Mutation(
        "further permissive policy",
        run_as_owner(
            f"CREATE POLICY extra ON {TABLE} FOR SELECT TO PUBLIC USING (deleted_at IS NULL)",
            f"DROP POLICY extra ON {TABLE}",
        ),
        prove_by_attacks(TABLE),
    ),
    Mutation(
        "row-level security disabled",
        run_as_owner(
            f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        ),
        prove_by_attacks(TABLE),
    ),
    Mutation(
        "row-level security not forced on the owner",
        run_as_owner(
            f"ALTER TABLE {TABLE} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",
        ),
        prove_by_catalog,
    ),
    Mutation(
        "tenant function IMMUTABLE",
        run_as_owner(_tenant_function_sql("IMMUTABLE"), _tenant_function_sql("STABLE")),
        prove_by_attacks(TABLE),
    ),
    Mutation(
        "no tenant means every tenant",
        run_as_owner(
            _policy_sql(f"conclave_current_tenant() IS NULL OR {TENANT_CONDITION}", TENANT_CONDITION),
            _policy_sql(TENANT_CONDITION, TENANT_CONDITION),
        ),
        prove_by_attacks(TABLE),
    ),
    Mutation("composite key replaced by a plain one", with_plain_key, prove_by_attacks(CHILD)),
    Mutation("right granted on a partition", with_granted_partition, prove_by_attacks(PARTITIONED_TABLE)),
    Mutation(
        "right granted on the materialized view of a report",
        run_as_owner(
            f"GRANT SELECT ON {REPORT_TABLE}_kept TO conclave_app",
            f"REVOKE SELECT ON {REPORT_TABLE}_kept FROM conclave_app",
        ),
        prove_by_attacks(REPORT_TABLE),
    ),
    Mutation(
        "report's view without its barrier",
        run_as_owner(
            f"ALTER VIEW {REPORT_TABLE} SET (security_barrier = false)",
            f"ALTER VIEW {REPORT_TABLE} SET (security_barrier = true)",
        ),
        prove_by_attacks(REPORT_TABLE),
    ),
    Mutation(
        "TRUNCATE granted",
        run_as_owner(
            f"GRANT TRUNCATE ON {PARTITIONED_TABLE} TO conclave_app",
            f"REVOKE TRUNCATE ON {PARTITIONED_TABLE} FROM conclave_app",
        ),
        prove_by_privileges,
    ),
    Mutation(
        "definer function opened to all",
        run_as_owner(
            "GRANT EXECUTE ON FUNCTION conclave_memberships_of(uuid) TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION conclave_memberships_of(uuid) FROM PUBLIC",
        ),
        prove_by_attacks(TABLE),
    ),
    Mutation(
        "audit functions opened to all",
        run_as_owner(
            "GRANT EXECUTE ON FUNCTION conclave_audit_row() TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION conclave_audit_row() FROM PUBLIC",
        ),
        prove_by_attacks(TABLE),
    ),
    Mutation("audit trigger dropped", without_trigger, prove_by_audit_log),
    Mutation("actor no longer required", with_lax_actor, prove_by_unattributed_write),
    Mutation("session-level SET on a shared connection", with_session_settings, prove_scope_settings),
    Mutation("role with BYPASSRLS", with_bypassing_role, prove_bypassing_role, needs_superuser=True),
    *FORGERY_MUTATIONS,
)


def available_mutations() -> list[Mutation]:
    """Return the mutations that can run here; one requires a superuser."""
    return [each for each in MUTATIONS if has_superuser() or not each.needs_superuser]


def run_mutation(sabotage: Mutation, fixture: AttackFixture) -> MutationResult:
    """Run a mutation; the proof must pass, fail and pass again."""
    if before := sabotage.proof(fixture):
        return MutationResult(sabotage.name, False, f"the proof failed before the mutation: {before[0]}")
    with sabotage.break_it(fixture):
        found = sabotage.proof(fixture)
    if after := sabotage.proof(fixture):
        return MutationResult(sabotage.name, False, f"the proof still failed after the repair: {after[0]}")
    return MutationResult(sabotage.name, bool(found), found[0] if found else "the proof did not fail")
