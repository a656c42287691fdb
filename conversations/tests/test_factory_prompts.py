"""Factory prompts: rows of the product's own prompts, and their overrides."""

import pytest

from agents.models import PromptVersion, SystemPrompt
from agents.services.factory_prompts import (
    FACTORY_PROMPTS,
    create_factory_prompts,
    render_built_in,
    render_factory_prompt,
)
from agents.tests.factories import AgentFactory
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.fixtures import add_member
from conversations.meetings.runner import begin_meeting, run_meeting
from conversations.models import Message
from conversations.runtime.turns import Caller
from conversations.services.conversations import start_conversation
from conversations.services.feedback import give_feedback

KEY = "meeting.plan"


@pytest.fixture
def caller(tenant, member):
    return Caller(tenant.pk, member.user_id, f"user:{member.user_id}")


@pytest.fixture
def rows(db):
    """The rows of the factory prompts."""
    with platform_scope(reason="test", actor="system:test"):
        create_factory_prompts()


def override(key, text, user_id=None):
    fields = {"prompt_category": "test", "prompt_name": "Override"}
    return SystemPrompt.objects.create(prompt_key=key, prompt_text=text, user_id=user_id, **fields)


@pytest.mark.parametrize("prompt", FACTORY_PROMPTS.values(), ids=FACTORY_PROMPTS)
def test_prompt_names_its_variables(prompt):
    text = render_built_in(prompt.key, **dict.fromkeys(prompt.variables, "VALUE")).text
    assert text.count("VALUE") == len(prompt.variables)
    assert "{{" not in text


def test_rows_are_created_once_and_keep_changes(rows):
    with platform_scope(reason="test", actor="system:test"):
        SystemPrompt.unscoped.filter(prompt_key=KEY).update(prompt_text="Changed.")
        create_factory_prompts()
        found = dict(SystemPrompt.unscoped.values_list("prompt_key", "prompt_text"))
    assert found == {key: prompt.text for key, prompt in FACTORY_PROMPTS.items()} | {KEY: "Changed."}


def test_override_of_the_user_precedes_that_of_the_organisation(caller, rows):
    texts = []
    with caller.scope():
        for owner in (None, caller.user_id):
            texts.append(render_factory_prompt(KEY, user_id=caller.user_id).text)
            override(KEY, f"Override of {owner and 'the user'}.", owner)
        texts.append(render_factory_prompt(KEY, user_id=caller.user_id).text)
        uses = list(SystemPrompt.objects.filter(prompt_key=KEY).order_by("id").values_list("usage_count"))
    assert texts == [FACTORY_PROMPTS[KEY].text, "Override of None.", "Override of the user."]
    assert uses == [(1,), (1,), (1,)]


def test_override_without_a_value_is_not_used(caller):
    with caller.scope():
        override(KEY, "Plan for {{budget}}.", caller.user_id)
        assert render_factory_prompt(KEY, user_id=caller.user_id) == render_built_in(KEY)


def test_meeting_uses_the_override_and_counts_feedback_for_it(caller, rows):
    with caller.scope():
        prompt = override("meeting.questions", "Ask {{experts}} two questions.", caller.user_id)
        manager, expert = AgentFactory(name="Manager"), AgentFactory(name="Ice")
        conversation = start_conversation(manager, user_id=caller.user_id)
        question = begin_meeting(conversation.pk, question="When?", experts=[expert], user_id=caller.user_id)
    assert run_meeting(caller.tenant_id, question.pk)
    with caller.scope():
        answers = list(Message.objects.filter(agent__isnull=False).order_by("sequence_number"))
        give_feedback(answers[0], "helpful")
        prompt.refresh_from_db()
        factory = SystemPrompt.objects.get(prompt_key="meeting.summary")
    assert answers[0].metadata["prompt"] == "When?\n\nAsk Ice two questions."
    assert (prompt.usage_count, prompt.average_satisfaction, prompt.success_rate) == (1, 5, 1)
    assert factory.usage_count == 1


def test_each_text_of_a_prompt_stays_as_a_version(api_client):
    client = api_client()
    texts = {"prompt_text": "One.", "change_note": "First."}
    names = {"prompt_key": "greet", "prompt_category": "test", "prompt_name": "Greeting"}
    url = "/api/v1/system-prompts/"
    made = client.post(url, names | texts, content_type="application/json").json()
    second = {"prompt_text": "Two.", "change_note": "Second."}
    for change in (second, {"prompt_name": "Salute"}, {"prompt_text": "Three."}):
        response = client.patch(f"{url}{made['id']}/", change, content_type="application/json")
        assert response.status_code == 200, response.content
    rows = client.get(f"/api/v1/prompt-versions/?prompt={made['id']}").json()["results"]
    found = [(row["version"], row["prompt_text"], row["note"], row["created_by_id"]) for row in rows]
    author = str(client.key.user_id)
    assert sorted(found) == [
        (1, "One.", "First.", author),
        (2, "Two.", "Second.", author),
        (3, "Three.", "", author),
    ]


def test_versions_of_a_factory_prompt_are_read_by_all_and_end_with_it(caller, rows):
    with platform_scope(reason="test", actor="system:test"):
        SystemPrompt.unscoped.filter(prompt_key=KEY).update(prompt_text="Changed.")
    with caller.scope():
        found = PromptVersion.objects.filter(prompt__prompt_key=KEY).order_by("version")
        assert [row.prompt_text for row in found] == [FACTORY_PROMPTS[KEY].text, "Changed."]
    with platform_scope(reason="test", actor="system:test"):
        SystemPrompt.unscoped.get(prompt_key=KEY).delete()
    with caller.scope():
        assert not PromptVersion.objects.filter(version=2).exists()


def test_versions_of_a_personal_prompt_are_hidden_from_colleagues(caller, tenant):
    with caller.scope():
        override(KEY, "Mine.", caller.user_id)
    with tenant_scope(tenant, user=add_member(tenant).user):
        assert not PromptVersion.objects.exists()
