"""Attacks of members who manage roles and API keys but are not administrators."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Role, RoleAssignment
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member

RIGHTS = [f"{name}:{verb}" for name in ("members", "roles", "api-keys") for verb in ("read", "write")]
JSON = "application/json"


@pytest.fixture
def manager(tenant):
    """A member who manages members, roles and keys but is not an administrator."""
    return add_member(tenant, "viewer", permissions=RIGHTS)


@pytest.fixture
def rows(tenant, member, api_key):
    """Rows that hold more than the manager does."""
    with tenant_scope(tenant, user=member.user):
        role = Role.objects.create(slug="auditor", name="Auditor", permissions=["audit:read"])
        assignment = RoleAssignment.objects.create(user=member.user, role=role)
    key = api_key("admin", user=member.user)
    return {"roles": role, "role-assignments": assignment, "api-keys": key}


CHANGES = {
    "roles": ({"permissions": []}, {"slug": "other"}, {"description": "Other"}),
    "role-assignments": ({"is_active": False}, {"expires_at": "2020-01-01T00:00:00Z"}),
    "api-keys": (
        {"scopes": []},
        {"rate_limit": 1},
        {"expires_at": "2999-01-01T00:00:00Z"},
        {"name": "Other"},
    ),
}


def state(tenant, row):
    with tenant_scope(tenant, actor="system:test"):
        return type(row).objects.filter(pk=row.pk).values().first()


def attack_api(client, rows, tenant, attacks):
    for resource, row in rows.items():
        url, before = f"/api/v1/{resource}/{row.pk}/", state(tenant, row)
        for change in CHANGES[resource]:
            client.patch(url, change, content_type=JSON)
            attacks.attempt(f"PATCH {resource} {change}", succeeded=state(tenant, row) != before)
        client.delete(url)
        attacks.attempt(f"DELETE {resource}", succeeded=state(tenant, row) != before)


@pytest.mark.security("privilege escalation")
def test_api_keeps_rows_that_hold_more(api_client, manager, rows, tenant, attacks):
    attack_api(api_client(user=manager.user), rows, tenant, attacks)


@pytest.mark.security("privilege escalation", mutation=True)
def test_api_attack_succeeds_without_the_check(api_client, manager, rows, tenant, attacks, monkeypatch):
    monkeypatch.setattr("config.api.credentials.Credential.beyond", lambda credential, scopes: [])
    attack_api(api_client(user=manager.user), rows, tenant, attacks)


@pytest.mark.security("privilege escalation")
def test_a_narrow_key_of_an_administrator_keeps_rows_that_hold_more(
    api_client, member, rows, tenant, attacks
):
    attack_api(api_client(user=member.user, scopes=RIGHTS), rows, tenant, attacks)


@pytest.mark.parametrize("resource", ["roles", "role-assignments", "api-keys"])
def test_api_names_the_missing_permissions(api_client, manager, rows, resource):
    response = api_client(user=manager.user).delete(f"/api/v1/{resource}/{rows[resource].pk}/")
    assert (response.status_code, response.json()["code"]) == (403, "beyond_own_rights")
    assert ("audit:read" if resource != "api-keys" else "*:*") in response.json()["detail"]


@pytest.mark.security("privilege escalation")
def test_console_keeps_rows_that_hold_more(manager, rows, tenant, attacks):
    client = Client()
    client.force_login(manager.user)
    forms = {
        "role": {"name": "X", "slug": "x", "description": "", "permissions": "[]"},
        "roleassignment": {"user": manager.user_id, "role": rows["roles"].pk, "scope": "tenant"},
        "apikey": {"name": "X", "scopes": "[]", "rate_limit": "1", "metadata": "{}"},
    }
    for (name, form), row in zip(forms.items(), rows.values(), strict=True):
        form |= {"expires_at_0": "", "expires_at_1": ""}
        page, before = f"/console/accounts/{name}/", state(tenant, row)
        client.post(f"{page}{row.pk}/change/", form)
        client.post(f"{page}{row.pk}/delete/", {"post": "yes"})
        for action in ("delete_selected", "revoke"):
            client.post(page, {"action": action, "_selected_action": [str(row.pk)], "post": "yes"})
        attacks.attempt(name, succeeded=state(tenant, row) != before)


def test_managers_change_rows_that_hold_less(api_client, manager, tenant):
    client = api_client(user=manager.user)
    with tenant_scope(tenant, actor="system:test"):
        role = Role.objects.create(slug="reader", name="Reader", permissions=["members:read"])
        other = RoleAssignment.objects.create(user=manager.user, role=role)
    assert client.patch(f"/api/v1/roles/{role.pk}/", {"name": "R"}, content_type=JSON).status_code == 200
    assert client.delete(f"/api/v1/role-assignments/{other.pk}/").status_code == 204
    assert client.delete(f"/api/v1/roles/{role.pk}/").status_code == 204


def test_users_rename_and_revoke_their_own_keys(api_client, api_key, manager, tenant):
    own = api_key(user=manager.user, scopes=["*"])
    client, url = api_client(user=manager.user), f"/api/v1/api-keys/{own.pk}/"
    assert client.patch(url, {"name": "Mine"}, content_type=JSON).status_code == 200
    assert client.delete(url).status_code == 204
    assert state(tenant, own)["status"] == "revoked"


@pytest.fixture
def system_role(tenant):
    from config.testing.roles import as_platform

    with as_platform():
        return Role.objects.create(
            tenant_id=tenant.pk, slug="auditor", name="Auditor", permissions=["audit:read"], is_system=True
        )


@pytest.mark.security("privilege escalation")
@pytest.mark.parametrize("change", [{"slug": "x"}, {"permissions": ["*"]}, {"permissions": []}])
def test_system_roles_keep_slug_and_permissions(
    api_client, admin_client, system_role, tenant, change, attacks
):
    url = f"/api/v1/roles/{system_role.pk}/"
    response = api_client().patch(url, change, content_type=JSON)
    assert (response.status_code, response.json()["code"]) == (403, "system_role")
    form = {"name": "Auditor", "slug": "auditor", "description": "", "permissions": '["audit:read"]'} | change
    admin_client.post(f"/console/accounts/role/{system_role.pk}/change/", form)
    now = state(tenant, system_role)
    attacks.attempt(succeeded=(now["slug"], now["permissions"]) != ("auditor", ["audit:read"]))


def test_system_roles_are_not_deleted(api_client, admin_client, system_role, tenant):
    response = api_client().delete(f"/api/v1/roles/{system_role.pk}/")
    assert (response.status_code, response.json()["code"]) == (403, "system_role")
    assert (
        admin_client.post(f"/console/accounts/role/{system_role.pk}/delete/", {"post": "yes"}).status_code
        == 403
    )
    assert (
        api_client()
        .patch(f"/api/v1/roles/{system_role.pk}/", {"description": "Reads the log."}, content_type=JSON)
        .status_code
        == 200
    )


SYSTEM_ROLE_SQL = (
    "UPDATE accounts_role SET permissions = '[\"*\"]' WHERE is_system",
    "UPDATE accounts_role SET slug = 'x' WHERE is_system",
    "UPDATE accounts_role SET is_system = false WHERE is_system",
    "DELETE FROM accounts_role WHERE is_system",
)
KEY_SQL = (
    "UPDATE accounts_apikey SET status = 'active' WHERE name = 'Revoked'",
    "UPDATE accounts_apikey SET expires_at = NULL WHERE name = 'Expired'",
    "UPDATE accounts_apikey SET expires_at = now() + interval '1 day' WHERE name = 'Expired'",
)


@pytest.fixture
def ended_keys(api_key, member):
    api_key(user=member.user, name="Revoked", status="revoked")
    api_key(user=member.user, name="Expired", expires_at=timezone.now() - timedelta(days=1))


def attack_sql(tenant, user, attacks):
    for statement in SYSTEM_ROLE_SQL + KEY_SQL:
        try:
            with tenant_scope(tenant, user=user), connection.cursor() as cursor:
                cursor.execute(statement)
                changed = cursor.rowcount
        except DatabaseError:
            changed = 0
        attacks.attempt(statement, succeeded=changed > 0)


@pytest.mark.security("privilege escalation")
def test_sql_keeps_system_roles_and_ended_keys(tenant, member, system_role, ended_keys, attacks):
    attack_sql(tenant, member.user, attacks)


@pytest.mark.django_db(transaction=True)
@pytest.mark.security("privilege escalation", mutation=True)
def test_sql_attack_succeeds_without_the_triggers(
    tenant, member, system_role, ended_keys, attacks, second_connection
):
    owner = second_connection("conclave_owner")
    tables = ("accounts_role", "accounts_apikey")
    for table in tables:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    try:
        attack_sql(tenant, member.user, attacks)
    finally:
        for table in tables:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_the_hash_of_a_key_cannot_be_changed(api_key, member, tenant):
    key = api_key(user=member.user)
    key.key_hash = bytes(32)
    with (
        pytest.raises(DatabaseError, match="the hash of an API key cannot be changed"),
        tenant_scope(tenant, user=member.user),
    ):
        key.save()


@pytest.mark.parametrize("status", ["active", "revoked"])
def test_expired_keys_stay_expired(api_client, api_key, member, status):
    key = api_key(user=member.user, expires_at=timezone.now() - timedelta(days=1), status=status)
    for expiry in (None, "2999-01-01T00:00:00Z"):
        response = api_client(user=member.user).patch(
            f"/api/v1/api-keys/{key.pk}/", {"expires_at": expiry}, content_type=JSON
        )
        assert response.status_code == 400
        assert response.json()["errors"][0]["pointer"] == "/expires_at"


def test_rate_limit_has_a_ceiling_by_plan(api_client, member, tenant):
    from config.testing.roles import as_platform
    from tenants.tests.factories import SubscriptionFactory, SubscriptionPlanFactory

    client = api_client(user=member.user, rate_limit=10_000)
    body = {"name": "Fast", "rate_limit": 6001}
    response = client.post("/api/v1/api-keys/", body, content_type=JSON)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/rate_limit")
    assert "at most 6000 requests per minute" in response.json()["detail"]
    with as_platform():
        plan = SubscriptionPlanFactory(max_key_rate_limit=9000)
        SubscriptionFactory(tenant=tenant, plan=plan, status="active")
    response = client.post("/api/v1/api-keys/", body, content_type=JSON)
    assert response.status_code == 201, response.content
    with as_platform():
        type(tenant).objects.filter(pk=tenant.pk).update(max_key_rate_limit=100)
    assert (
        client.post("/api/v1/api-keys/", {"name": "Default"}, content_type=JSON).json()["rate_limit"] == 100
    )
    assert client.post("/api/v1/api-keys/", body | {"rate_limit": 101}, content_type=JSON).status_code == 400


@pytest.mark.security("privilege escalation")
def test_a_key_makes_no_key_that_outlives_or_outruns_it(api_client, member, tenant, attacks):
    soon = timezone.now() + timedelta(hours=1)
    client = api_client(user=member.user, expires_at=soon, rate_limit=50)
    own = f"/api/v1/api-keys/{client.key.pk}/"
    for change in ({"expires_at": None}, {"expires_at": "2999-01-01T00:00:00Z"}, {"rate_limit": 51}):
        response = client.patch(own, change, content_type=JSON)
        attacks.attempt(f"PATCH {change}", succeeded=response.status_code != 403)
        response = client.post(
            "/api/v1/api-keys/", {"name": "Next", "expires_at": soon} | change, content_type=JSON
        )
        attacks.attempt(f"POST {change}", succeeded=response.status_code != 403)
    body = {"name": "Next", "expires_at": soon}
    assert client.post("/api/v1/api-keys/", body, content_type=JSON).json()["rate_limit"] == 50
    with tenant_scope(tenant, actor="system:test"):
        assert ApiKey.objects.count() == 2
