"""Request attributes in the audit and security logs."""

import json
import logging

import pytest
from django.test import Client, RequestFactory

from agents.models import Agent
from audit.models import AuditLog, SecurityAuditLog
from config.middleware import client_ip
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform

OLD, NEW = "first-password-1", "second-password-2"
CHANGE = {"oldpassword": OLD, "password1": NEW, "password2": NEW}


@pytest.mark.parametrize("address", ["10.0.0.1:4711", "unix", "1.2.3", "", "fe80::1%eth0"])
def test_a_peer_without_an_address_may_write(api_client, tenant, address):
    body = {"name": "A", "slug": "a"}
    response = api_client().post(
        "/api/v1/agents/", body, content_type="application/json", REMOTE_ADDR=address
    )
    assert response.status_code == 201, response.content
    with tenant_scope(tenant, actor="system:test"):
        assert Agent.objects.exists()


def test_a_zone_is_left_out_of_an_address():
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="fe80::1%eth0")) == "fe80::1"


@pytest.fixture
def changed_password(member):
    member.user.set_password(OLD)
    member.user.save()
    client = Client()
    client.force_login(member.user)
    response = client.post("/accounts/password/change/", CHANGE, REMOTE_ADDR="10.1.2.3")
    assert response.status_code == 302
    return response["X-Request-ID"]


def test_a_changed_password_is_in_the_security_log(changed_password, member):
    with as_platform():
        event = SecurityAuditLog.unscoped.get(event_type="auth.password_changed")
    assert (event.actor_user_id, event.ip_address) == (member.user_id, "10.1.2.3")
    assert event.request_id == changed_password


def test_a_change_outside_every_scope_names_its_request(changed_password):
    with as_platform():
        row = AuditLog.unscoped.get(request_id=changed_password, action="user.updated")
    assert (row.ip_address, row.new_values["password"]) == ("10.1.2.3", "[redacted]")
    assert row.new_values.keys() == {"password", "password_changed_at"}


def test_the_log_and_the_answer_name_the_same_request(db, client, caplog):
    with caplog.at_level(logging.INFO, logger="django_structlog"):
        response = client.get("/api/v1/agents/")
    logged = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    assert {entry["request_id"] for entry in logged} == {response["X-Request-ID"]}
    assert json.loads(response.content)["request_id"] == response["X-Request-ID"]
