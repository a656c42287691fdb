import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agents.models import AgentCollection
from agents.testing import unreachable_url
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope


@pytest.fixture
def agent(tenant, tmp_path):
    (tmp_path / "tides.md").write_text("# Tides\n\nHigh water comes at noon in Emden.")
    call_command(
        "ingest", str(tmp_path), tenant=tenant.slug, collection="sea", verbosity=0, stdout=StringIO()
    )
    with tenant_scope(tenant, actor="system:test"):
        from knowledge.models import Collection

        agent = AgentFactory(slug="guide")
        AgentCollection.objects.create(agent=agent, collection=Collection.objects.get())
    return agent


def ask(question, tenant, **options):
    out = StringIO()
    call_command("ask", question, tenant=tenant.slug, **({"agent": "guide"} | options), stdout=out)
    return out.getvalue()


def test_the_answer_is_printed_with_its_source(agent, tenant):
    printed = ask("When is high water in Emden?", tenant)
    assert printed.startswith("High water comes at noon in Emden. [1]")
    assert "[1] tides.md" in printed


def test_answer_as_json(agent, tenant):
    answer = json.loads(ask("When is high water in Emden?", tenant, json=True))
    assert answer["citations"][0]["source"] == "tides.md"


@pytest.mark.parametrize(
    ("question", "options", "message"),
    [
        ("  ", {}, "empty"),
        ("When?", {"agent": "nobody"}, "not found"),
        ("When?", {"tenant": "nobody"}, "does not exist"),
    ],
)
def test_invalid_arguments(agent, tenant, question, options, message):
    with pytest.raises(CommandError, match=message):
        call_command("ask", question, **({"tenant": tenant.slug, "agent": "guide"} | options))


def test_failed_answer_fails_the_command(agent, tenant):
    with tenant_scope(tenant, actor="system:test"):
        agent.integration = IntegrationFactory(base_url=unreachable_url())
        agent.model_provider = "openai-compatible"
        agent.save()
    with pytest.raises(CommandError, match="unreachable"):
        ask("When is high water?", tenant)
