"""Drafts and published versions of agents, and their prompts."""

from contextlib import nullcontext

import pytest
from django.db import DatabaseError, connection

from agents.models import Agent, AgentCollection, AgentVersion, SystemPrompt
from agents.services.agents import publish_agent
from agents.services.prompts import (
    PromptError,
    count_use,
    count_verdict,
    render_prompt,
    resolve_instructions,
    resolve_prompt,
)
from agents.services.versions import apply_version, diff_versions, restore_version
from agents.tests.factories import AgentFactory, IntegrationFactory, SystemPromptFactory
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from knowledge.tests.factories import CollectionFactory


def test_version_does_not_change_with_the_draft(scope):
    agent = AgentFactory(system_prompt="First.", tools=["calculator"], temperature="0.30")
    first = AgentCollection.objects.create(agent=agent, collection=CollectionFactory()).collection_id
    version = publish_agent(agent)
    Agent.objects.filter(pk=agent.pk).update(system_prompt="Second.", tools=[], temperature="1.50")
    AgentCollection.objects.filter(agent=agent).delete()
    draft = Agent.objects.get(pk=agent.pk)
    published, collections = apply_version(draft, version)
    assert (published.system_prompt, published.tools, str(published.temperature)) == (
        "First.",
        ["calculator"],
        "0.30",
    )
    assert (draft.system_prompt, collections) == ("Second.", [first])


def test_deleted_references_are_not_restored(scope):
    integration = IntegrationFactory()
    agent = AgentFactory(integration=integration)
    AgentCollection.objects.create(agent=agent, collection=CollectionFactory())
    version = publish_agent(agent)
    AgentCollection.objects.all().delete()
    CollectionFactory._meta.model.objects.all().delete()
    integration.delete()
    restored = restore_version(Agent.objects.get(pk=agent.pk), version)
    assert (restored.integration_id, AgentCollection.objects.count()) == (None, 0)


def test_restoring_changes_the_draft_and_no_version(scope, member):
    agent = AgentFactory(system_prompt="First.", slug="old")
    version = publish_agent(agent)
    Agent.objects.filter(pk=agent.pk).update(system_prompt="Second.", slug="new")
    restore_version(agent, version, actor=member.user_id)
    agent.refresh_from_db()
    assert (agent.system_prompt, agent.slug) == ("First.", "new")
    assert AgentVersion.objects.count() == 1


@pytest.mark.parametrize("role", [nullcontext, as_platform], ids=["tenant", "platform"])
def test_published_version_is_immutable_for_every_role(scope, role):
    version = publish_agent(AgentFactory(system_prompt="First."))
    with role(), pytest.raises(DatabaseError, match=r"cannot be changed|permission denied"):
        AgentVersion.unscoped.filter(pk=version.pk).update(snapshot={"system_prompt": "Second."})


def test_a_version_outlives_the_person_who_published_it(scope, tenant, member):
    version = publish_agent(AgentFactory(), actor=member.user_id)
    with as_platform(), connection.cursor() as cursor:
        cursor.execute("UPDATE agents_agentversion SET created_by_id = NULL WHERE id = %s", [version.pk])
        assert cursor.rowcount == 1


def test_a_version_of_another_agent_is_not_restored(scope):
    version = publish_agent(AgentFactory())
    with pytest.raises(ValueError, match="another agent"):
        restore_version(AgentFactory(), version)


def test_differences_are_named():
    older, newer = {"a": 1, "b": [1], "c": 3}, {"a": 1, "b": [2], "d": 4}
    assert diff_versions(older, newer) == [
        {"field": "b", "before": [1], "after": [2]},
        {"field": "c", "before": 3, "after": None},
        {"field": "d", "before": None, "after": 4},
    ]


def test_the_api_publishes_shows_changes_and_restores(api_client):
    client = api_client()
    body = {"name": "Guide", "slug": "guide", "system_prompt": "First."}
    where = client.post("/api/v1/agents/", body, content_type="application/json").headers["Location"]
    assert client.get(f"{where}changes/").json() == []
    client.post(f"{where}publish/", {}, content_type="application/json")
    client.patch(where, {"system_prompt": "Second."}, content_type="application/json")
    change = {"field": "system_prompt", "before": "First.", "after": "Second."}
    assert client.get(f"{where}changes/").json() == [change]
    second = client.post(f"{where}publish/", {}, content_type="application/json").json()
    assert client.get(f"/api/v1/agent-versions/{second['id']}/changes/").json() == [change]
    restored = client.post(f"{where}restore/", {"version": 1}, content_type="application/json")
    assert restored.json()["system_prompt"] == "First."
    missing = client.post(f"{where}restore/", {"version": 9}, content_type="application/json")
    assert missing.status_code == 404


def test_api_rejects_unknown_tools(api_client):
    body = {"name": "Guide", "slug": "guide", "tools": ["shell"]}
    response = api_client().post("/api/v1/agents/", body, content_type="application/json")
    assert (response.status_code, "tools" in response.content.decode()) == (400, True)


# --- prompts -------------------------------------------------------------------------------------------


