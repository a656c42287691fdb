"""Agent runs against a scripted server: answers, classified failures, no leaked secrets."""

import asyncio

import pytest

from agents.runtime.providers import PROVIDERS, UnknownProviderError, build_model, classify_error
from agents.testing import FakeOpenAI, call_tool, fail, half_stream, invalid_reply, say, slow, unreachable_url

KEY = "sk-very-secret"
MODES = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


async def ask(base_url: str, stream: bool):
    from pydantic_ai import Agent

    agent = Agent(build_model("openai-compatible", "m", base_url=base_url, api_key=KEY, timeout=0.3))

    @agent.tool_plain
    def search_knowledge(query: str) -> list[dict]:
        return [{"text": f"found {query}"}]

    if not stream:
        result = await agent.run("Where?")
        return [result.output], result.usage
    async with agent.run_stream("Where?") as result:
        return [delta async for delta in result.stream_text(delta=True, debounce_by=None)], result.usage


def failure_of(base_url: str, stream: bool):
    with pytest.raises(Exception) as caught:  # noqa: PT011 (which class it is, is the library's business)
        asyncio.run(ask(base_url, stream))
    return classify_error(caught.value)


@MODES
def test_a_tool_round_and_an_answer(stream):
    script = (call_tool("search_knowledge", query="tides"), say("High water is at noon today."))
    with FakeOpenAI(*script) as server:
        deltas, usage = asyncio.run(ask(server.base_url, stream))
    assert "".join(deltas) == "High water is at noon today."
    assert len(deltas) == (2 if stream else 1)
    assert (usage.requests, usage.tool_calls) == (2, 1)
    assert usage.output_tokens > 0
    assert "found tides" in str(server.requests[1].body["messages"][-1])
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@MODES
@pytest.mark.parametrize(
    ("reply", "kind", "retryable", "requests"),
    [
        (slow(5), "timeout", True, 3),
        (fail(429, retry_after=0.05), "rate_limited", True, 3),
        (fail(500, retry_after=0.05), "server_error", True, 3),
        (fail(401), "authentication", False, 1),
        (fail(400), "refused_request", False, 1),
        (fail(404), "refused_request", False, 1),
        (invalid_reply(), "bad_response", False, 1),
        (invalid_reply(b'{"choices": []}'), "bad_response", False, 1),
        (invalid_reply(b"[1, 2]"), "bad_response", False, 1),
    ],
    ids=["slow", "429", "500", "401", "400", "404", "no-json", "no-choice", "list"],
)
def test_each_failure_is_named(reply, kind, retryable, requests, stream):
    with FakeOpenAI(reply) as server:
        failure = failure_of(server.base_url, stream)
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert len(server.requests) == requests
    assert KEY not in failure.message
    assert "scripted" not in failure.message


@pytest.mark.parametrize("ragged", [False, True], ids=["cut", "ragged"])
def test_incomplete_stream_is_a_failure(ragged):
    with FakeOpenAI(half_stream("one two three four", ragged=ragged)) as server:
        failure = failure_of(server.base_url, stream=True)
    assert (failure.kind, failure.retryable) == ("bad_response", True)
    assert "before it was complete" in failure.message


def test_incomplete_answer_is_a_failure():
    with FakeOpenAI(half_stream("one two three four")) as server:
        assert failure_of(server.base_url, stream=False).kind == "bad_response"


@MODES
def test_closed_port_is_unreachable(stream):
    failure = failure_of(unreachable_url(), stream)
    assert (failure.kind, failure.retryable) == ("unreachable", True)
    assert "127.0.0.1" not in failure.message


def test_temporary_error_is_retried():
    with FakeOpenAI(fail(503, retry_after=0.05), say("Back again.")) as server:
        assert asyncio.run(ask(server.base_url, stream=False))[0] == ["Back again."]


def test_an_environment_key_is_never_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-platform")
    from pydantic_ai import Agent

    with FakeOpenAI(say("Yes.")) as server:
        model = build_model("openai-compatible", "m", base_url=server.base_url)
        asyncio.run(Agent(model).run("Well?"))
    assert "sk-of-the-platform" not in str(server.requests)


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "openai-compatible"])
def test_every_provider_builds_without_a_network(provider):
    assert build_model(provider, "some-model", api_key=KEY).model_name in ("some-model", "extractive")


def test_unknown_and_incomplete_providers_are_refused():
    with pytest.raises(UnknownProviderError, match="unknown provider 'carrier-pigeon'"):
        build_model("carrier-pigeon", "m")
    with pytest.raises(ValueError, match="base URL"):
        build_model("openai-compatible", "m")


def test_usage_limits_and_groups_are_classified():
    from pydantic_ai.exceptions import FallbackExceptionGroup, ModelHTTPError, UsageLimitExceeded

    group = FallbackExceptionGroup("all failed", [ModelHTTPError(429, "m"), ModelHTTPError(500, "n")])
    assert classify_error(UsageLimitExceeded("too many")).kind == "refused_request"
    assert classify_error(group).kind == "rate_limited"
    assert classify_error(RuntimeError(KEY)).kind == "internal"
    assert KEY not in classify_error(RuntimeError(KEY)).message


def test_every_provider_that_an_agent_may_choose_is_built():
    from agents.choices import Provider
    from agents.runtime.providers import PROVIDERS

    assert set(PROVIDERS) == set(Provider.values)
