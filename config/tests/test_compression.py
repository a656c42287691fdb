"""Responses are compressed where no attacker can measure their length (BREACH)."""

import gzip

import pytest
from django.conf import settings
from django.test import Client

from agents.tests.factories import AgentFactory
from config import middleware
from config.api import docs
from config.tenancy.scope import tenant_scope

pytestmark = pytest.mark.django_db
GZIP = {"Accept-Encoding": "br, gzip;q=0.8"}
AGENTS = "/api/v1/agents/"


@pytest.fixture
def client(api_client):
    client = api_client()
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        AgentFactory.create_batch(5)
    return client


def is_compressed(response):
    return response.headers.get("Content-Encoding") == "gzip"


def test_lists_for_keys_are_compressed_on_request(client):
    plain, small = client.get(AGENTS), client.get(AGENTS, headers=GZIP)

    assert gzip.decompress(small.content) == plain.content
    assert len(small.content) < len(plain.content) / 3
    assert small["Content-Length"] == str(len(small.content))
    assert not is_compressed(plain)
    assert "Accept-Encoding" in plain["Vary"]
    for refusal in ("gzip;q=0", "gzip; q=0.", "gzip;q=0.0", "gzip;Q=0.000", "identity", "x-gzip"):
        assert not is_compressed(client.get(AGENTS, headers={"Accept-Encoding": refusal}))
    assert is_compressed(client.get(AGENTS, headers={"Accept-Encoding": "gzip;q=0.001"}))


def test_entity_tags_of_compressed_rows_match(client):
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        agent = AgentFactory(description="x" * 2000)
    url = f"{AGENTS}{agent.pk}/"

    etag = client.get(url, headers=GZIP)["ETag"]

    assert etag == f"W/{client.get(url)['ETag']}"
    assert client.get(url, headers=GZIP | {"If-None-Match": etag}).status_code == 304
    changed = client.patch(url, {"name": "n"}, content_type="application/json", headers={"If-Match": etag})
    assert changed.status_code == 200


def exposed_responses(client, admin_client):
    """Return responses with secrets, or to requests that a browser can be made to send."""
    client.cookies["other"] = "1"
    with_cookie = client.get(AGENTS, headers=GZIP)
    client.cookies.clear()
    body = {"name": "k", "metadata": {"text": "x" * 4000}}
    secret = client.post("/api/v1/api-keys/", body, content_type="application/json", headers=GZIP)
    assert secret.status_code == 201
    pages = [admin_client.get(url, headers=GZIP) for url in (AGENTS, "/console/", "/console/agents/agent/")]
    return [with_cookie, secret, *pages, Client().get("/console/login/", headers=GZIP, follow=True)]


@pytest.mark.security("compression oracle")
def test_secrets_and_pages_are_not_compressed(client, admin_client, attacks):
    for response in exposed_responses(client, admin_client):
        assert response.status_code in (200, 201)
        attacks.attempt(response.request["PATH_INFO"], succeeded=is_compressed(response))


@pytest.mark.security("compression oracle", mutation=True)
def test_secrets_are_compressed_without_the_rule(client, admin_client, attacks, monkeypatch):
    monkeypatch.setattr(
        middleware.CompressionMiddleware, "_is_compressible", lambda self, request, response: True
    )

    for response in exposed_responses(client, admin_client):
        attacks.attempt(response.request["PATH_INFO"], succeeded=is_compressed(response))


@pytest.mark.parametrize("path", ["openapi.json", "openapi.yaml"])
def test_document_has_an_entity_tag_and_is_compressed(path):
    client = Client()
    plain, small = (client.get(f"/api/v1/{path}", headers=headers) for headers in ({}, GZIP))

    assert gzip.decompress(small.content) == plain.content
    assert plain["ETag"] != small["ETag"]
    for response, headers in ((plain, {}), (small, GZIP)):
        again = client.get(f"/api/v1/{path}", headers=headers | {"If-None-Match": response["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_document_is_generated_before_the_first_request(monkeypatch):
    assert "config.api.docs.warm_up" in settings.WARM_UP
    docs.warm_up()
    monkeypatch.setattr(docs, "SchemaGenerator", None)

    assert Client().get("/api/v1/openapi.json").status_code == 200
