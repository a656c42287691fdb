"""Attacks that try to leave the login of a connection: from tenant scopes and from sign-in."""

import psycopg
import pytest

from config.db.session import APP, SESSION_SQL, Scope
from config.postgres.logins import PLATFORM, PUBLIC, TENANT, WEB, WORKER
from config.testing.database import connect

SUPERIOR = ("conclave_owner", "conclave_audit", "postgres", "pg_read_all_data", "pg_execute_server_program")
REFUSED = {
    TENANT: ("conclave_identity", "conclave_operator", "conclave_queue", WEB, WORKER, PUBLIC, PLATFORM),
    WEB: ("conclave_app", "conclave_reader", "conclave_operator", "conclave_queue", TENANT, WORKER, PLATFORM),
    PUBLIC: ("conclave_app", "conclave_reader", "conclave_operator", "conclave_queue", TENANT, WEB, PLATFORM),
    WORKER: ("conclave_app", "conclave_reader", "conclave_operator", TENANT, WEB, PLATFORM),
    PLATFORM: ("conclave_identity", "conclave_queue", "conclave_app", WEB, WORKER, TENANT),
}
# Ways to change the role that an injected statement can use.
CHANGES = ("SET ROLE {0}", "SET LOCAL ROLE {0}", "SELECT set_config('role', '{0}', true)")
TABLES = ("accounts_user", "django_session", "accounts_apikey", "tenants_tenant", "procrastinate_jobs")
SECRETS = ("accounts_user", "django_session", "account_emailaddress", "mfa_authenticator")


def succeeds(connection, *statements):
    """Return whether all statements run; undo them."""
    try:
        with connection.transaction(force_rollback=True):
            for statement in statements:
                connection.execute(statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
        # A login without privileges on the schema does not even find its tables.
        return False
    return True


@pytest.fixture
def in_scope(member):
    """A connection of the tenant login, in a transaction with a tenant's scope."""
    scope = Scope(APP, member.tenant_id, member.user_id, actor="system:test")
    with connect(TENANT, autocommit=False) as connection:
        connection.execute(SESSION_SQL, scope.params())
        yield connection
        connection.rollback()


@pytest.mark.security("login escalation")
@pytest.mark.parametrize("login", REFUSED)
def test_no_login_changes_to_the_role_of_another(login, attacks, db):
    with connect(login) as connection:
        for role in REFUSED[login] + SUPERIOR:
            for change in CHANGES:
                done = succeeds(connection, change.format(role))
                attacks.attempt(f"{login}: {change.format(role)}", succeeded=done)


@pytest.mark.security("login escalation")
@pytest.mark.parametrize("login", REFUSED)
def test_no_login_changes_its_session_user(login, attacks, db):
    with connect(login) as connection:
        for other in {WEB, TENANT, PLATFORM, "conclave_owner", "postgres"} - {login}:
            attacks.attempt(other, succeeded=succeeds(connection, f"SET SESSION AUTHORIZATION {other}"))


@pytest.mark.security("login escalation")
@pytest.mark.parametrize("change", ["RESET ROLE", "SET ROLE NONE", "SELECT set_config('role', 'none', true)"])
def test_a_tenant_scope_without_its_role_reads_nothing(change, in_scope, attacks):
    for table in TABLES:
        attacks.attempt(table, succeeded=succeeds(in_scope, change, f"SELECT * FROM {table}"))


@pytest.mark.security("login escalation")
def test_a_tenant_scope_reads_no_sign_in_data_by_any_role(in_scope, attacks):
    for role in ("conclave_identity", "conclave_operator", WEB):
        for table in SECRETS:
            read = succeeds(in_scope, f"SET LOCAL ROLE {role}", f"SELECT * FROM {table}")
            attacks.attempt(f"{table} as {role}", succeeded=read)


@pytest.mark.security("login escalation")
def test_sign_in_reads_no_row_of_a_tenant_by_any_role(db, attacks):
    with connect(WEB) as connection:
        for role in ("conclave_app", "conclave_reader", "conclave_operator"):
            for table in ("accounts_apikey", "agents_agent", "conversations_message"):
                read = succeeds(connection, f"SET LOCAL ROLE {role}", f"SELECT * FROM {table}")
                attacks.attempt(f"{table} as {role}", succeeded=read)


@pytest.mark.security("login escalation", mutation=True)
def test_with_one_login_for_everything_the_roles_are_reached(db, attacks):
    with connect() as connection:
        for role in ("conclave_identity", "conclave_operator"):
            read = succeeds(connection, f"SET ROLE {role}", "SELECT id FROM accounts_user")
            attacks.attempt(role, succeeded=read)
