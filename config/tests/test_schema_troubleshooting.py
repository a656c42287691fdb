"""Provoke every error of `docs/schema/troubleshooting.md` and compare the message."""

import re
from datetime import UTC, datetime

import psycopg
import pytest
from django.core.exceptions import FieldError
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from accounts.models import Membership
from agents.models import Agent, AgentCollection, Integration
from agents.tests.factories import AgentFactory, IntegrationFactory
from audit.models import AuditLog
from config.db.ids import uuid7
from config.db.partitions import expire_partitions
from config.db.session import APP, Scope, ScopeError, apply_scope
from config.encryption import keyring
from config.encryption.keyring import DecryptionError, KeyringError
from config.schema.sources import FOLDER
from config.tenancy.scope import ScopeRequiredError, platform_scope, require_tenant_id, tenant_scope
from config.testing.fixtures import add_member
from config.testing.pgbouncer import PORT, run_pgbouncer
from config.testing.roles import as_role
from config.tests import test_partitions
from conversations.models import Message
from conversations.tests.factories import MessageFactory, ToolExecutionFactory
from knowledge.tests.factories import CollectionFactory
from tenants.tests.factories import TenantFactory

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OTHER_KEK = "other:b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXItMDA="
PAGE = FOLDER / "troubleshooting.md"
old_month = test_partitions.old_month


def format_error(error):
    """Return the logged error without variable parts."""
    kind = type(error)
    text = UUID.sub("<id>", f"{kind.__module__}.{kind.__qualname__}: {error}".replace("builtins.", ""))
    text = re.sub(r'connection to server on socket ".*?"', 'connection to server at "<pooler>"', text)
    text = re.sub(r"_same_\d+", "_same_N", text)
    return re.sub(r"_p\d{8}", "_pYYYYMMDD", text).strip()


