"""Endpoints chosen by tenants cannot reach the internal network."""

import asyncio

import pytest

from agents.runtime.providers import build_model, classify_error
from agents.runtime.ssrf import is_allowed_address
from agents.testing import FakeOpenAI, say

INSIDE = ("127.0.0.1", "::1", "169.254.169.254", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1")
DISGUISED = (
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "0.0.0.0",
    "224.0.0.1",
)


@pytest.fixture
def outside_only(settings):
    settings.MODEL_NETWORKS = []


def ask(base_url, provider="openai-compatible"):
    from pydantic_ai import Agent

    model = build_model(provider, "m", base_url=base_url, api_key="sk-secret", timeout=2)
    return asyncio.run(Agent(model).run("Where?")).output


@pytest.mark.parametrize("address", [*INSIDE, *DISGUISED])
def test_addresses_inside_are_out_of_bounds(outside_only, address):
    assert not is_allowed_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_may_be_reached(outside_only, address):
    assert is_allowed_address(address)


def test_a_network_may_be_allowed(settings):
    settings.MODEL_NETWORKS = ["10.0.0.0/8"]
    assert is_allowed_address("10.1.2.3")
    assert not is_allowed_address("127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("provider", ["openai-compatible", "ollama", "anthropic", "google"])
def test_nothing_is_sent_inside(outside_only, provider, host):
    # The exception class depends on the library.
    with FakeOpenAI(say("Inside.")) as server, pytest.raises(Exception) as caught:  # noqa: PT011
        ask(server.base_url.replace("127.0.0.1", host), provider)
    assert server.requests == []
    assert classify_error(caught.value).kind == "unreachable"


def test_what_is_allowed_is_reached(settings):
    settings.MODEL_NETWORKS = ["127.0.0.0/8", "::1/128"]
    with FakeOpenAI(say("Here.")) as server:
        assert ask(server.base_url) == "Here."
