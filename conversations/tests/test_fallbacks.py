"""Fallback models and the circuit breaker."""

import openai
import pytest

from agents.models import Agent, Integration, LlmUsage
from agents.services.integrations import FAILURE_THRESHOLD
from agents.testing import FakeOpenAI, fail, say
from agents.tests.factories import AgentFallbackFactory, BudgetFactory, IntegrationFactory, ModelPriceFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Message

ASK = [{"role": "user", "content": "When is high water?"}]


@pytest.fixture
def client(wired):
    with openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=0) as made:
        yield made


@pytest.fixture
def fallback_endpoint(wired):
    """The endpoint of a fallback model."""
    with FakeOpenAI(say("The spare answers.")) as server:
        with tenant_scope(wired.tenant, actor="system:test"):
            account = IntegrationFactory(name="Spare", base_url=server.base_url)
            common = {"model_provider": "openai-compatible", "model_name": "s", "integration": account}
            AgentFallbackFactory(agent=Agent.objects.get(slug="guide"), **common)
        yield server


def ask(client, stream):
    found = client.chat.completions.create(model="guide", messages=ASK, stream=stream)
    if not stream:
        return found.choices[0].message.content
    return "".join(choice.delta.content or "" for chunk in found for choice in chunk.choices)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_another_model_answers_when_the_first_is_down(client, wired, fallback_endpoint, stream):
    wired.script(fail(500, retry_after=0.01))
    assert ask(client, stream) == "The spare answers."
    accounts = {row.name: row for row in wired.rows(Integration)}
    failed, used = wired.rows(LlmUsage)
    assert (failed.model, failed.integration_id, failed.status_code) == ("m", accounts["House"].pk, 500)
    assert (used.model, used.integration_id, used.error_message) == ("s", accounts["Spare"].pk, "")
    assert [accounts[name].status for name in ("House", "Spare")] == ["error", "connected"]


def test_refused_request_uses_no_fallback(client, wired, fallback_endpoint):
    wired.script(fail(400))
    with pytest.raises(openai.BadRequestError):
        ask(client, False)
    assert fallback_endpoint.requests == []


def test_exhausted_budget_uses_no_fallback(client, wired, fallback_endpoint):
    with tenant_scope(wired.tenant, actor="system:test"):
        BudgetFactory(subject="tenant", subject_id=None, resource="tokens", period="day", limit_value=5)
    with pytest.raises(openai.RateLimitError):
        ask(client, False)
    assert (wired.model.requests, fallback_endpoint.requests) == ([], [])


def test_conversation_api_reports_exhausted_budget(api_client, wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        BudgetFactory(subject="tenant", subject_id=None, resource="tokens", period="day", limit_value=5)
    body = {"agent": "guide", "message": "When is high water?"}
    answer = api_client().post("/api/v1/conversations/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (429, "budget_exceeded")
    assert wired.model.requests == []


def test_repeated_failures_open_circuit_breaker(client, wired):
    wired.script(fail(500, retry_after=0.001))
    for _ in range(FAILURE_THRESHOLD + 2):
        with pytest.raises(openai.APIStatusError):
            ask(client, False)
    # Three attempts each, until the circuit breaker opened.
    assert len(wired.model.requests) == 3 * FAILURE_THRESHOLD
    assert [row.error_code for row in wired.rows(Message)][-1] == "unreachable"
    assert wired.integration().status == "error"


def test_tenant_price_overrides_list_price(client, wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        ModelPriceFactory(model="m", input_price=500_000, output_price=0)
    client.chat.completions.create(model="guide", messages=ASK)
    (used,) = wired.rows(LlmUsage)
    assert (used.cost_known, used.total_cost * 2) == (True, used.prompt_tokens)
    assert wired.rows(Message)[1].cost * 2 == used.prompt_tokens


def test_a_cost_limit_needs_a_price(client, wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        BudgetFactory(subject="tenant", subject_id=None, resource="cost", period="day", limit_value=5)
    with pytest.raises(openai.RateLimitError, match="the model m has no known price"):
        ask(client, False)
    assert wired.model.requests == []


def test_agent_cost_limit_per_answer(client, wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        ModelPriceFactory(model="m", input_price=500_000, output_price=0)
        Agent.objects.update(config={"cost_limit_per_request": 0.5})
    with pytest.raises(openai.RateLimitError, match=r"0\.5 US dollars an answer for the agent"):
        ask(client, False)
    assert wired.model.requests == []
