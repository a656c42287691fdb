"""Who gets in, into which tenant, and what the answer says."""

import pytest
from django.test import Client

from accounts.tests.factories import MembershipFactory
from config.testing.fixtures import add_member
from tenants.scoping import platform_scope, tenant_scope

AGENTS = "/api/v1/agents/"
pytestmark = pytest.mark.django_db


def problem(response, status, code):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == response["X-Request-ID"]
    return body


def test_no_credential_is_401_with_challenge(db):
    response = Client().get(AGENTS)

    problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_key_lists_agents(api_client):
    response = api_client().get(AGENTS)

    assert response.status_code == 200
    assert response.json() == {"next": None, "previous": None, "results": []}
