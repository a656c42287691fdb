"""Prometheus metrics of all server processes, protected by a token."""

import pytest
import requests

from agents.testing import FakeOpenAI, fail, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from config.testing.web_server import run_web_server

TOKEN = {"Authorization": "Bearer watcher-token-0815"}
ASK = {"model": "guide", "messages": [{"role": "user", "content": "When is high water?"}]}


@pytest.fixture
def guide(transactional_db, tenant, api_key):
    """An agent whose model fails after two answers, and headers of a key that can call it."""
    with FakeOpenAI(say("At noon."), say("At noon."), fail(401)) as model:
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(base_url=model.base_url)
            AgentFactory(
                slug="guide", model_provider="openai-compatible", model_name="m", integration=account
            )
        yield {"Authorization": f"Bearer {api_key().secret}"}


def value(text, name, **labels):
    """Return the value of a sample, or 0."""
    for line in text.splitlines():
        if line.startswith(f"{name}{{" if labels else f"{name} ") and all(
            f'{label}="{wanted}"' in line for label, wanted in labels.items()
        ):
            return float(line.rsplit(" ", 1)[1])
    return 0.0


@pytest.mark.slow
def test_calls_of_all_workers_are_counted(guide, tenant):
    variables = {"METRICS_TOKEN": "watcher-token-0815", "WEB_WORKERS": "2"}
    with run_web_server(**variables) as server:
        refused = requests.get(f"{server.url}/metrics", headers={"Authorization": "Bearer x"}, timeout=10)
        statuses = [
            requests.post(
                f"{server.url}/v1/chat/completions", json=ASK, headers=guide, timeout=60
            ).status_code
            for _ in range(3)
        ]
        text = requests.get(f"{server.url}/metrics", headers=TOKEN, timeout=10).text
    assert refused.status_code == 401
    assert statuses[:2] == [200, 200]
    assert statuses[2] != 200
    count = "gen_ai_client_operation_duration_seconds_count"
    assert value(text, count, provider="openai-compatible", outcome="ok") == 2
    assert value(text, count, provider="openai-compatible", outcome="error") == 1
    assert value(text, "gen_ai_client_token_usage_total", provider="openai-compatible", type="output") > 0
    assert str(tenant.pk) not in text


def test_without_a_token_there_are_none(client, db):
    assert client.get("/metrics").status_code == 404
