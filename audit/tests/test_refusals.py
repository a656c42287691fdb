"""Refused requests in the security log."""

from datetime import timedelta

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey
from audit.choices import SecurityEventType as Event
from audit.models import SecurityAuditLog
from audit.services.refusals import record_refusal
from config.api.refusals import Refusal
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.fixtures import add_member
from config.testing.roles import as_platform

AGENTS = "/api/v1/agents/"
pytestmark = pytest.mark.django_db


def events():
    with as_platform():
        return list(SecurityAuditLog.unscoped.filter(event_category="access").order_by("id"))


def change_key(client, **values):
    with tenant_scope(client.key.tenant_id, actor="system:test"):
        ApiKey.objects.filter(pk=client.key.pk).update(**values)


def test_a_missing_scope_is_logged_for_the_tenant(api_client):
    client = api_client(scopes=["collections:read"])
    assert client.get(AGENTS).status_code == 403

    (event,) = events()
    assert (event.event_type, event.severity, event.result) == (Event.ACCESS_DENIED, "WARNING", "failure")
    assert (event.tenant_id, event.actor_user_id) == (client.key.tenant_id, client.key.user_id)
    assert event.details == {
        "method": "GET",
        "path": AGENTS,
        "status": 403,
        "scope": "agents:read",
        "actor": f"key:{client.key.pk}",
    }


EXPIRED = {"status": "expired", "expires_at": timezone.now() - timedelta(days=1)}


@pytest.mark.parametrize("values", [{"status": "revoked"}, EXPIRED], ids=["revoked", "expired"])
def test_a_revoked_or_expired_key_is_logged_for_its_tenant(values, api_client):
    client = api_client()
    change_key(client, **values)
    assert client.get(AGENTS).json()["code"] == "invalid_credential"

    (event,) = events()
    assert (event.event_type, event.tenant_id) == (Event.KEY_REFUSED, client.key.tenant_id)
    assert (event.actor_user_id, event.details["reason"]) == (client.key.user_id, "key_unusable")
    assert client.key.secret not in str(vars(event))


def test_an_unknown_key_is_logged_by_address_without_the_key():
    secret = "cvk_live_" + "0" * 49
    client = Client(headers={"authorization": f"Bearer {secret}"})
    for _ in range(3):
        client.get(AGENTS, REMOTE_ADDR="192.0.2.7")

    rows = events()
    assert {(row.event_type, row.tenant_id, row.ip_address) for row in rows} == {
        (Event.CREDENTIAL_UNKNOWN, None, "192.0.2.7")
    }
    assert sum(row.occurrences for row in rows) == 3
    assert secret not in str([vars(row) for row in rows])


def test_a_request_without_a_credential_is_no_event(client):
    assert client.get(AGENTS).status_code == 401
    assert events() == []


def test_a_rate_limit_is_logged_once_a_window(api_client, django_assert_max_num_queries):
    client = api_client(rate_limit=2)
    statuses = [client.get(AGENTS).status_code for _ in range(4)]
    with django_assert_max_num_queries(4):
        client.get(AGENTS)

    assert statuses == [200, 200, 429, 429]
    (event,) = events()
    assert (event.event_type, event.occurrences) == (Event.RATE_LIMITED, 1)


def test_a_full_process_is_no_event_of_a_client(api_client):
    client = api_client()
    refusal = Refusal(RequestFactory().get(AGENTS), 429, "too_many_streams", tenant_id=client.key.tenant_id)
    record_refusal(None, refusal)
    assert events() == []


def test_a_path_with_a_nul_is_logged():
    Client(headers={"authorization": "Bearer cvk_live_unknown"}).get("/v1/models/%00")
    assert [event.event_type for event in events()] == [Event.CREDENTIAL_UNKNOWN]


def test_a_tenant_of_others_is_logged_for_the_users_tenants(member, other_tenant):
    client = Client(headers={"x-tenant": other_tenant.slug})
    client.force_login(member.user)
    assert client.get(AGENTS).status_code == 404

    (event,) = events()
    assert (event.event_type, event.error_code) == (Event.ACCESS_DENIED, "tenant_not_found")
    assert (event.tenant_id, event.actor_user_id) == (member.tenant_id, member.user_id)


def test_a_page_that_the_console_refuses_is_logged(tenant):
    viewer = add_member(tenant, "viewer")
    client = Client()
    client.force_login(viewer.user)
    assert client.get(reverse("admin:accounts_apikey_add")).status_code == 403

    (event,) = events()
    assert (event.tenant_id, event.actor_user_id) == (tenant.pk, viewer.user_id)


def test_an_allowed_request_writes_nothing(api_client):
    assert api_client().get(AGENTS).status_code == 200
    assert events() == []


def test_a_failing_log_does_not_change_the_response(api_client, monkeypatch):
    monkeypatch.setattr("audit.services.security.RECORD_SQL", "SELECT 1 / 0, %s, %s, %s")
    assert api_client(scopes=["collections:read"]).get(AGENTS).status_code == 403


def test_deleting_several_rows_in_the_console_is_one_event(admin_client, member):
    with tenant_scope(member.tenant_id, actor="system:test"):
        rows = [factory_for("accounts.Talent")() for _ in range(3)]
    asked = {"action": "delete_selected", "_selected_action": [str(row.pk) for row in rows], "post": "yes"}
    assert admin_client.post(reverse("admin:accounts_talent_changelist"), asked).status_code == 302

    with as_platform():
        event = SecurityAuditLog.unscoped.get(event_type=Event.BULK_DELETED)
    assert (event.tenant_id, event.actor_user_id) == (member.tenant_id, member.user_id)
    assert (event.target_type, event.details["count"]) == ("accounts.talent", 3)
