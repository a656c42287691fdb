"""Connections of tenant and platform scopes, which use separate logins."""

import pytest
from django.contrib.postgres.signals import get_hstore_oids
from django.db import connections, transaction
from django.db.utils import ConnectionHandler, ProgrammingError

from config.db.session import APP, OPERATOR, READER, Scope, ScopeError, apply_scope
from config.postgres.logins import PLATFORM, PUBLIC, TENANT, WEB, WORKER
from config.settings.databases import database_for
from config.tenancy.scope import ScopedTransaction
from config.testing.database import connect
from tenants.tests.factories import TenantFactory

ROLES = {APP: TENANT, READER: TENANT, OPERATOR: PLATFORM}


@pytest.fixture(params=["kept connections", "pool"])
def open_connection(request, transactional_db, monkeypatch):
    """Return a function that replaces the default connection by one with a serving process's logins."""
    if request.param == "pool":
        monkeypatch.setenv("DATABASE_POOL", "3")
    before, opened = connections["default"], []

    def open_as(login=WEB):
        settings = database_for(login) | {"NAME": before.settings_dict["NAME"]}
        opened.append(ConnectionHandler({"default": settings})["default"])
        connections["default"] = opened[-1]
        return opened[-1]

    yield open_as
    connections["default"] = before
    for each in opened:
        each.close()
        each.close_pool()


def ask(connection, sql="SELECT session_user::text"):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


@pytest.mark.parametrize("role", ROLES)
def test_each_scope_uses_its_login(role, open_connection):
    opened = open_connection()
    for _ in range(2):
        with ScopedTransaction(Scope(role, actor="system:test")):
            assert ask(opened) == ROLES[role]
            assert ask(opened, "SELECT current_user::text") == role
        assert ask(opened) == WEB


def test_a_transaction_outside_scopes_uses_the_own_login(open_connection):
    opened = open_connection()
    with ScopedTransaction(Scope(APP)):
        ask(opened)
    with transaction.atomic():
        assert ask(opened) == WEB


def test_functions_on_commit_run_outside_the_scope(open_connection):
    opened, seen = open_connection(), []
    with ScopedTransaction(Scope(APP)):
        ask(opened)
        transaction.on_commit(lambda: seen.append(ask(opened)))
    assert seen == [WEB]


@pytest.mark.parametrize("role", ROLES)
def test_the_first_connection_of_a_process_can_be_that_of_a_scope(role, open_connection):
    get_hstore_oids.cache_clear()  # Django reads the types on the first connection
    opened = open_connection()
    with ScopedTransaction(Scope(role, actor="system:test")):
        assert ask(opened) == ROLES[role]


def test_an_error_in_a_scope_rolls_back_and_the_next_one_works(open_connection):
    opened = open_connection()
    with pytest.raises(ProgrammingError), ScopedTransaction(Scope(APP)):
        ask(opened, "SELECT nothing")
    with ScopedTransaction(Scope(APP)):
        assert ask(opened) == TENANT


def test_a_connection_that_the_server_ended_is_replaced(open_connection, superuser):
    opened = open_connection()
    with ScopedTransaction(Scope(APP)):
        ask(opened)
    ask(opened)
    superuser(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{TENANT}'")
    opened.close_if_unusable_or_obsolete()
    with ScopedTransaction(Scope(APP)):
        assert ask(opened) == TENANT


def test_closing_leaves_no_connection_open(open_connection):
    opened = open_connection()
    with ScopedTransaction(Scope(APP)):
        ask(opened)
        tenant = opened.connection
    ask(opened)
    own = opened.connection
    opened.close()
    opened.close_pool()
    assert (tenant.closed, own.closed) == (True, True)


def test_obsolete_connections_of_other_logins_are_closed(open_connection):
    opened = open_connection()
    with ScopedTransaction(Scope(APP)):
        ask(opened)
    ask(opened)
    opened._parked = {login: each._replace(close_at=0) for login, each in opened._parked.items()}
    opened.close_if_unusable_or_obsolete()
    assert opened._parked == {}


def test_the_database_refuses_the_platform_scope_to_a_public_api(open_connection):
    opened = open_connection(PUBLIC)
    with ScopedTransaction(Scope(APP)):
        assert ask(opened) == TENANT
    with (
        pytest.raises(ProgrammingError, match="permission denied to set role"),
        ScopedTransaction(Scope(OPERATOR)),
    ):
        ask(opened)


def test_the_worker_replaces_the_limits_of_requests(open_connection):
    opened = open_connection(WORKER)
    with ScopedTransaction(Scope(APP)):
        names = ("statement_timeout", "lock_timeout", "plan_cache_mode")
        assert [ask(opened, f"SHOW {name}") for name in names] == ["0", "1min", "auto"]
    assert ask(opened) == WORKER
    with connect(TENANT) as tenant:
        assert tenant.execute("SHOW statement_timeout").fetchone() == ("1min",)


def test_a_scope_in_a_transaction_of_another_login_is_refused(open_connection):
    opened = open_connection()
    with transaction.atomic(), apply_scope(Scope(APP)), pytest.raises(ScopeError, match="another login"):
        ask(opened)


def test_scopes_read_their_rows_by_their_logins(open_connection):
    tenant = TenantFactory()
    opened = open_connection()
    for scope in (Scope(APP, tenant.pk), Scope(OPERATOR, actor="system:test")):
        with ScopedTransaction(scope):
            assert ask(opened, "SELECT count(*) FROM tenants_tenant") == 1


def test_pools_stay_within_the_total(monkeypatch):
    monkeypatch.setenv("DATABASE_POOL", "24")
    settings = database_for(WEB)
    sizes = [settings["OPTIONS"]["pool"]["max_size"], *(each["POOL"] for each in settings["LOGINS"].values())]
    assert sizes == [6, 15, 3]


def test_logins_of_scopes_default_to_the_url_of_the_process(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://conclave_web:secret@db.example:6432/conclave")
    monkeypatch.setenv("DATABASE_PLATFORM_URL", "postgres://conclave_platform:other@db.example:5432/conclave")
    logins = database_for(WEB)["LOGINS"]
    assert [(each["USER"], each["PASSWORD"], each["PORT"]) for each in logins.values()] == [
        (TENANT, "secret", 6432),
        (PLATFORM, "other", 5432),
    ]


@pytest.mark.parametrize("login", [WEB, PUBLIC])
def test_a_public_api_has_no_login_for_platform_scopes(login, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"postgres://{login}:secret@db.example/conclave")
    assert list(database_for(WEB)["LOGINS"]) == ([TENANT, PLATFORM] if login == WEB else [TENANT])
