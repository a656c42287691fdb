"""Twenty-four probes of what SQL injected into a statement of one tenant could reach.

Each probe runs on a connection of the application's login, in a transaction with the scope of an administrator, and
returns what it read or wrote beyond that scope. The settings of the scope can be changed by any statement; its proof
stays the attacker's.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg

from config.db.scope_proofs import prove_scope
from config.db.session import APP, OPERATOR, SESSION_SQL, Scope
from config.testing.isolation.fixtures import AttackFixture

INSERT_AGENT = (
    "INSERT INTO agents_agent SELECT * FROM jsonb_populate_record(NULL::agents_agent, %s) RETURNING id"
)
INSERT_JOB = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 't', %s) RETURNING id"
UPDATE_AGENT = "UPDATE agents_agent SET name = name || '!' WHERE id = %s RETURNING id"
LOGGED = "SELECT actor FROM audit_auditlog WHERE resource_id = %s AND actor = %s"
EVENT = "SELECT conclave_record_event('probe', 'agents.agent', %s, 'success', '', '{}')"
FORGED_ACTOR = "user:00000000-0000-7000-8000-000000000000"


@dataclass
class Injection:
    """A connection whose transaction has the scope of the first tenant."""

    connection: psycopg.Connection[Any]
    fixture: AttackFixture

    @property
    def victim(self) -> str:
        return self.fixture.tenants[1]

    @property
    def victim_user(self) -> str:
        return self.fixture.users[self.victim]

    @property
    def own_agent(self) -> str:
        return str(self.fixture.rows["agents_agent", self.fixture.tenants[0]]["id"])

    @property
    def own_user(self) -> str:
        return self.fixture.users[self.fixture.tenants[0]]

    def open(self, user: str = "") -> None:
        """Set the scope as the backend does."""
        user = user or self.own_user
        scope = Scope(APP, UUID(self.fixture.tenants[0]), UUID(user), actor=f"user:{user}")
        self.connection.execute(SESSION_SQL, scope.params())

    def rows(self, statement: str, *params: Any) -> list[Any]:
        """Return the rows of a statement, or an empty list if the database denies permission."""
        try:
            with self.connection.transaction():
                cursor = self.connection.execute(statement.encode(), params or None)
                return cursor.fetchall() if cursor.description else []
        except (
            psycopg.errors.InsufficientPrivilege,
            # Outside the scope's role, the login does not even find what the schema contains.
            psycopg.errors.UndefinedTable,
            psycopg.errors.UndefinedFunction,
        ):
            return []

    def set(self, **settings: str) -> None:
        """Change the role, the search path or settings of the scope."""
        for name, value in settings.items():
            full = name if name in ("role", "search_path") else f"app.{name}"
            self.rows("SELECT set_config(%s, %s, true)", full, value)

    def become(self, role: str) -> None:
        """Change the role, with the settings that the application uses with it."""
        self.set(role=role, current_tenant_id="", current_user_id="", actor="system:probe")


def read_with_forged_tenant(i: Injection) -> list[Any]:
    """Set another tenant and read its rows."""
    i.set(current_tenant_id=i.victim, current_user_id=i.victim_user)
    return i.rows("SELECT id FROM agents_agent WHERE tenant_id = %s", i.victim)


def write_with_forged_tenant(i: Injection) -> list[Any]:
    """Set another tenant by SET LOCAL and change its rows."""
    i.rows(f"SET LOCAL app.current_tenant_id = '{i.victim}'")
    return i.rows("UPDATE agents_agent SET name = 'x' WHERE tenant_id = %s RETURNING id", i.victim)


def insert_with_forged_tenant(i: Injection) -> list[Any]:
    """Set another tenant and insert a row into it."""
    i.set(current_tenant_id=i.victim)
    row = i.fixture.rows["agents_agent", i.victim] | {"id": str(uuid4()), "slug": "forged", "name": "Forged"}
    return i.rows(INSERT_AGENT, json.dumps(row))


def forge_tenant_within_statement(i: Injection) -> list[Any]:
    """Set another tenant in the statement that reads its rows."""
    return i.rows(
        "WITH forged AS MATERIALIZED (SELECT set_config('app.current_tenant_id', %s, true) AS tenant)"
        " SELECT a.id FROM forged, LATERAL (SELECT id, tenant_id FROM agents_agent"
        " WHERE tenant_id = forged.tenant::uuid OFFSET 0) a",
        i.victim,
    )


def forge_tenant_for_cached_plan(i: Injection) -> list[Any]:
    """Set another tenant between two executions of a prepared statement."""
    i.rows("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")
    i.rows("PREPARE probe (uuid) AS SELECT id FROM agents_agent WHERE tenant_id = $1")
    try:
        i.rows(f"EXECUTE probe ('{i.victim}')")
        i.set(current_tenant_id=i.victim)
        return i.rows(f"EXECUTE probe ('{i.victim}')")
    finally:
        i.rows("DEALLOCATE probe")


def read_with_forged_user(i: Injection) -> list[Any]:
    """Set a colleague as the user, or none, as jobs of the tenant do, and read private rows."""
    i.open(user=str(uuid4()))
    found = []
    for user in (i.own_user, ""):
        i.set(current_user_id=user)
        for table in ("accounts_usersettings", "conversations_conversation"):
            found += i.rows(f"SELECT id FROM {table} WHERE user_id = %s", i.own_user)
    return found


def log_forged_actor(i: Injection) -> list[Any]:
    """Set another actor and change a row, which the audit log attributes to the actor."""
    i.set(actor=FORGED_ACTOR)
    i.rows(UPDATE_AGENT, i.own_agent)
    i.open()
    return i.rows(LOGGED, i.own_agent, FORGED_ACTOR)


def forge_actor_within_statement(i: Injection) -> list[Any]:
    """Set another actor in the statement that changes the row, after the policies were checked."""
    i.rows(
        "UPDATE agents_agent SET name = name || left(set_config('app.actor', %s, true), 1) WHERE id = %s",
        FORGED_ACTOR,
        i.own_agent,
    )
    i.open()
    return i.rows(LOGGED, i.own_agent, FORGED_ACTOR)


def record_event_of_forged_actor(i: Injection) -> list[Any]:
    """Write an event of another actor, with and without the proof."""
    i.set(actor=FORGED_ACTOR)
    i.rows(EVENT, i.own_agent)
    i.set(scope_proof="")
    i.rows(EVENT, i.own_agent)
    i.open()
    return i.rows(LOGGED, i.own_agent, FORGED_ACTOR)


def read_as_operator(i: Injection) -> list[Any]:
    """Change to the operator's role and read rows and reports of all tenants."""
    i.become(OPERATOR)
    return i.rows("SELECT id FROM agents_agent") + i.rows("SELECT id FROM agents_usagedaily")


