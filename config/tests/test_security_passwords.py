"""Attacks on rights on the platform, in SQL with a valid proof of the scope that the login serves."""

import psycopg
import pytest

from config.db.session import APP, IDENTITY, NO_ROLE, READER, SESSION_SQL, Scope
from config.postgres.logins import OWNER, PUBLIC, TENANT, WEB, WORKER
from config.testing.database import connect

SIGN_IN = [(WEB, NO_ROLE), (WEB, IDENTITY), (PUBLIC, NO_ROLE), (WORKER, NO_ROLE)]
TENANTS = [(TENANT, APP), (TENANT, READER)]
INSERT = (
    "INSERT INTO accounts_user (email, username, first_name, last_name, avatar_url, status, password, is_active,"
    " is_verified, is_staff, is_superuser) VALUES ('x@example.org', '', '', '', '', 'active', '!', true, true, {0})"
)
RIGHTS = (
    "UPDATE accounts_user SET is_staff = true",
    "UPDATE accounts_user SET is_superuser = true",
    INSERT.format("true, false"),
    INSERT.format("false, true"),
    INSERT.format("false, false") + " ON CONFLICT (email) DO UPDATE SET is_superuser = true",
    # A deleted user could be inserted again, with a known password.
    "DELETE FROM accounts_user",
)
RIGHTS_READING = (
    "SELECT is_staff FROM accounts_user",
    "SELECT id FROM accounts_user WHERE is_superuser",
    "SELECT to_jsonb(u) FROM accounts_user u",
)


def succeeds(connection, role, statement):
    """Return whether the database permits the statement in a proved scope; undo it."""
    with connection.transaction(force_rollback=True):
        connection.execute(SESSION_SQL, Scope(role, actor="system:test").params())
        try:
            with connection.transaction():
                connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return False
    return True


def attack(attacks, login, role, statements):
    with connect(login) as connection:
        for statement in statements:
            attacks.attempt(statement, succeeded=succeeds(connection, role, statement))


@pytest.mark.security("platform rights")
@pytest.mark.parametrize(("login", "role"), SIGN_IN)
def test_sign_in_gives_nobody_rights_on_the_platform(login, role, db, attacks):
    attack(attacks, login, role, RIGHTS)


@pytest.mark.security("platform rights")
@pytest.mark.parametrize(("login", "role"), TENANTS)
def test_tenant_roles_neither_read_nor_write_rights_on_the_platform(login, role, db, attacks):
    attack(attacks, login, role, RIGHTS + RIGHTS_READING)


@pytest.mark.security("platform rights", mutation=True)
def test_rights_are_written_with_the_privileges_of_earlier_versions(db, attacks):
    with connect(OWNER, autocommit=False) as owner:
        owner.execute(f"GRANT UPDATE, DELETE ON accounts_user TO {IDENTITY}")
        owner.execute("DROP POLICY accounts_user_rls_identity_insert ON accounts_user")
        for statement in RIGHTS:
            attacks.attempt(statement, succeeded=succeeds(owner, IDENTITY, statement))
        owner.rollback()
    assert len(attacks.successes) == len(RIGHTS)
