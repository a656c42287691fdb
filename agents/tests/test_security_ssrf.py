"""Endpoints chosen by tenants cannot reach the internal network."""

import asyncio

import pytest

from agents.runtime.providers import build_model, classify_error
from agents.testing import FakeOpenAI, say


@pytest.fixture
def outside_only(settings):
    settings.MODEL_NETWORKS = []


def ask(base_url, provider="openai-compatible"):
    from pydantic_ai import Agent

    model = build_model(provider, "m", base_url=base_url, api_key="sk-secret", timeout=2)
    return asyncio.run(Agent(model).run("Where?")).output


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("provider", ["openai-compatible", "ollama", "anthropic", "google"])
def test_nothing_is_sent_to_private_addresses(outside_only, provider, host):
    # The exception class depends on the library.
    with FakeOpenAI(say("Inside.")) as server, pytest.raises(Exception) as caught:  # noqa: PT011
        ask(server.base_url.replace("127.0.0.1", host), provider)
    assert server.requests == []
    assert classify_error(caught.value).kind == "unreachable"


def test_allowed_address_is_reached(settings):
    settings.MODEL_NETWORKS = ["127.0.0.0/8", "::1/128"]
    with FakeOpenAI(say("Here.")) as server:
        assert ask(server.base_url) == "Here."
