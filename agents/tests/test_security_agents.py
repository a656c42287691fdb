"""Limits of agents and protection of integration credentials."""

import pytest

from agents.models import Integration
from agents.tests.factories import IntegrationFactory

ELSEWHERE = "https://collector.example/v1"


@pytest.mark.parametrize("field", ["timeout", "max_iterations"])
def test_time_limits_have_an_upper_bound(api_client, tenant, field):
    client = api_client()
    made = client.post("/api/v1/agents/", {"name": "A", "slug": "a"}, content_type="application/json").json()
    response = client.patch(f"/api/v1/agents/{made['id']}/", {field: 10**9}, content_type="application/json")
    assert response.status_code == 400, response.content
    assert response.json()["errors"][0]["pointer"] == f"/{field}"


def test_credentials_do_not_follow_to_another_endpoint(scope):
    held = Integration.objects.get(pk=IntegrationFactory().pk)
    held.base_url = ELSEWHERE
    held.save(update_fields=["base_url"])
    assert Integration.objects.get(pk=held.pk).credentials is None


def test_credentials_that_were_read_do_not_follow_either(scope):
    held = Integration.objects.get(pk=IntegrationFactory().pk)
    assert held.credentials
    held.platform = "openai"
    held.save()
    assert Integration.objects.get(pk=held.pk).credentials is None


def test_credentials_given_with_the_endpoint_stay(scope):
    held = Integration.objects.get(pk=IntegrationFactory().pk)
    held.base_url, held.credentials = ELSEWHERE, {"api_key": "new"}
    held.save()
    assert Integration.objects.get(pk=held.pk).credentials == {"api_key": "new"}


def test_other_changes_keep_the_credentials(scope):
    held = Integration.objects.get(pk=IntegrationFactory().pk)
    held.name = "Renamed"
    held.save()
    assert Integration.objects.get(pk=held.pk).credentials == {"api_key": "sk-test-of-the-house"}


def test_the_api_forgets_credentials_when_the_endpoint_changes(api_client, tenant):
    client = api_client()
    body = {"name": "I", "platform": "openai-compatible", "base_url": "https://a.example/v1"}
    made = client.post(
        "/api/v1/integrations/", body | {"credentials": {"api_key": "k"}}, content_type="application/json"
    ).json()
    url = f"/api/v1/integrations/{made['id']}/"
    changed = client.patch(url, {"base_url": ELSEWHERE}, content_type="application/json")
    assert (made["credentials"], changed.json()["credentials"]) == ("********", None)
