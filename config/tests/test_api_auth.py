"""API authentication, tenant selection, permissions and error responses."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Membership, User
from accounts.tests.factories import MembershipFactory, RoleAssignmentFactory, RoleFactory
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.fixtures import add_member
from config.testing.roles import as_identity
from tenants.models import Tenant

AGENTS = "/api/v1/agents/"
ME = "/api/v1/me/"
pytestmark = pytest.mark.django_db


def problem(response, status, code):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == response["X-Request-ID"]
    return body


def as_platform(change):
    with platform_scope(reason="test"):
        change()


def bearer(secret):
    return Client(headers={"authorization": f"Bearer {secret}"})


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


def test_no_credential_is_401_with_challenge():
    response = Client().get(AGENTS)

    problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", ["Bearer x", "Bearer cvk_live_" + "0" * 49, "Basic YTpi", "Bearer", "Bearer ü"]
)
def test_malformed_credentials_are_401(header):
    response = Client(headers={"authorization": header}).get(AGENTS)

    problem(response, 401, "invalid_credential")


def test_unknown_key_is_401():
    from accounts.keys import generate_key

    problem(bearer(generate_key().secret).get(AGENTS), 401, "invalid_credential")


@pytest.mark.parametrize(
    "fields",
    [{"status": "revoked"}, {"expires_at": timezone.now() - timedelta(seconds=1)}],
    ids=["revoked", "expired"],
)
def test_revoked_and_expired_keys_are_401(fields, api_client):
    problem(api_client(**fields).get(AGENTS), 401, "invalid_credential")


def test_key_of_an_inactive_person_is_401(api_client):
    client = api_client()
    with as_identity():
        User.objects.filter(pk=client.key.user_id).update(is_active=False)

    problem(client.get(AGENTS), 401, "invalid_credential")


@pytest.mark.parametrize("status", ["suspended", "deleted"])
def test_inactive_tenant_is_403_with_its_reason(status, api_client, tenant):
    client = api_client()
    as_platform(lambda: Tenant.objects.filter(pk=tenant.pk).update(status=status))

    problem(client.get(AGENTS), 403, f"tenant_{status}")


def test_inactive_membership_is_403(api_client):
    client = api_client()
    as_platform(lambda: Membership.unscoped.filter(user_id=client.key.user_id).update(status="suspended"))

    problem(client.get(AGENTS), 403, "membership_inactive")


def test_key_use_is_noted(api_client):
    client = api_client()
    client.get(ME)

    with tenant_scope(client.key.tenant_id):
        assert ApiKey.objects.get(pk=client.key.pk).last_used_at is not None


def test_session_of_one_membership_needs_no_header(admin_client, member):
    body = admin_client.get(ME).json()

    assert body["kind"] == "session"
    assert body["tenant"] == str(member.tenant_id)
    assert body["person"]["email"] == member.user.email


def test_session_keeps_its_tenant_when_a_membership_is_added(admin_client, member, tenant, other_tenant):
    before = admin_client.get(ME).json()["tenant_slug"]
    with tenant_scope(other_tenant, actor="system:test"):
        MembershipFactory(user=member.user, role="viewer")

    after = admin_client.get(ME)
    chosen = admin_client.get(ME, headers={"X-Tenant": other_tenant.slug}).json()

    assert (after.status_code, before, after.json()["tenant_slug"]) == (200, tenant.slug, tenant.slug)
    assert admin_client.get("/console/").context["console"].tenant_access.slug == tenant.slug
    assert (chosen["tenant_slug"], chosen["role"]) == (other_tenant.slug, "viewer")


def test_session_without_a_request_keeps_the_oldest_membership(admin_client, member, tenant, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        MembershipFactory(user=member.user, role="viewer")

    assert admin_client.get(ME).json()["tenant_slug"] == tenant.slug


def test_chosen_tenant_opens_after_signing_in(admin_client, member, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        MembershipFactory(user=member.user, role="viewer")
    admin_client.post("/console/switch/", {"tenant": other_tenant.pk})

    later = Client()
    later.force_login(member.user)

    assert later.get("/console/").context["console"].tenant_access.slug == other_tenant.slug
    assert later.get(ME).json()["tenant_slug"] == other_tenant.slug


def test_subdomain_chooses_the_tenant(admin_client, member, other_tenant, settings):
    settings.TENANT_DOMAIN = "conclave.test"
    settings.ALLOWED_HOSTS = [".conclave.test"]
    with tenant_scope(other_tenant, actor="system:test"):
        MembershipFactory(user=member.user, role="viewer")

    chosen = admin_client.get(ME, headers={"host": f"{other_tenant.slug}.conclave.test"})

    assert chosen.json()["tenant_slug"] == other_tenant.slug


def test_foreign_and_unknown_tenants_get_equal_responses(admin_client, other_tenant):
    answers = [
        admin_client.get(ME, headers={"X-Tenant": slug}) for slug in (other_tenant.slug, "no-such-one")
    ]

    bodies = [problem(answer, 404, "tenant_not_found") for answer in answers]
    assert bodies[0]["detail"] == bodies[1]["detail"]


@pytest.mark.security("unknown input")
def test_key_refuses_another_tenant_than_its_own(api_client, other_tenant, tenant, attacks):
    client = api_client()

    for slug in (other_tenant.slug, "no-such-one", tenant.slug.upper()):
        response = client.get(ME, headers={"X-Tenant": slug})
        attacks.attempt(
            slug, succeeded=(response.status_code, response.json()["code"]) != (400, "tenant_mismatch")
        )
    assert client.get(ME, headers={"X-Tenant": tenant.slug}).json()["tenant"] == str(tenant.pk)


def test_person_without_membership_is_403(db):
    from accounts.tests.factories import UserFactory

    problem(signed_in(UserFactory()).get(ME), 403, "membership_inactive")


def test_session_writes_need_a_csrf_token(member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)

    response = client.post("/api/v1/engagements/", {"name": "E"}, content_type="application/json")

    problem(response, 403, "permission_denied")


def test_key_writes_need_none(api_key):
    client = Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {api_key().secret}"})

    response = client.post("/api/v1/engagements/", {"name": "E"}, content_type="application/json")

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("role", "scopes", "address", "method", "status"),
    [
        ("admin", ["*"], "engagements", "post", 201),
        ("admin", ["engagements:read"], "engagements", "get", 200),
        ("admin", ["engagements:read"], "engagements", "post", 403),
        ("admin", ["engagements:write"], "engagements", "get", 403),
        ("admin", ["*:read"], "agents", "get", 200),
        ("admin", [], "engagements", "get", 403),
        ("analyst", ["*"], "engagements", "post", 201),
        ("user", ["*"], "engagements", "get", 200),
        ("user", ["*"], "engagements", "post", 403),
        ("viewer", ["*"], "engagements", "post", 403),
        ("viewer", ["*"], "audit-logs", "get", 403),
        ("viewer", ["*"], "api-keys", "get", 403),
        ("viewer", ["engagements:write"], "engagements", "post", 403),
        ("user", ["*"], "members", "get", 403),
    ],
)
def test_role_and_key_must_both_allow(role, scopes, address, method, status, api_client):
    client = api_client(role, scopes=scopes)

    response = getattr(client, method)(
        f"/api/v1/{address}/",
        **({"data": {"name": "E"}, "content_type": "application/json"} if method == "post" else {}),
    )

    assert response.status_code == status, response.content


@pytest.mark.parametrize(
    ("assignment", "status"),
    [
        ({}, 200),
        ({"is_active": False}, 403),
        ({"expires_at": timezone.now() - timedelta(days=1)}, 403),
    ],
    ids=["lasting", "inactive", "expired"],
)
def test_assigned_roles_count_while_they_last(assignment, status, api_client):
    client = api_client("viewer")
    with tenant_scope(client.key.tenant_id, actor="system:test"):
        role = RoleFactory(permissions=["audit:read", 7, {"odd": 1}])
        RoleAssignmentFactory(user=client.key.user, role=role, **assignment)

    assert client.get("/api/v1/audit-logs/").status_code == status


def test_permissions_of_the_membership_count(tenant):
    member = add_member(tenant, "viewer", permissions=["audit:read"])

    assert signed_in(member.user).get("/api/v1/audit-logs/").status_code == 200


def test_requests_are_attributed(api_client):
    client = api_client()
    made = client.post("/api/v1/engagements/", {"name": "E"}, content_type="application/json").json()

    rows = client.get(f"/api/v1/audit-logs/?resource_id={made['id']}").json()["results"]

    assert [(row["actor"], row["action"], row["user_id"]) for row in rows] == [
        (f"key:{client.key.pk}", "engagement.created", str(client.key.user_id))
    ]
