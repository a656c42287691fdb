"""Fixtures for the conversation tests."""

import pytest
from django.db import connection
from django.test import TransactionTestCase

from agents.testing import FakeOpenAI, say
from config.tenancy.scope import tenant_scope
from config.testing.database import empty_tables
from conversations.tests.compat import CompatSetup


@pytest.fixture(scope="module")
def keep_rows(django_db_setup, django_db_blocker):
    """Empty the tables after the module instead of after each test; each test has its own tenants."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: connection.close())
        yield
    with django_db_blocker.unblock():
        empty_tables()


@pytest.fixture
def wired(keep_rows, transactional_db, live_server, tenant, api_key):
    """A tenant with an agent and an integration with a fake endpoint, on a live server."""
    from agents.tests.factories import AgentFactory, IntegrationFactory

    with FakeOpenAI(say("High water is at noon.")) as server:
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(name="House", base_url=server.base_url)
            common = {"model_provider": "openai-compatible", "integration": account, "timeout": 20}
            AgentFactory(slug="guide", model_name="m", **common)
        yield CompatSetup(tenant, api_key(), live_server.url, server)