def lines_of(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


def shown(error):
    """Return whether one code block of the page contains the error."""
    wanted = lines_of(format_error(error))
    blocks = re.findall(r"(?ms)^```text\n(.*?)^```", PAGE.read_text())
    found = any(wanted == lines_of(block) for block in blocks)
    assert found, "\n".join(["the page does not show", *wanted])
    return True


def run(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def test_no_scope(db):
    with pytest.raises(ScopeRequiredError) as caught:
        Agent.objects.count()
    assert shown(caught.value)


def test_platform_scope_where_one_tenant_is_needed(db):
    with platform_scope(reason="test"), pytest.raises(ScopeRequiredError) as caught:
        require_tenant_id()
    assert shown(caught.value)


@pytest.mark.django_db(transaction=True)
def test_scope_without_transaction():
    with apply_scope(Scope(APP, actor="system:test")), pytest.raises(ScopeError) as caught:
        run("SELECT 1")
    assert shown(caught.value)


@pytest.mark.django_db(transaction=True)
def test_second_tenant_in_one_transaction(tenant, other_tenant):
    with tenant_scope(tenant):
        Agent.objects.count()
        with tenant_scope(other_tenant), pytest.raises(ScopeError) as caught:
            Agent.objects.count()
    assert shown(caught.value)


def test_login_without_hat(second_connection):
    with pytest.raises(psycopg.Error) as caught:
        second_connection().execute("SELECT * FROM agents_agent")
    assert shown(caught.value)


def test_row_of_another_tenant(scope, other_tenant):
    with pytest.raises(DatabaseError) as caught:
        Agent.unscoped.create(tenant_id=other_tenant.id, name="Spy", slug="spy")
    assert shown(caught.value)


def test_write_without_actor(tenant):
    with tenant_scope(tenant), pytest.raises(DatabaseError) as caught:
        AgentFactory()
    assert shown(caught.value)


def test_write_as_reader(tenant):
    with tenant_scope(tenant, read_only=True, actor="system:test"), pytest.raises(DatabaseError) as caught:
        Agent.objects.create(name="Reader", slug="reader")
    assert shown(caught.value)


def test_reference_to_another_tenant(scope, tenant, other_tenant):
    agent = AgentFactory()
    with as_role(Scope(APP, other_tenant.id, actor="system:test")):
        foreign = CollectionFactory(tenant_id=other_tenant.id)
    with pytest.raises(DatabaseError) as caught:
        AgentCollection.objects.create(agent=agent, collection_id=foreign.id)
    assert shown(caught.value)


def test_person_who_is_no_member(scope, other_tenant):
    outsider = add_member_elsewhere(other_tenant)
    with pytest.raises(DatabaseError) as caught:
        Agent.objects.create(name="A", slug="a", created_by_id=outsider)
    assert shown(caught.value)


def add_member_elsewhere(tenant):
    with as_role(None):
        from accounts.tests.factories import UserFactory

        user = UserFactory()
    with as_role(Scope(APP, tenant.id, actor="system:test")):
        Membership.unscoped.create(tenant_id=tenant.id, user_id=user.id, role="viewer")
    return user.id


def test_no_partition(scope):
    with pytest.raises(DatabaseError) as caught:
        MessageFactory(id=uuid7(datetime(2020, 5, 5, tzinfo=UTC)))
    assert shown(caught.value)


def test_expiry_that_rows_stop(old_month):
    tenant = TenantFactory()
    with tenant_scope(tenant, user=add_member(tenant).user):
        ToolExecutionFactory(message=MessageFactory(id=uuid7(datetime(2020, 5, 5, tzinfo=UTC))))
    with pytest.raises(psycopg.Error) as caught:
        expire_partitions(Message, before=datetime(2020, 7, 1, tzinfo=UTC))
    assert shown(caught.value)


def test_taken_slug(scope):
    AgentFactory(slug="guide")
    with pytest.raises(DatabaseError) as caught:
        AgentFactory(slug="guide")
    assert shown(caught.value)


def test_going_on_after_an_error(scope):
    with transaction.atomic():
        sid = transaction.savepoint()
        with pytest.raises(DatabaseError):
            run("SELECT 1 / 0")
        with pytest.raises(DatabaseError) as caught:
            run("SELECT 1")
        transaction.savepoint_rollback(sid)
    assert shown(caught.value)


def test_value_out_of_range(scope):
    with pytest.raises(DatabaseError) as caught:
        AgentFactory(temperature=3)
    assert shown(caught.value)


def test_changing_the_audit_log(scope):
    with pytest.raises(DatabaseError) as caught:
        AuditLog.objects.update(actor="nobody")
    assert shown(caught.value)


def test_copy_under_policies(scope):
    connection.ensure_scope()
    cursor = connection.connection.cursor()
    with (
        pytest.raises(psycopg.Error) as caught,
        connection.connection.transaction(),
        cursor.copy("COPY agents_agent (id) FROM STDIN") as copy,
    ):
        copy.write("")
    assert shown(caught.value)


def test_statement_timeout(second_connection):
    with pytest.raises(psycopg.Error) as caught:
        second_connection().execute("SET statement_timeout = 50; SELECT pg_sleep(5)")
    assert shown(caught.value)


def test_lock_timeout(second_connection):
    owner = second_connection("conclave_owner", autocommit=False)
    owner.execute("LOCK agents_agent")
    with pytest.raises(psycopg.Error) as caught:
        second_connection("conclave_owner").execute("SET lock_timeout = 50; LOCK agents_agent")
    owner.rollback()
    assert shown(caught.value)


def test_hat_that_a_login_may_not_wear(second_connection):
    with pytest.raises(psycopg.Error) as caught:
        second_connection("conclave_public").execute("SET ROLE conclave_operator")
    assert shown(caught.value)


def test_copied_ciphertext(scope):
    one, other = IntegrationFactory(credentials={"key": "a"}), IntegrationFactory(credentials={"key": "b"})
    table, column = Integration._meta.db_table, Integration._meta.get_field("credentials").column
    run(
        f"UPDATE {table} SET {column} = (SELECT {column} FROM {table} WHERE id = %s) WHERE id = %s",
        one.id,
        other.id,
    )
    with pytest.raises(DecryptionError) as caught:
        Integration.objects.get(id=other.id).credentials  # noqa: B018
    assert shown(caught.value)


def test_lost_key(scope):
    made = IntegrationFactory(credentials={"key": "a"})
    keyring.clear_cache()
    with override_settings(CONCLAVE_KEKS=OTHER_KEK), pytest.raises(KeyringError) as caught:
        Integration.objects.get(id=made.id).credentials  # noqa: B018
    assert shown(caught.value)


def test_filter_by_a_secret(scope):
    with pytest.raises(FieldError) as caught:
        Integration.objects.filter(credentials="sk-1").count()
    assert shown(caught.value)


@pytest.fixture
def pooler(transactional_db):
    with run_pgbouncer() as running:
        yield running


@pytest.mark.slow
def test_prepared_statements_behind_a_pooler(pooler):
    with pooler.connect() as one, pooler.connect() as other:
        one.execute("SELECT 1", prepare=True)
        with pytest.raises(psycopg.Error) as caught:
            other.execute("SELECT 1", prepare=True)
    assert shown(caught.value)


@pytest.mark.slow
def test_options_of_a_connection_behind_a_pooler(pooler):
    fields = pooler.parameters | {"host": str(pooler.folder), "port": PORT}
    with pytest.raises(psycopg.Error) as caught:
        psycopg.connect(**fields, options="-c statement_timeout=5s")
    assert shown(caught.value)


def test_every_error_of_the_page_is_provoked_here():
    blocks = re.findall(r"(?ms)^```text\n(.*?)^```", PAGE.read_text())
    tests = [name for name, value in globals().items() if name.startswith("test_") and callable(value)]

    assert len(blocks) == len(set(blocks)) == len(tests) - 1
