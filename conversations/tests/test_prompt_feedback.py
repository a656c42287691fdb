"""Feedback on answers, counted for their prompt."""

import pytest

from agents.models import SystemPrompt
from agents.tests.factories import AgentFactory
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform

URL = "/api/v1/conversations/"


@pytest.fixture
def prompt(tenant):
    """A prompt used by the agent `guide`."""
    with tenant_scope(tenant, actor="system:test"):
        with as_platform():
            row = SystemPrompt(
                prompt_key="greet", prompt_category="general", prompt_name="Greeting", prompt_text="Greet."
            )
            SystemPrompt.unscoped.bulk_create([row])
        AgentFactory(slug="guide", prompt_key="greet")
    return row


def test_feedback_is_counted_once_per_answer(api_client, tenant, prompt):
    client = api_client()
    where = []
    for _ in range(2):
        body = {"agent": "guide", "message": "When is high water?"}
        made = client.post(URL, body, content_type="application/json").json()
        where.append(f"{URL}{made['id']}/messages/{made['answer']['id']}/feedback/")
    seen = []
    for url, feedback in [(0, "helpful"), (0, "helpful"), (1, "unhelpful"), (1, "helpful"), (0, ""), (1, "")]:
        response = client.post(where[url], {"feedback": feedback}, content_type="application/json")
        assert response.status_code == 200, response.content
        with tenant_scope(tenant, actor="system:test"):
            prompt.refresh_from_db()
        seen.append((prompt.verdict_count, prompt.average_satisfaction, prompt.success_rate))
    assert seen == [(1, 5, 1), (1, 5, 1), (2, 2.5, 0.5), (2, 5, 1), (1, 5, 1), (0, None, None)]
    assert prompt.usage_count == 2
