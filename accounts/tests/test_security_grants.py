"""Tests that users cannot grant or revoke permissions that they do not have."""

import pytest
from django.test import Client

from accounts.models import Invitation, Membership, Role, RoleAssignment
from accounts.roles import role_scopes
from config.api.scopes import beyond, covers
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member

RIGHTS = [f"{name}:{verb}" for name in ("members", "roles", "api-keys") for verb in ("read", "write")]
JSON = "application/json"


@pytest.fixture
def clerk(tenant):
    """A member who manages members and roles but is not an administrator."""
    return add_member(tenant, "viewer", permissions=RIGHTS)


@pytest.fixture
def console(clerk):
    client = Client()
    client.force_login(clerk.user)
    return client


def fresh(tenant, row):
    with tenant_scope(tenant, actor="system:test"):
        return type(row).objects.get(pk=row.pk)


def membership(role="viewer", status="active", permissions="[]"):
    times = {"joined_at_0": "", "joined_at_1": ""}
    return {"role": role, "status": status, "permissions": permissions, **times}


@pytest.mark.parametrize(
    ("scopes", "scope", "covered"),
    [
        (["*"], "*", True),
        (["agents:*"], "agents:write", True),
        (["agents:read"], "agents:*", False),
        (["*:read"], "*:read", True),
        (["*:read"], "*", False),
        (["agents:read", "agents:write"], "*:*", False),
    ],
)
def test_covering(scopes, scope, covered):
    assert covers(scopes, scope) is covered


def test_permissions_that_are_not_text_are_not_covered():
    assert beyond(["*"], [{"a": 1}, None, "agents:read"]) == ["None", "{'a': 1}"]


@pytest.mark.parametrize("wanted", [{"role": "admin"}, {"permissions": '["*"]'}, {"permissions": '{"*": 1}'}])
def test_the_console_lets_nobody_raise_themselves(console, clerk, tenant, wanted):
    url = f"/console/accounts/membership/{clerk.pk}/change/"
    assert console.post(url, membership(permissions='["members:read"]') | wanted).status_code == 200
    row = fresh(tenant, clerk)
    assert (row.role, row.permissions) == ("viewer", RIGHTS)


def test_console_cannot_demote_more_privileged_members(console, member, tenant):
    add_member(tenant, "admin")
    response = console.post(
        f"/console/accounts/membership/{member.pk}/change/", membership("admin", "suspended")
    )
    assert response.status_code == 403
    console.post(f"/console/accounts/membership/{member.pk}/delete/", {"post": "yes"})
    assert fresh(tenant, member).status == "active"


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("viewer", 302)])
def test_console_cannot_invite_more_privileged_members(console, clerk, tenant, role, status):
    with tenant_scope(tenant, actor="system:test"):
        Membership.objects.update(permissions=[*RIGHTS, *sorted(role_scopes("viewer"))])
    body = {"email": "second.self@example.org", "role": role, "expires_at_0": "", "expires_at_1": ""}
    assert console.post("/console/accounts/invitation/add/", body).status_code == status
    with tenant_scope(tenant, actor="system:test"):
        assert Invitation.objects.filter(role=role).exists() is (status == 302)


def test_the_console_keeps_the_last_administrator(admin_client, member, tenant):
    admin_client.post(f"/console/accounts/membership/{member.pk}/delete/", {"post": "yes"})
    url = f"/console/accounts/membership/{member.pk}/change/"
    assert admin_client.post(url, membership("viewer")).status_code == 200
    assert fresh(tenant, member).role == "admin"


def test_an_administrator_still_changes_members_in_the_console(admin_client, clerk, tenant):
    url = f"/console/accounts/membership/{clerk.pk}/change/"
    assert admin_client.post(url, membership("analyst", permissions='["audit:read"]')).status_code == 302
    assert (fresh(tenant, clerk).role, fresh(tenant, clerk).permissions) == ("analyst", ["audit:read"])


def test_the_console_makes_no_role_beyond_its_maker(console, tenant):
    body = {"name": "X", "slug": "x", "description": "", "permissions": '["*:*"]'}
    assert console.post("/console/accounts/role/add/", body).status_code == 200
    with tenant_scope(tenant, actor="system:test"):
        assert not Role.objects.exists()


def test_the_console_assigns_no_role_beyond_the_assigner(console, clerk, tenant):
    with tenant_scope(tenant, actor="system:test"):
        role = Role.objects.create(slug="boss", name="Boss", permissions=["*"])
    body = {"user": clerk.user_id, "role": role.pk, "scope": "tenant", "engagement": "", "is_active": "on"}
    body |= {"expires_at_0": "", "expires_at_1": ""}
    assert console.post("/console/accounts/roleassignment/add/", body).status_code == 200
    with tenant_scope(tenant, actor="system:test"):
        assert not RoleAssignment.objects.exists()


def test_the_console_changes_no_key_of_another(console, api_key, tenant):
    key = api_key("admin", scopes=["agents:read"])
    body = {"name": "n", "scopes": '["*"]', "rate_limit": "600", "metadata": "{}"}
    body |= {"expires_at_0": "", "expires_at_1": ""}
    console.post(f"/console/accounts/apikey/{key.pk}/change/", body)
    assert fresh(tenant, key).scopes == ["agents:read"]


def test_api_cannot_demote_more_privileged_members(api_client, clerk, member, tenant):
    add_member(tenant, "admin")
    client, url = api_client(user=clerk.user, scopes=["*"]), f"/api/v1/members/{member.pk}/"
    changed = client.patch(url, {"status": "suspended"}, content_type=JSON)
    assert (changed.status_code, changed.json()["code"]) == (403, "beyond_own_rights")
    assert client.delete(url).status_code == 403
    assert fresh(tenant, member).status == "active"


def test_api_can_suspend_less_privileged_members(api_client, clerk, tenant):
    other = add_member(tenant, "viewer")
    with tenant_scope(tenant, actor="system:test"):
        Membership.objects.filter(pk=clerk.pk).update(role="user")
    client = api_client(user=clerk.user, scopes=["members:write", "members:read"])
    response = client.patch(f"/api/v1/members/{other.pk}/", {"status": "suspended"}, content_type=JSON)
    assert response.status_code == 200, response.content


def test_the_api_changes_no_key_of_another(api_client, api_key, clerk, tenant):
    key = api_key("admin", scopes=["agents:read"])
    response = api_client(user=clerk.user, scopes=["*"]).patch(
        f"/api/v1/api-keys/{key.pk}/", {"rate_limit": 10**6}, content_type=JSON
    )
    assert (response.status_code, response.json()["code"]) == (403, "not_own_key")
