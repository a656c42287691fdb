"""Model requests are retried identically for every provider and ignore environment proxies."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from agents.runtime.providers import build_model, classify_error
from agents.runtime.retries import INITIAL_WAIT, backoff_delay
from agents.testing import FakeOpenAI, fail, say
from agents.tests.fake_providers import FakeProvider
from config.http.retry_after import parse_retry_after

PROVIDERS = pytest.mark.parametrize("provider", ["openai", "ollama", "anthropic", "google"])


def ask(provider, address, **options):
    from pydantic_ai import Agent

    model = build_model(provider, "m", base_url=address, api_key="sk-secret", timeout=5, **options)
    return asyncio.run(Agent(model).run("When?")).output


def failure_of(provider, address):
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the exception class depends on the library)
        ask(provider, address)
    return classify_error(caught.value)


@PROVIDERS
def test_retry_waits_as_long_as_the_endpoint_asks(provider):
    with FakeProvider(
        provider, fail(503, retry_after=0.4), fail(429, retry_after=0.2), say("Noon.")
    ) as server:
        began = time.perf_counter()
        assert ask(provider, server.address) == "Noon."
    assert time.perf_counter() - began >= 0.6
    assert len(server.requests) == 3


@PROVIDERS
@pytest.mark.parametrize("status", [429, 503])
def test_too_long_retry_after_is_not_waited_for(provider, status):
    with FakeProvider(provider, fail(status, retry_after=86400)) as server:
        failure = failure_of(provider, server.address)
    assert len(server.requests) == 1
    assert failure.kind == {429: "rate_limited", 503: "server_error"}[status]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3), ("0.5", 0.5), ("-4", 0), ("", None), ("soon", None), ("nan", None), ("inf", float("inf"))],
)
def test_retry_after_header_is_parsed(value, seconds):
    assert parse_retry_after(value) == seconds


def test_retry_after_header_may_be_a_date():
    assert parse_retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=60))) == pytest.approx(
        60, abs=5
    )
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def test_delays_grow_with_jitter():
    waits = [[backoff_delay(attempt) for _ in range(50)] for attempt in range(2)]
    assert all(INITIAL_WAIT / 2 <= wait <= INITIAL_WAIT for wait in waits[0])
    assert all(INITIAL_WAIT <= wait <= 2 * INITIAL_WAIT for wait in waits[1])
    assert len(set(waits[0])) > 40


@pytest.mark.parametrize("provider", ["openai-compatible", "anthropic", "google"])
def test_a_proxy_of_the_environment_does_not_lead_inside(provider, monkeypatch, settings):
    settings.MODEL_NETWORKS = []
    with FakeOpenAI(say("Inside.")) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.base_url.removesuffix("/v1"))
        failure = failure_of(provider, "http://10.11.12.13/v1")
    assert (failure.kind, proxy.requests) == ("unreachable", [])


def test_a_proxy_that_the_operator_names_is_used(settings):
    settings.MODEL_NETWORKS = []
    with FakeOpenAI(fail(503, retry_after=0), say("Through the proxy.")) as proxy:
        settings.MODEL_PROXY = proxy.base_url.removesuffix("/v1")
        assert ask("openai-compatible", "http://models.example/v1") == "Through the proxy."
    assert [request.path for request in proxy.requests] == ["http://models.example/v1/chat/completions"] * 2
