"""Every provider in its API dialect: tool call, answer, usage and cost."""

from decimal import Decimal

import pytest

from agents.models import Integration, LlmUsage
from agents.testing import call_tool, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from agents.tests.fake_providers import RECEIVED, SENT, FakeProvider
from conversations.models import ToolExecution
from conversations.tests.test_turns import ask, caller

__all__ = ["caller"]
SCRIPT = (call_tool("calculator", expression="6 * 7"), say("It is 42 today."))
BEARER = ("authorization", "Bearer sk-test-of-the-house")
# Model, cost of one request in US dollars (1,000 input tokens, 400 of them cached, 10 output), path, key header and
# the parameter that limits the output tokens.
PROVIDERS = {
    "openai": ("gpt-4o-mini", "0.000126", "/v1/chat/completions", BEARER, "max_completion_tokens"),
    "xai": ("grok-3", "0.00225", "/v1/chat/completions", BEARER, "max_completion_tokens"),
    "cohere": ("command-r-plus", "0.0026", "/v1/chat/completions", BEARER, "max_tokens"),
    "perplexity": ("sonar", "0.01301", "/v1/chat/completions", BEARER, "max_tokens"),
    "ollama": ("llama3.1", None, "/v1/chat/completions", BEARER, "max_tokens"),
    "openai-compatible": ("m", None, "/v1/chat/completions", BEARER, "max_tokens"),
    "anthropic": (
        "claude-sonnet-4-5",
        "0.00207",
        "/v1/messages",
        BEARER,
        "max_tokens",
    ),
    "google": (
        "gemini-2.5-flash",
        "0.000217",
        "/v1beta/models/gemini-2.5-flash:",
        ("x-goog-api-key", BEARER[1].removeprefix("Bearer ")),
        "maxOutputTokens",
    ),
}


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_tool_call_answer_and_usage(caller, provider, is_streamed):
    model, dollars, path, (header, key), bound = PROVIDERS[provider]
    pieces = []
    with FakeProvider(provider, *SCRIPT) as server:
        with caller.scope():
            account = IntegrationFactory(platform=provider, base_url=server.address)
            agent = AgentFactory(
                model_provider=provider,
                model_name=model,
                integration=account,
                tools=["calculator"],
                max_tokens=77,
            )
        answer = ask(caller, agent, "How much?", emit=pieces.append if is_streamed else None)
    assert (answer.status, answer.content, answer.error_message) == ("completed", "It is 42 today.", "")
    assert not is_streamed or (len(pieces) > 1 and "".join(pieces) == answer.content)
    assert len(server.requests) == 2
    for request in server.requests:
        assert request.path.startswith(path)
        assert request.headers[header] == key
        assert (request.body.get("generationConfig") or request.body)[bound] == 77
    assert "42" in str(server.requests[1].body)
    with caller.scope():
        rows = list(LlmUsage.objects.order_by("pk"))
        assert [(row.tool_name, row.status) for row in ToolExecution.objects.all()] == [
            ("calculator", "completed")
        ]
        account = Integration.objects.get(pk=account.pk)
    assert [(row.prompt_tokens, row.completion_tokens, row.status_code) for row in rows] == [
        (SENT, RECEIVED, 200)
    ] * 2
    assert [row.cost_known for row in rows] == [dollars is not None] * 2
    assert sum(row.total_cost for row in rows) == 2 * Decimal(dollars or 0) == answer.cost
    assert [(row.provider, row.integration_id, row.error_message) for row in rows] == [
        (provider, account.pk, "")
    ] * 2
    assert all(row.latency_ms <= answer.latency_ms for row in rows)
    assert (account.status, account.last_error, account.last_sync_at is None) == ("connected", "", False)
