"""Fixtures for the conversation tests."""

import pytest

from agents.testing import FakeOpenAI, say
from config.tenancy.scope import tenant_scope
from conversations.tests.compat import CompatSetup


@pytest.fixture
def wired(transactional_db, live_server, tenant, api_key):
    """A tenant with an agent and an integration with a fake endpoint, on a live server."""
    from agents.tests.factories import AgentFactory, IntegrationFactory

    with FakeOpenAI(say("High water is at noon.")) as server:
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(name="House", base_url=server.base_url)
            common = {"model_provider": "openai-compatible", "integration": account, "timeout": 20}
            AgentFactory(slug="guide", model_name="m", **common)
        yield CompatSetup(tenant, api_key(), live_server.url, server)
