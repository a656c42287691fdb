"""Proofs of scopes: coverage, expiry and replacement of keys."""

import time
from io import StringIO
from uuid import uuid4

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import override_settings

from accounts.models import User
from agents.models import Agent
from agents.tests.factories import AgentFactory
from audit.models import AuditLog
from config.db import scope_proofs
from config.db.scope_functions import SCOPE_PROOFS, SCOPE_PROOFS_REVERT
from config.db.session import APP, NO_SCOPE, SESSION_SQL, SETTINGS, RequestInfo, Scope
from config.postgres.logins import OWNER
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.database import connect

OLD, NEW = "o" * 40, "n" * 90
COUNT = "SELECT count(*) FROM agents_agent"


@pytest.fixture
def agent(transactional_db, tenant, member):
    with tenant_scope(tenant, user=member.user):
        return AgentFactory()


def scope_of(agent, **fields):
    return Scope(
        APP, agent.tenant_id, actor="system:test", request=RequestInfo("127.0.0.1", "id", "a"), **fields
    )


def count(web, values, proof):
    """Return the number of agents in the scope, or the error's message."""
    with web.transaction(force_rollback=True):
        web.execute(SESSION_SQL, [*values, proof])
        try:
            return web.execute(COUNT).fetchone()[0]
        except psycopg.errors.InsufficientPrivilege as error:
            return error.diag.message_primary


def install(keys):
    with override_settings(SCOPE_KEYS=keys), connect(OWNER) as owner, owner.transaction():
        scope_proofs.install_keys(owner.cursor())


@pytest.fixture
def restored_keys():
    yield
    with connect(OWNER) as owner, owner.transaction():
        scope_proofs.install_keys(owner.cursor())


def forgeries(values):
    """Yield the name and the values of scopes of which one value differs."""
    for place, name in enumerate(("role", *SETTINGS)):
        changed = [*values]
        changed[place] = "conclave_reader" if name == "role" else str(uuid4())
        yield name, changed


@pytest.mark.security("forged scope")
def test_proof_covers_role_and_every_setting(agent, second_connection, attacks):
    web, values = second_connection(), scope_of(agent).values()
    proof = scope_proofs.prove_scope(values)
    assert count(web, values, proof) == 1
    for name, changed in forgeries(values):
        attacks.attempt(name, succeeded=count(web, changed, proof) != "the scope is not proved")
    for place in (0, 8, 20):
        changed = proof[:place] + ("0" if proof[place] != "0" else "1") + proof[place + 1 :]
        attacks.attempt(f"digit {place}", succeeded=count(web, values, changed) != "the scope is not proved")


@pytest.mark.security("forged scope", mutation=True)
def test_every_value_could_be_forged_without_proofs(agent, second_connection, attacks):
    web, values = second_connection(), scope_of(agent).values()
    with connect(OWNER) as owner:
        owner.execute(SCOPE_PROOFS_REVERT)
        try:
            for name, changed in forgeries(values):
                attacks.attempt(name, succeeded=isinstance(count(web, changed, "forged"), int))
        finally:
            owner.execute(SCOPE_PROOFS)
    assert len(attacks.successes) == attacks.attempts


@pytest.mark.security("forged scope")
def test_expired_proof_is_refused(agent, second_connection, attacks):
    web, values = second_connection(), scope_of(agent).values()
    answer = count(web, values, scope_proofs.prove_scope(values, -2))
    attacks.attempt(succeeded=answer != "the proof of the scope has expired")


def test_transaction_keeps_its_scope_however_long_it_takes(agent, second_connection):
    web, values = second_connection(), scope_of(agent).values()
    with web.transaction():
        web.execute("SELECT 1")
        time.sleep(2.1)
        web.execute(SESSION_SQL, [*values, scope_proofs.prove_scope(values, -1)])
        assert web.execute(COUNT).fetchone() == (1,)


def test_no_proof_means_no_rows(agent, second_connection):
    assert count(second_connection(), scope_of(agent).values(), "") == 0


def test_line_feed_cannot_move_text_between_values():
    with pytest.raises(ValueError, match="line feed"):
        Scope(actor="user:a\nb").proof()
    assert Scope(request=RequestInfo(user_agent="a\nb")).proof()


def test_keys_are_replaced_without_downtime(agent, second_connection, restored_keys):
    web, values = second_connection(), scope_of(agent).values()

    def proof(keys):
        with override_settings(SCOPE_KEYS=keys):
            return scope_proofs.prove_scope(values)

    install(OLD)
    assert count(web, values, proof(OLD)) == 1
    install(f"{OLD},{NEW}")
    assert [count(web, values, proof(keys)) for keys in (f"{OLD},{NEW}", f"{NEW},{OLD}")] == [1, 1]
    install(NEW)
    assert count(web, values, proof(NEW)) == 1
    assert count(web, values, proof(OLD)) == "the scope is not proved"


@pytest.mark.parametrize("keys", ["", " , ", "short", f"{OLD},short"])
def test_missing_and_short_keys_are_refused(keys):
    with override_settings(SCOPE_KEYS=keys), pytest.raises(ImproperlyConfigured, match="CONCLAVE_SCOPE_KEYS"):
        NO_SCOPE.proof()


def test_sign_in_work_needs_no_transaction(agent, member):
    assert connection.get_autocommit()
    assert User.objects.filter(pk=member.user.pk).exists()
    with transaction.atomic():
        assert User.objects.filter(pk=member.user.pk).exists()


def test_proof_of_a_statement_ends_with_it(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT conclave_identity_scope()")
        assert cursor.fetchone() == (True,)
        row = connection.connection.execute("SELECT current_setting('app.scope_proof', true)").fetchone()
    assert row == ("",)


def test_failed_statement_outside_a_transaction_leaves_a_usable_connection(transactional_db):
    with connection.cursor() as cursor:
        with pytest.raises(Exception, match="division by zero"):
            cursor.execute("SELECT 1/0")
        cursor.execute("SELECT conclave_identity_scope()")
        assert cursor.fetchone() == (True,)


def test_command_opens_one_tenant_to_the_reader(agent, other_tenant, second_connection):
    out = StringIO()
    call_command("scope_proof", "--tenant", agent.tenant.slug, "--minutes", "5", stdout=out)
    reader = second_connection()
    with reader.transaction():
        reader.execute(out.getvalue())
        assert reader.execute(COUNT).fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), reader.transaction():
            reader.execute("DELETE FROM agents_agent")
    with tenant_scope(other_tenant, actor="system:test"):
        assert Agent.objects.count() == 0


def test_command_records_whose_rows_the_proof_opens(agent, member):
    slug, email = agent.tenant.slug, member.user.email
    call_command("scope_proof", "--tenant", slug, "--user", email, "--minutes", "5", stdout=StringIO())
    with platform_scope(reason="read the audit log"):
        rows = AuditLog.objects.filter(action="platform.scope_opened")
        reasons = list(rows.values_list("metadata__reason", flat=True))
    assert f"scope_proof for {slug} as {email}, 5 minutes" in reasons


@pytest.mark.parametrize("arguments", [["--tenant", "none"], ["--tenant", "x", "--minutes", "0"]])
def test_command_rejects(transactional_db, arguments):
    with pytest.raises(CommandError):
        call_command("scope_proof", *arguments)
