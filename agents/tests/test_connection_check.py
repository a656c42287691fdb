"""Connection checks with each provider's wire protocol, and the circuit breaker."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from agents.models import Integration
from agents.runtime.connection_check import check_connection
from agents.runtime.providers import build_model
from agents.services.integrations import FAILURE_THRESHOLD, may_call, record_failure, record_success
from agents.testing import FakeJsonServer, FakeOpenAI, fail, unreachable_url
from agents.tests.factories import IntegrationFactory
from config.tenancy.scope import tenant_scope

ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "At noon."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 3},
}
GOOGLE = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "At noon."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 3, "totalTokenCount": 14},
    "modelVersion": "gemini-x",
}
ADDRESSES = {
    "anthropic": ("/v1/messages", ANTHROPIC, "x-api-key"),
    "google": ("/v1beta/models/gemini-x:generateContent", GOOGLE, "x-goog-api-key"),
}
PROVIDERS = pytest.mark.parametrize("provider", ADDRESSES)


async def ask(provider, url):
    from pydantic_ai import Agent

    model = "claude-x" if provider == "anthropic" else "gemini-x"
    return await Agent(build_model(provider, model, base_url=url, api_key="sk-secret", timeout=5)).run(
        "When?"
    )


@PROVIDERS
def test_provider_answers_after_a_retry(provider):
    path, answer, header = ADDRESSES[provider]
    with FakeJsonServer({path: [(429, {}), (500, {}), (200, answer)]}) as server:
        result = async_to_sync(ask)(provider, server.url)
    assert (result.output, result.usage.input_tokens, result.usage.output_tokens) == ("At noon.", 11, 3)
    assert [request.path for request in server.requests] == [path] * 3
    assert "sk-secret" in server.requests[0].headers.get(
        header, server.requests[0].headers.get("authorization", "")
    )


def checked(tenant, **fields):
    with tenant_scope(tenant, actor="system:test"):
        account = IntegrationFactory(**fields)
    return check_connection(account.pk, lambda: tenant_scope(tenant, actor="system:test"))


def test_check_records_offered_models(tenant):
    with FakeOpenAI() as server:
        account = checked(tenant, base_url=server.base_url)
    assert (account.status, account.offered_models, account.last_error) == ("connected", ["m", "n"], "")
    assert account.last_sync_at is not None
    assert server.requests[0].headers["authorization"] == "Bearer sk-test-of-the-house"


@pytest.mark.parametrize(
    ("provider", "path", "body", "names"),
    [
        (
            "anthropic",
            "/v1/models",
            {
                "data": [{"id": "claude-x", "type": "model"}],
                "has_more": False,
                "first_id": None,
                "last_id": None,
            },
            ["claude-x"],
        ),
        ("google", "/v1beta/models", {"models": [{"name": "models/gemini-x"}]}, ["gemini-x"]),
        ("cohere", "/v1/models", {"models": [{"name": "command-x"}]}, ["command-x"]),
        ("perplexity", "/v1/models", {"data": [{"id": "perplexity/sonar"}]}, ["perplexity/sonar"]),
        ("tavily", "/usage", {"key": {"usage": 3}}, []),
        ("serpapi", "/account.json", {"total_searches_left": 3}, []),
    ],
    ids=["anthropic", "google", "cohere", "perplexity", "tavily", "serpapi"],
)
def test_other_providers_are_checked_by_their_own_protocol(tenant, provider, path, body, names):
    with FakeJsonServer({path: [(200, body)]}) as server:
        account = checked(tenant, platform=provider, base_url=server.url)
    assert (account.status, account.offered_models) == ("connected", names)


@pytest.mark.parametrize("provider", ["anthropic", "google", "cohere", "perplexity", "tavily", "serpapi"])
def test_each_provider_reports_an_invalid_key(tenant, provider):
    refusal = [(401, {"error": {"message": "no such key", "code": 401, "status": "UNAUTHENTICATED"}})]
    with FakeJsonServer(
        dict.fromkeys(("/v1/models", "/v1beta/models", "/usage", "/account.json"), refusal)
    ) as server:
        account = checked(tenant, platform=provider, base_url=server.url)
    assert (account.status, account.last_error) == ("error", "The model endpoint rejected the API key.")
    (request,) = server.requests
    sent = f"{request.path} {request.headers}"
    assert (provider == "serpapi") != ("sk-test-of-the-house" in sent)


def test_failed_check_reports_the_reason_without_secrets(tenant):
    with FakeOpenAI(fail(401)) as server:
        refused = checked(tenant, base_url=server.base_url)
    gone = checked(tenant, base_url=unreachable_url())
    assert (refused.status, refused.last_error) == ("error", "The model endpoint rejected the API key.")
    assert (gone.status, gone.last_error) == ("error", "The model endpoint is unreachable.")
    assert refused.last_sync_at is None


def test_the_api_checks_an_account(api_client, tenant, other_tenant):
    client = api_client()
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = IntegrationFactory()
    with FakeOpenAI() as server:
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(base_url=server.base_url)
        answer = client.post(f"/api/v1/integrations/{account.pk}/check/", content_type="application/json")
        missing = client.post(f"/api/v1/integrations/{foreign.pk}/check/", content_type="application/json")
    assert (answer.status_code, answer.json()["status"]) == (200, "connected")
    assert missing.status_code == 404


def test_circuit_breaker_opens_allows_one_try_and_closes(scope):
    account = IntegrationFactory()
    for _ in range(FAILURE_THRESHOLD - 1):
        record_failure(account.pk, "down", counts=True)
    assert may_call(account.pk)
    record_failure(account.pk, "down", counts=True)
    assert not may_call(account.pk)
    Integration.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    assert [may_call(account.pk) for _ in range(3)] == [True, False, False]
    record_success(account.pk)
    assert may_call(account.pk)


def test_rejected_key_does_not_open_the_circuit_breaker(scope):
    account = IntegrationFactory()
    for _ in range(2 * FAILURE_THRESHOLD):
        record_failure(account.pk, "wrong key", counts=False)
    assert may_call(account.pk)


@pytest.mark.parametrize(
    ("status", "state"), [(200, "connected"), (404, "connected"), (401, "error"), (503, "error")]
)
def test_http_service_is_asked_at_its_address(tenant, settings, status, state):
    with FakeJsonServer({"/api": [(status, {})]}) as server:
        settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.0/8"], [int(server.url.rpartition(":")[2])]
        account = checked(tenant, platform="http", base_url=f"{server.url}/api")
    assert account.status == state
    assert server.requests[0].headers["authorization"].startswith("Bearer ")


def test_http_service_without_address_cannot_be_checked(tenant):
    assert checked(tenant, platform="http", base_url="").status == "error"
