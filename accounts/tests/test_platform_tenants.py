"""Provisioning of tenants by platform API keys."""

import io

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import Invitation, Membership, Role
from accounts.tests.factories import PlatformKeyFactory
from audit.models import AuditLog, SecurityAuditLog
from config.testing.roles import as_platform
from tenants.models import Subscription, Tenant, TenantRegion
from tenants.tests.factories import RegionFactory, SubscriptionFactory, SubscriptionPlanFactory

TENANTS = "/api/v1/tenants/"
pytestmark = pytest.mark.django_db


def platform_client(*scopes):
    key = PlatformKeyFactory(**({"scopes": list(scopes)} if scopes else {}))
    client = Client(headers={"authorization": f"Bearer {key.secret}"})
    client.key = key
    return client


def post(client, path="", body=None, **headers):
    return client.post(f"{TENANTS}{path}", body or {}, content_type="application/json", headers=headers)


def new_tenant(**values):
    return {"slug": "acme", "name": "Acme", "admin_email": "Ada@example.org"} | values


def test_a_tenant_starts_with_plan_region_roles_and_an_invitation(django_capture_on_commit_callbacks):
    client, plan = platform_client(), SubscriptionPlanFactory(plan_type="pro", trial_days=14)
    with django_capture_on_commit_callbacks(execute=True):
        response = post(client, body=new_tenant(plan=plan.slug, region=RegionFactory(code="eu-1").code))

    assert response.status_code == 201, response.content
    body = response.json()
    assert response["Location"] == f"{TENANTS}{body['id']}/"
    assert set(body) == {"id", "slug", "name", "status", "plan_type", "created_at", "updated_at"}
    assert (body["status"], body["plan_type"]) == ("active", "pro")
    with as_platform():
        invitation = Invitation.unscoped.get(tenant_id=body["id"])
        assert (invitation.email, invitation.role) == ("ada@example.org", "admin")
        assert Subscription.unscoped.get(tenant_id=body["id"]).status == "trial"
        assert TenantRegion.unscoped.get(tenant_id=body["id"]).region.code == "eu-1"
        assert Role.unscoped.filter(tenant_id=body["id"]).count() == 3
        assert not Membership.unscoped.filter(tenant_id=body["id"]).exists()
    assert [message.to for message in mail.outbox] == [["ada@example.org"]]


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"slug": "Not a slug"}, "/slug"),
        ({"name": ""}, "/name"),
        ({"plan": "unknown"}, "/plan"),
        ({"region": "unknown"}, "/region"),
        ({"admin_email": "nobody"}, "/admin_email"),
        ({"max_users": 5}, "/max_users"),
    ],
)
def test_an_invalid_value_is_named_and_creates_nothing(values, pointer):
    response = post(platform_client(), body=new_tenant(**values))

    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    with as_platform():
        assert not Tenant.objects.exists()


def test_a_taken_slug_is_an_error(tenant):
    response = post(platform_client(), body=new_tenant(slug=tenant.slug))

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/slug"


def test_a_repeated_request_creates_one_tenant():
    client = platform_client()
    first, second = (post(client, body=new_tenant(), idempotency_key="one") for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second["Idempotency-Replayed"] == "true"
    assert post(client, body=new_tenant(name="Other"), idempotency_key="one").status_code == 422
    assert post(platform_client(), body=new_tenant(slug="b"), idempotency_key="one").status_code == 201


def test_tenants_are_listed_and_found_by_id_and_slug(tenant, other_tenant):
    client = platform_client()

    rows = client.get(TENANTS, {"ordering": "slug", "status": "active"}).json()["results"]
    assert {row["id"] for row in rows} == {str(tenant.pk), str(other_tenant.pk)}
    assert client.get(f"{TENANTS}{tenant.pk}/").json()["slug"] == tenant.slug
    assert client.get(f"{TENANTS}{tenant.slug}/").json()["id"] == str(tenant.pk)
    assert client.get(f"{TENANTS}nobody/").status_code == 404


def test_a_suspended_tenant_refuses_requests_until_it_is_resumed(api_client, tenant):
    client, own = platform_client(), api_client()

    assert post(client, f"{tenant.pk}/suspend/", {"reason": "unpaid"}).json()["status"] == "suspended"
    assert post(client, f"{tenant.pk}/suspend/").status_code == 200
    assert own.get("/api/v1/agents/").json()["code"] == "tenant_suspended"
    assert post(client, f"{tenant.pk}/resume/").json()["status"] == "active"
    assert own.get("/api/v1/agents/").status_code == 200
    with as_platform():
        logged = AuditLog.unscoped.filter(action__in=["tenant.suspended", "tenant.resumed"]).order_by("id")
        assert [row.action for row in logged] == ["tenant.suspended", "tenant.resumed"]
        assert {row.actor for row in logged} == {client.key and f"platform-key:{client.key.pk}"}
        events = SecurityAuditLog.unscoped.filter(event_type="config.tenant_suspended")
        assert [(event.tenant_id, event.details["reason"]) for event in events] == [(tenant.pk, "unpaid")]


def test_a_tenant_that_is_being_deleted_cannot_be_resumed(tenant):
    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(status="deleted")
    response = post(platform_client(), f"{tenant.pk}/resume/")

    assert (response.status_code, response.json()["code"]) == (409, "tenant_deleted")


def run(*words):
    out = io.StringIO()
    call_command("platform_key", *words, stdout=out)
    return out.getvalue().splitlines()


def test_a_key_of_the_command_works_until_it_is_revoked():
    _, secret = run("create", "Portal", "--scope", "tenants:read", "--days", "30")
    client = Client(headers={"authorization": f"Bearer {secret}"})
    (line,) = run("list")

    assert client.get(TENANTS).status_code == 200
    assert line.endswith("Portal")
    assert secret.startswith(line.split()[0])
    run("revoke", line.split()[0])
    assert client.get(TENANTS).status_code == 401
    with as_platform():
        events = SecurityAuditLog.unscoped.filter(event_type__startswith="config.platform_key")
        assert {event.event_type.rpartition("_")[2] for event in events} == {"created", "revoked"}


@pytest.mark.parametrize(
    "words",
    [("create", "x", "--scope", "agents:read"), ("create", "x", "--scope", "tenants:read", "--days", "0")],
)
def test_the_command_refuses_wrong_values(words):
    with pytest.raises(CommandError):
        run(*words)


def test_a_payment_renews_the_subscription(tenant):
    with as_platform():
        plan = SubscriptionPlanFactory(price_monthly="20.00", currency="EUR")
        SubscriptionFactory(tenant=tenant, plan=plan, status="active", expires_at="2099-01-31T00:00:00Z")
    payment = {"transaction_id": "bank-1", "amount": "20.00", "currency": "EUR"}
    client, path = platform_client("tenants:write", "tenants:read"), f"{tenant.slug}/renew/"
    replies = [post(client, path, payment), post(client, path, payment)]

    assert [reply.status_code for reply in replies] == [200, 200], replies[0].content
    assert [reply.json()["expires_at"][:7] for reply in replies] == ["2099-02"] * 2
    assert post(client, path, payment | {"transaction_id": "b", "amount": "1.00"}).status_code == 400
    assert post(platform_client("tenants:read"), path, payment).status_code == 403
    with as_platform():
        assert AuditLog.objects.filter(action="subscription.renewed").count() == 1
