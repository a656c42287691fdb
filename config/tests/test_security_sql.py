"""Privileges that no database role may have, tested in SQL."""

import psycopg
import pytest

from accounts.models import ApiKey, User
from agents.models import Integration
from config.db.constraints import RowLevelSecurity

FORGED = "CREATE TEMP TABLE forged (id uuid, tenant_id uuid, role text)"
FORGE = (
    "CREATE TRIGGER forge AFTER INSERT ON forged FOR EACH ROW"
    " EXECUTE FUNCTION public.conclave_audit_row('accounts.membership', '{}', '{}')"
)


@pytest.fixture
def app(second_connection):
    """A connection that uses the application role."""
    connection = second_connection()
    connection.execute("SET ROLE conclave_app")
    return connection


def test_audit_trigger_cannot_be_attached_to_other_tables(app):
    # It would write arbitrary rows of any tenant to the audit log.
    app.execute(FORGED)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(FORGE)


def test_no_trigger_function_is_everybodys(app):
    rows = app.execute(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        " AND has_function_privilege('conclave_app', oid, 'EXECUTE') ORDER BY 1"
    ).fetchall()
    known = [
        "agents_commission",
        "conclave_calendars",
        "conclave_current_engagement",
        "conclave_current_tenant",
        "conclave_current_user",
        "conclave_hit",
        "conclave_identity_scope",
        "conclave_joined_conversations",
        "conclave_platform_scope",
        "conclave_projects",
        "conclave_prompt_counted",
        "conclave_record_event",
        "conclave_record_security_event",
    ]
    assert [name for (name,) in rows] == known


def test_the_reader_reads_no_password(second_connection):
    reader = second_connection()
    reader.execute("SET ROLE conclave_reader")
    reader.execute("SELECT id, email, first_name, last_name, status FROM accounts_user")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("SELECT password FROM accounts_user")


def test_the_reader_reads_no_hash_of_a_key_and_no_ciphertext(second_connection):
    reader = second_connection()
    reader.execute("SET ROLE conclave_reader")
    reader.execute("SELECT id, name, key_prefix FROM accounts_apikey")
    for column, table in (("key_hash", "accounts_apikey"), ("credentials", "agents_integration")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"SELECT {column} FROM {table}")


def test_the_operator_reviews_security_events_and_changes_nothing_else(second_connection):
    operator = second_connection()
    operator.execute("SET ROLE conclave_operator")
    operator.execute("UPDATE audit_securityauditlog SET reviewed_at = now() WHERE false")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        operator.execute("UPDATE audit_securityauditlog SET severity = 'info' WHERE false")


def test_reader_sees_later_columns_unless_hidden():
    rule = RowLevelSecurity(name="x_rls", hidden=("secret",))
    assert rule.column_added('"x"', "name") == 'GRANT SELECT ("name") ON "x" TO conclave_reader'
    assert rule.column_added('"x"', "secret") == ""
    assert RowLevelSecurity(name="y_rls").column_added('"y"', "name") == ""


def test_the_reader_sees_every_column_that_is_not_hidden(second_connection):
    reader = second_connection()
    for model in (User, ApiKey, Integration):
        hidden = next(rule.options["hidden"] for rule in model._meta.constraints if hasattr(rule, "options"))
        names = [field.column for field in model._meta.concrete_fields if field.column not in hidden]
        rows = reader.execute(
            "SELECT n, has_column_privilege('conclave_reader', %s, n, 'SELECT') FROM unnest(%s::text[]) n",
            [model._meta.db_table, names],
        ).fetchall()
        assert {name for name, granted in rows if not granted} == set()


@pytest.mark.parametrize(
    "call",
    [
        "conclave_memberships_of(NULL)",
        "conclave_open_invitations(NULL, NULL)",
        "conclave_default_tenant(NULL)",
    ],
)
def test_the_identity_role_reads_no_tenants_of_a_person_without_a_proof(second_connection, call):
    identity = second_connection()
    identity.execute("SET ROLE conclave_identity")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="are read outside tenants"):
        identity.execute(f"SELECT * FROM {call}")
