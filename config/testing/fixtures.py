"""Fixtures for all tests.

| fixture | gives |
|---|---|
| `tenant`, `other_tenant` | two tenants without users |
| `member` | the administrator's membership of `tenant`, `member.user` is the user |
| `scope` | `tenant_scope(tenant, user=member.user)`, active during the test |
| `api_key(role=…, tenant=…, scopes=…)` | a new key of a new member; clients send `key.secret` |
| `api_client(role=…, …)` | Django's test client that sends such a key |
| `admin_client` | Django's test client, signed in as `member.user` |
| `staff_client` | Django's test client, signed in as a superuser without a tenant |
| `second_connection(login)` | a real psycopg connection of any login, autocommit |
| `superuser(sql)` | runs a script as the embedded server's superuser; skips the test on other servers |
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from config.postgres.logins import TEST
from config.testing.factories import factory_for


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Create the login of the tests before the first connection."""
    from config.testing.database import create_test_login

    create_test_login()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Restrict the test database; exit if the login bypasses row-level security."""
    from config.testing.database import restrict_database

    name = connection.settings_dict["NAME"]
    # pytest-django creates no test database if no collected test has the marker `django_db`.
    if name != connection.settings_dict["TEST"]["NAME"]:
        return
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT session_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user"
        )
        login, unbound = cursor.fetchone()
        if login != TEST or unbound:
            pytest.exit(f"tests must run as {TEST} under row-level security, not as {login}", 3)
        restrict_database(name)


@pytest.fixture
def tenant(db: None) -> Any:
    return factory_for("tenants.Tenant")()


@pytest.fixture
def other_tenant(db: None) -> Any:
    return factory_for("tenants.Tenant")()


def add_member(tenant: Any, role: str = "admin", **fields: Any) -> Any:
    """Create a user with `role` in `tenant`."""
    from config.tenancy.scope import tenant_scope

    user = factory_for("accounts.User")()
    with tenant_scope(tenant, actor="system:test"):
        return factory_for("accounts.Membership")(user=user, role=role, **fields)


@pytest.fixture
def member(tenant: Any) -> Any:
    return add_member(tenant)


@pytest.fixture
def scope(tenant: Any, member: Any) -> Iterator[Any]:
    from config.tenancy.scope import tenant_scope

    with tenant_scope(tenant, user=member.user) as opened:
        yield opened


@pytest.fixture
def api_key(request: pytest.FixtureRequest) -> Any:
    def make(role: str = "admin", *, tenant: Any = None, user: Any = None, **fields: Any) -> Any:
        from config.tenancy.scope import tenant_scope

        owner = tenant or request.getfixturevalue("tenant")
        user = user or add_member(owner, role).user
        with tenant_scope(owner, user=user):
            return factory_for("accounts.ApiKey")(user=user, **fields)

    return make


@pytest.fixture
def api_client(api_key: Any) -> Any:
    def make(role: str = "admin", **options: Any) -> Client:
        key = api_key(role, **options)
        client = Client(headers={"authorization": f"Bearer {key.secret}"})
        client.key = key  # type: ignore[attr-defined]
        return client

    return make


@pytest.fixture
def admin_client(member: Any) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


@pytest.fixture
def staff_client(db: None) -> Client:
    client = Client()
    user: Any = factory_for("accounts.User")(is_staff=True, is_superuser=True)
    client.force_login(user)
    return client


@pytest.fixture
def second_connection(db: None) -> Iterator[Any]:
    from config.testing.database import connect

    opened: list[Any] = []

    def make(login: str = TEST, **options: Any) -> Any:
        opened.append(connect(login, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def superuser(db: None) -> Any:
    from config.testing.database import as_superuser, has_superuser

    if not has_superuser():
        pytest.skip("a superuser is available only on the embedded server")
    return as_superuser
