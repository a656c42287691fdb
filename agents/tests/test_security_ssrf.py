"""Endpoints chosen by tenants cannot reach the internal network."""

import asyncio

import pytest

from agents.runtime.providers import build_model, classify_error
from agents.testing import FakeOpenAI, say


@pytest.fixture
def outside_only(settings):
    settings.MODEL_NETWORKS, settings.MODEL_HOSTS = [], []


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


@pytest.mark.security("local exposure")
def test_only_the_listed_port_of_this_machine_is_reached(outside_only, settings, attacks):
    with FakeOpenAI(say("Ollama.")) as ollama, FakeOpenAI(say("Database.")) as other:
        settings.MODEL_HOSTS = [ollama.base_url.removeprefix("http://").removesuffix("/v1")]
        assert ask(ollama.base_url) == "Ollama."
        for host in ("127.0.0.1", "localhost", "127.0.0.2"):
            with pytest.raises(Exception):  # noqa: B017, PT011 (the class depends on the library)
                ask(other.base_url.replace("127.0.0.1", host))
            attacks.attempt(host, succeeded=bool(other.requests))


@pytest.mark.security("local exposure", mutation=True)
def test_a_network_opens_every_port_of_this_machine(outside_only, settings, attacks):
    settings.MODEL_NETWORKS = ["127.0.0.0/8"]
    with FakeOpenAI(say("Database.")) as other:
        ask(other.base_url)
    attacks.attempt("any port", succeeded=bool(other.requests))


def test_a_host_name_with_its_port_is_allowed(outside_only, settings):
    with FakeOpenAI(say("Here.")) as server:
        address = server.base_url.replace("127.0.0.1", "localhost")
        settings.MODEL_HOSTS = [address.removeprefix("http://").removesuffix("/v1")]
        assert ask(address) == "Here."