def write_as_operator(i: Injection) -> list[Any]:
    """Change to the operator's role by SET LOCAL ROLE and change another tenant."""
    i.become(APP)
    i.rows("SET LOCAL ROLE conclave_operator")
    return i.rows("UPDATE tenants_tenant SET name = 'x' WHERE id = %s RETURNING id", i.victim)


def read_as_identity(i: Injection) -> list[Any]:
    """Change to the identity role and read people of all tenants, their memberships and invitations."""
    i.become("conclave_identity")
    found = i.rows("SELECT email FROM accounts_user WHERE id = %s", i.victim_user)
    for call in (
        "conclave_memberships_of(%s)",
        "conclave_open_invitations(NULL, %s)",
        "conclave_default_tenant(%s)",
    ):
        found += i.rows(f"SELECT * FROM {call}", i.victim_user)
    return found


def become_owner(i: Injection) -> list[Any]:
    """Change to the owner of the schema, of the audit log and of the scope functions."""
    for role in ("conclave_owner", "conclave_audit", "conclave_scope", "postgres"):
        i.rows(f"SET LOCAL ROLE {role}")
        i.rows(f"SET SESSION AUTHORIZATION {role}")
    return i.rows(
        "SELECT 1 WHERE current_user NOT IN ('conclave_app', session_user)"
        " OR session_user NOT IN ('conclave_tenant', 'conclave_test')"
    )


def read_password_hashes(i: Injection) -> list[Any]:
    """Read password hashes and their salts in the own role, as the login and in the identity role."""
    found = i.rows("SELECT password FROM accounts_user")
    for role in ("none", "conclave_identity"):
        i.become(role)
        found += i.rows("SELECT password FROM accounts_user")
        i.set(current_user_id=i.victim_user, actor="system:password")
        found += i.rows("SELECT conclave_password_parameters()")
    return found


def read_session_keys(i: Injection) -> list[Any]:
    """Read sessions as the login, after RESET ROLE."""
    i.become(APP)
    i.rows("RESET ROLE")
    return i.rows("SELECT session_key FROM django_session")


def become_superuser(i: Injection) -> list[Any]:
    """Make the own user a superuser, in each role of the login."""
    found = []
    for role in ("conclave_app", "none", "conclave_identity", OPERATOR):
        i.become(role)
        found += i.rows("UPDATE accounts_user SET is_superuser = true WHERE id = %s RETURNING id", i.own_user)
    return found


def read_second_factors(i: Injection) -> list[Any]:
    """Read addresses and second factors as the login."""
    i.become("none")
    return i.rows("SELECT data FROM mfa_authenticator") + i.rows("SELECT email FROM account_emailaddress")


def read_data_keys(i: Injection) -> list[Any]:
    """Read the wrapped keys and the credentials of other tenants."""
    found = []
    for role in (OPERATOR, "conclave_identity", "none"):
        i.become(role)
        found += i.rows("SELECT wrapped FROM tenants_tenantkey")
    i.set(role=APP, current_tenant_id=i.victim)
    return found + i.rows("SELECT credentials FROM agents_integration")


