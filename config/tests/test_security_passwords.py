"""Attacks on password hashes and rights on the platform, in SQL with a valid proof of the scope of the login."""

import psycopg
import pytest
from django.db import connection

from accounts.passwords import ACTOR, password_scope
from config.db.session import APP, IDENTITY, NO_ROLE, OPERATOR, READER, SESSION_SQL, Scope
from config.postgres.logins import OWNER, PLATFORM, PUBLIC, TENANT, WEB, WORKER
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
HASH_READING = (
    "SELECT password FROM accounts_user",
    "SELECT * FROM accounts_user",
    "SELECT to_jsonb(u) FROM accounts_user u",
    "SELECT id FROM accounts_user WHERE password LIKE 'argon2$%'",
    "SELECT id FROM accounts_user ORDER BY password",
    "SELECT stavalues1 FROM pg_statistic",
    "UPDATE accounts_user SET first_name = password",
    "UPDATE accounts_user SET last_name = '' RETURNING password",
    INSERT.format("false, false") + " ON CONFLICT (email) DO UPDATE SET username = accounts_user.password",
)
HASH_WRITING = (
    "UPDATE accounts_user SET password = 'x'",
    "UPDATE accounts_user SET password_changed_at = now()",
    INSERT.format("false, false") + " ON CONFLICT (email) DO UPDATE SET password = 'x'",
)
USER = "01890000-0000-7000-8000-000000000001"
FORGE = f"SELECT set_config('app.current_user_id', '{USER}', true), set_config('app.actor', 'system:password', true); "
CALLS = (
    "SELECT conclave_password_parameters()",
    "SELECT conclave_password_matches('x')",
    "SELECT conclave_set_password('x', now())",
    "SELECT conclave_replace_hash('x', 'x')",
)
HELPER = "SELECT conclave_password_user()"
# With the settings of the scope, with forged settings, and without a proof.
FUNCTIONS = (
    HELPER,
    *CALLS,
    *(FORGE + call for call in CALLS),
    *(f"{FORGE}SELECT set_config('app.scope_proof', '', true); {call}" for call in CALLS),
)
# The check of the scope removed.
UNCHECKED = """
CREATE OR REPLACE FUNCTION conclave_password_user() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$ SELECT current_setting('app.current_user_id')::uuid $$"""


def succeeds(session, scope, statement):
    """Return whether the database permits the statement in a proved scope; undo it.

    Args:
        scope: The scope, or its role.
    """
    scope = Scope(scope, actor="system:test") if isinstance(scope, str) else scope
    with session.transaction(force_rollback=True):
        session.execute(SESSION_SQL, scope.params())
        try:
            with session.transaction():
                session.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return False
    return True


def attack(attacks, login, role, statements):
    with connect(login) as session:
        for statement in statements:
            attacks.attempt(statement, succeeded=succeeds(session, role, statement))


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


@pytest.mark.security("hash reading")
@pytest.mark.parametrize(("login", "role"), [*SIGN_IN, *TENANTS, (PLATFORM, OPERATOR)])
def test_no_login_reads_or_writes_a_password_hash(login, role, db, attacks):
    attack(attacks, login, role, HASH_READING + HASH_WRITING + FUNCTIONS)


@pytest.mark.security("hash reading")
def test_sign_in_for_another_purpose_uses_no_password(db, attacks):
    for scope in (Scope(NO_ROLE, user_id=USER), Scope(NO_ROLE, actor=ACTOR), Scope(IDENTITY, user_id=USER)):
        with connect(WEB) as session:
            for call in (HELPER, *CALLS):
                attacks.attempt(call, succeeded=succeeds(session, scope, call))


@pytest.mark.security("hash reading")
def test_no_hash_is_visible_in_the_statements_of_another_session(member, attacks):
    shown = "SELECT query FROM pg_stat_activity WHERE pid = %s AND query LIKE %s"
    with connect() as other, password_scope(member.user_id) as cursor:
        for call in ("conclave_password_matches(%s)", "conclave_set_password(%s, NULL)"):
            cursor.execute(f"SELECT {call}", ["argon2$secret"])
            pid = connection.connection.info.backend_pid
            assert other.execute(shown, [pid, "%conclave_%password%"]).fetchall()
            attacks.attempt(call, succeeded=bool(other.execute(shown, [pid, "%argon2$secret%"]).fetchall()))


@pytest.mark.security("hash reading", mutation=True)
def test_hashes_are_read_with_the_privileges_of_earlier_versions(db, attacks):
    with connect(OWNER, autocommit=False) as owner:
        owner.execute(f"GRANT SELECT, UPDATE ON accounts_user TO {IDENTITY}")
        for statement in HASH_READING + HASH_WRITING:
            attacks.attempt(statement, succeeded=succeeds(owner, IDENTITY, statement))
        owner.rollback()
    # Statistics need privileges of the superuser.
    assert len(attacks.successes) == len(HASH_READING + HASH_WRITING) - 1


@pytest.mark.security("hash reading", mutation=True)
def test_forged_calls_succeed_without_the_check_of_the_scope(db, attacks):
    with connect(OWNER, autocommit=False) as owner:
        owner.execute(UNCHECKED)
        for call in CALLS:
            attacks.attempt(call, succeeded=succeeds(owner, IDENTITY, FORGE + call))
        owner.rollback()
    assert len(attacks.successes) == len(CALLS)