@pytest.fixture
def factory_prompt(db):
    with as_platform():
        row = SystemPrompt(
            prompt_key="greet",
            prompt_category="general",
            prompt_name="Greeting",
            prompt_text="You are {{agent}} of {{ house }}.",
            variables=[{"name": "house"}],
        )
        SystemPrompt.unscoped.bulk_create([row])
    return row


def test_the_organisations_prompt_stands_before_the_factorys(factory_prompt, tenant, member, other_tenant):
    with tenant_scope(tenant, user=member.user):
        assert resolve_prompt("greet") == factory_prompt
        ours = SystemPromptFactory(prompt_key="greet", prompt_text="Ours.", user=None)
        own = SystemPromptFactory(prompt_key="greet", prompt_text="Mine.", user=member.user)
        assert (resolve_prompt("greet"), resolve_prompt("greet", user_id=member.user_id)) == (ours, own)
        SystemPrompt.objects.filter(pk=ours.pk).update(is_active=False)
        assert resolve_prompt("greet") == factory_prompt
        assert resolve_prompt("unknown") is None
    with tenant_scope(other_tenant, actor="system:test"):
        assert list(SystemPrompt.objects.filter(prompt_key="greet")) == [factory_prompt]


def test_another_text_is_another_version(factory_prompt, scope):
    SystemPromptFactory(prompt_key="greet", prompt_text="One.", user=None)
    versions = []
    for text in ("One.", "Two.", "Two."):
        prompt = SystemPrompt.objects.get(prompt_key="greet", tenant__isnull=False)
        prompt.prompt_text = text
        prompt.save()
        versions.append(prompt.version)
    assert versions == [1, 2, 2]


def test_variables_are_filled_and_missing_ones_named():
    prompt = SystemPrompt(
        prompt_key="k", prompt_text="{{a}}, {{ b }}, {{c}} {d}", variables=[{"name": "c", "default": "z"}]
    )
    assert render_prompt(prompt, {"a": "{{b}}", "b": 2}) == "{{b}}, 2, z {d}"
    with pytest.raises(PromptError, match="needs a value for a, b"):
        render_prompt(prompt, {})


def test_agent_uses_its_prompt(factory_prompt, scope):
    agent = AgentFactory(name="Guide", prompt_key="greet", config={"prompt_variables": {"house": "Emden"}})
    assert resolve_instructions(agent) == ("You are Guide of Emden.", factory_prompt)
    agent.config = {}
    with pytest.raises(PromptError, match="house"):
        resolve_instructions(agent)
    agent.prompt_key = "unknown"
    with pytest.raises(PromptError, match="no active prompt"):
        resolve_instructions(agent)


def test_uses_and_verdicts_are_counted_for_factory_prompts_too(factory_prompt, scope):
    assert count_use(factory_prompt.pk)
    assert count_use(factory_prompt.pk)
    for verdict in (5, 4, 0):
        assert count_verdict(factory_prompt.pk, verdict)
    factory_prompt.refresh_from_db()
    assert (factory_prompt.usage_count, factory_prompt.verdict_count) == (2, 3)
    assert (factory_prompt.average_satisfaction, factory_prompt.success_rate) == (3.0, pytest.approx(2 / 3))
    with pytest.raises(ValueError, match="between 0 and 5"):
        count_verdict(factory_prompt.pk, 6)
    count_verdict(factory_prompt.pk, 5, before=0)
    factory_prompt.refresh_from_db()
    assert (factory_prompt.verdict_count, factory_prompt.success_rate) == (3, 1.0)
    for verdict in (5, 4, 5):
        count_verdict(factory_prompt.pk, None, before=verdict)
    factory_prompt.refresh_from_db()
    assert (factory_prompt.verdict_count, factory_prompt.average_satisfaction) == (0, None)


def test_nobody_counts_for_another_organisation(tenant, member, other_tenant):
    with tenant_scope(tenant, user=member.user):
        prompt = SystemPromptFactory()
    with tenant_scope(other_tenant, actor="system:test"):
        assert not count_use(prompt.pk)
    with connection.cursor() as cursor, tenant_scope(tenant, user=member.user):
        cursor.execute("SELECT usage_count FROM agents_systemprompt WHERE id = %s", [prompt.pk])
        assert cursor.fetchall() == [(0,)]


PROMPT = {"prompt_key": "greet", "prompt_category": "c", "prompt_name": "n", "prompt_text": "Hello."}


def test_the_organisations_prompts_are_for_those_who_change_agents(api_client):
    admin, user = api_client(), api_client(role="user")
    where, body = "/api/v1/system-prompts/", PROMPT | {"for_everybody": True}
    made = admin.post(where, body, content_type="application/json")
    assert (made.status_code, made.json()["user"]) == (201, None)
    assert user.post(where, body, content_type="application/json").status_code == 403
    assert user.get(made.headers["Location"]).json()["prompt_text"] == "Hello."
    for verb in ("patch", "delete"):
        refused = getattr(user, verb)(
            made.headers["Location"], {"prompt_text": "x"}, content_type="application/json"
        )
        assert refused.status_code == 403
    own = user.post(where, PROMPT, content_type="application/json")
    assert (own.status_code, own.json()["user"]) == (201, str(user.key.user_id))