def forge_jobs(i: Injection) -> list[Any]:
    """Read and defer jobs of another tenant: as its tenant, as the operator and as the queue."""
    i.set(current_tenant_id=i.victim)
    found = i.rows(INSERT_JOB, json.dumps({"tenant_id": i.victim}))
    for role in (OPERATOR, "conclave_queue"):
        i.become(role)
        if i.rows("SELECT 1 WHERE current_user = %s", role):
            found += i.rows(INSERT_JOB, json.dumps({"tenant_id": i.victim}))
            found += i.rows("SELECT id FROM procrastinate_jobs")
    return found


def shadow_functions(i: Injection) -> list[Any]:
    """Put functions and a table in the way that the policies and the verification could use."""
    i.set(current_tenant_id=i.victim, search_path="pg_temp, public, pg_catalog")
    for function, value in (
        ("conclave_current_tenant", i.victim),
        ("conclave_current_user", i.victim_user),
    ):
        i.rows(
            f"CREATE FUNCTION pg_temp.{function}() RETURNS uuid LANGUAGE sql AS $$ SELECT '{value}'::uuid $$"
        )
    i.rows("CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\\x00'::bytea $$")
    i.rows("CREATE TEMP TABLE conclave_scope_key (id text, inner_block bytea, outer_block bytea)")
    i.rows("INSERT INTO pg_temp.conclave_scope_key VALUES ('00000000', '', '')")
    i.set(scope_proof="00000000" + "9999999999" + "00")
    return i.rows("SELECT id FROM agents_agent WHERE tenant_id = %s", i.victim)


def replay_expired_proof(i: Injection) -> list[Any]:
    """Use an expired proof of another tenant, and the same one with a later expiry."""
    values = Scope(APP, UUID(i.victim), UUID(i.victim_user), actor="user:x").values()
    expired = prove_scope(values, -60)
    found = []
    for proof in (expired, f"{expired[:8]}{int(expired[8:18]) + 3600:010d}{expired[18:]}"):
        i.rows(SESSION_SQL, *values, proof)
        found += i.rows("SELECT id FROM agents_agent WHERE tenant_id = %s", i.victim)
    return found


def read_scope_keys(i: Injection) -> list[Any]:
    """Read the keys of proofs in every role, and proofs of other sessions."""
    found = []
    for role in (APP, "none", "conclave_identity", OPERATOR, "conclave_reader"):
        i.become(role)
        found += i.rows("SELECT id FROM conclave_scope_key")
        found += i.rows("SELECT 1 FROM pg_stat_activity WHERE query ~ '[0-9a-f]{8}[0-9]{10}[0-9a-f]{64}'")
    return found


def end_transaction(i: Injection) -> list[Any]:
    """Commit, roll back or return to a savepoint within the injected text, then read as the login."""
    found = []
    for ending in ("COMMIT", "ROLLBACK", "ROLLBACK TO SAVEPOINT probe"):
        i.open()
        i.connection.execute("SAVEPOINT probe")
        injected = f"{ending}; SELECT email FROM accounts_user WHERE id = '{i.victim_user}'"
        try:
            cursor = i.connection.execute(injected.encode())
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
            i.connection.rollback()
            continue
        while cursor.nextset():
            found += cursor.fetchall() if cursor.description else []
    return found


def misuse_definer_functions(i: Injection) -> list[Any]:
    """Call the functions of other roles with another tenant as the argument."""
    found = []
    for role in (APP, "none", OPERATOR):
        i.become(role)
        for call in (
            f"SELECT conclave_permissions_of('{i.victim}', '{i.victim_user}', '[]')",
            f"SELECT * FROM conclave_memberships_of('{i.victim_user}')",
            f"SELECT conclave_audit_write('a.b', 'c', '{i.victim}', '', NULL, NULL, '{{}}')",
            "SELECT * FROM conclave_audit_scope()",
            "SELECT * FROM conclave_vectors_census('knowledge_chunkvector384')",
        ):
            found += i.rows(call)
    return found


PROBES: tuple[Callable[[Injection], list[Any]], ...] = (
    read_with_forged_tenant,
    write_with_forged_tenant,
    insert_with_forged_tenant,
    forge_tenant_within_statement,
    forge_tenant_for_cached_plan,
    read_with_forged_user,
    log_forged_actor,
    forge_actor_within_statement,
    record_event_of_forged_actor,
    read_as_operator,
    write_as_operator,
    read_as_identity,
    become_owner,
    read_password_hashes,
    read_session_keys,
    become_superuser,
    read_second_factors,
    read_data_keys,
    forge_jobs,
    shadow_functions,
    replay_expired_proof,
    read_scope_keys,
    end_transaction,
    misuse_definer_functions,
)
