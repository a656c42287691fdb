"""The database backend that sets the scope of transactions."""

import psycopg
import pytest
from django.db import DataError, connection, transaction

from config.db.session import (
    APP,
    NO_SCOPE,
    OPERATOR,
    SESSION_SQL,
    Scope,
    ScopeError,
    apply_scope,
    session_sql,
)
from config.postgres.logins import TEST
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from tenants.models import Engagement
from tenants.tests.factories import EngagementFactory, TenantFactory


def one(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchone()[0]


def tenant_setting():
    return one("SELECT current_setting('app.current_tenant_id', true)")


@pytest.fixture
def committed(transactional_db):
    """Two tenants with two engagements each, committed."""
    tenants = [TenantFactory(), TenantFactory()]
    for tenant in tenants:
        with tenant_scope(tenant, user=add_member(tenant).user):
            EngagementFactory.create_batch(2)
    return tenants


@pytest.mark.django_db(transaction=True)
def test_statement_outside_a_transaction_is_refused_while_a_scope_is_open():
    with (
        apply_scope(Scope(APP, actor="system:test")),
        pytest.raises(ScopeError, match="no transaction"),
    ):
        one("SELECT 1")


def test_second_tenant_in_one_transaction_is_refused(committed):
    first, second = committed
    with tenant_scope(first):
        assert Engagement.objects.count() == 2
        with tenant_scope(second), pytest.raises(ScopeError, match="belongs to"):
            Engagement.objects.count()


def test_scope_in_a_transaction_opened_outside_it_is_refused(committed):
    with transaction.atomic(), tenant_scope(committed[0]), pytest.raises(ScopeError, match="another login"):
        Engagement.objects.count()


def test_tenant_scope_inside_another_one_is_refused(committed):
    first, second = committed
    with tenant_scope(first):
        Engagement.objects.count()
        with tenant_scope(second), pytest.raises(ScopeError, match="belongs to"):
            Engagement.objects.count()


def test_more_rights_in_one_transaction_are_refused(committed):
    first, _ = committed
    with tenant_scope(first):
        Engagement.objects.count()
        with apply_scope(Scope(OPERATOR)), pytest.raises(ScopeError):
            Engagement.unscoped.count()


def test_scope_comes_back_after_a_savepoint_is_rolled_back(scope):
    before = tenant_setting()
    with pytest.raises(DataError), transaction.atomic():
        one("SELECT set_config('app.current_tenant_id', '', true)::int / 0")
    assert tenant_setting() == before != ""


def test_scope_set_inside_a_rolled_back_savepoint_is_set_again(committed):
    first, _ = committed
    with tenant_scope(first):
        sid = transaction.savepoint()
        assert Engagement.objects.count() == 2
        transaction.savepoint_rollback(sid)
        assert Engagement.objects.count() == 2


def test_scope_is_gone_after_the_transaction(committed):
    first, _ = committed
    with tenant_scope(first):
        assert tenant_setting() == str(first.pk)
    with transaction.atomic():
        assert tenant_setting() == ""
        assert one("SELECT current_setting('role')") == "none"
    assert tenant_setting() == ""


def test_empty_setting_of_a_reused_connection_means_no_tenant(second_connection, committed):
    web = second_connection()
    with web.transaction():
        web.execute(SESSION_SQL, Scope(APP, committed[0].pk).params())
    with web.transaction():
        assert web.execute("SELECT current_setting('app.current_tenant_id', true)").fetchone() == ("",)
        web.execute("SET LOCAL ROLE conclave_app")
        assert web.execute("SELECT count(*) FROM tenants_engagement").fetchone() == (0,)


@pytest.mark.parametrize(("session_wide", "seen"), [(False, 0), (True, 2)])
def test_session_level_settings_leak_and_ours_do_not(second_connection, committed, session_wide, seen):
    web = second_connection()
    statement = session_sql(local=not session_wide)
    with web.transaction():
        web.execute(statement, Scope(APP, committed[0].pk).params())
    with web.transaction():
        web.execute("SET LOCAL ROLE conclave_app")
        assert web.execute("SELECT count(*) FROM tenants_engagement").fetchone() == (seen,)


def test_garbage_for_a_tenant_is_an_error_not_a_row(second_connection, committed):
    web = second_connection()
    with web.transaction():
        web.execute(SESSION_SQL, Scope(APP, "garbage").params())
        with pytest.raises(psycopg.errors.InvalidTextRepresentation), web.transaction():
            web.execute("SELECT count(*) FROM tenants_engagement")


def test_closed_connection_forgets_its_scope(committed):
    first, _ = committed
    with tenant_scope(first):
        assert Engagement.objects.count() == 2
    connection.close()
    with tenant_scope(first):
        assert Engagement.objects.count() == 2


def test_psycopg_cursor_sees_the_scope_after_ensure_scope(committed):
    first, _ = committed
    with tenant_scope(first):
        connection.ensure_scope()
        with connection.connection.cursor() as cursor:
            assert cursor.execute("SELECT count(*) FROM tenants_engagement").fetchone()[0] in (2, "2")


def test_no_scope_has_no_role():
    assert NO_SCOPE.binding == ("none", "")
    assert len(NO_SCOPE.params()) == SESSION_SQL.count("%s")


def test_owner_creates_the_test_database_and_the_login_uses_it(db):
    assert one("SELECT session_user::text") == TEST
    assert one(
        "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()"
    ) == ("conclave_owner")
