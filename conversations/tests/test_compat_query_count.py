"""Number of SQL statements per chat completion, without transaction control."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.testing import FakeOpenAI, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope

FRAMES = ("SAVEPOINT", "RELEASE SAVEPOINT", "BEGIN", "COMMIT", "ROLLBACK")
BODY = {"messages": [{"role": "user", "content": "When is high water?"}]}


@pytest.mark.parametrize("model", ["guide", "house/m"])
def test_chat_completion_takes_at_most_twelve_statements(api_client, tenant, model):
    client = api_client()
    with FakeOpenAI(say("At noon.")) as server:
        with tenant_scope(tenant, actor="system:test"):
            # The status of the integration is stored once a minute, which would add a statement.
            answered = {"status": "connected", "last_sync_at": timezone.now()}
            account = IntegrationFactory(name="House", base_url=server.base_url, **answered)
            AgentFactory(
                slug="guide", model_provider="openai-compatible", model_name="m", integration=account
            )
        with CaptureQueriesContext(
            connection,
        ) as captured:
            answer = client.post(
                "/v1/chat/completions", {**BODY, "model": model}, content_type="application/json"
            )
    statements = [query["sql"] for query in captured if not query["sql"].startswith(FRAMES)]
    assert answer.status_code == 200, answer.content
    assert len(statements) <= 12, "\n".join(statement[:120] for statement in statements)
