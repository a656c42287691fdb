"""Models that users choose for purposes."""

import pytest

from accounts.choices import ModelPurpose
from accounts.tests.factories import UserModelChoiceFactory
from agents.models import Integration, LlmUsage
from agents.services.model_choices import find_model
from agents.testing import FakeOpenAI, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.completions.turns import UnknownModelError, resolve_model
from conversations.meetings.runner import run_meeting
from conversations.runtime.summaries import summarize
from conversations.services.conversations import start_conversation
from conversations.services.sessions import end_conversation
from conversations.tests.test_meetings import Experts, make_meeting
from conversations.tests.test_turns import ask, caller
from tenants.tests.factories import SystemSettingFactory

__all__ = ["caller", "make_meeting"]
OFFERED = ["llama3.2:3b", "llama3.1:8b", "big", "coder"]


@pytest.fixture
def make_agent(caller):
    """Return a function that creates an agent whose account offers several models."""

    def make(server, purpose="", **fields):
        config = {"model_purpose": purpose} if purpose else {}
        with caller.scope():
            account = IntegrationFactory(base_url=server.base_url, name="House", offered_models=OFFERED)
            fields = {"model_provider": "openai-compatible", "model_name": "own", "config": config, **fields}
            return AgentFactory(integration=account, **fields)

    return make


def choose(caller, **models):
    with caller.scope():
        for purpose, model in models.items():
            UserModelChoiceFactory(purpose=purpose, model=model)


def get_models(server):
    return [request.body["model"] for request in server.requests]


def find_names(caller):
    with caller.scope():
        found = {purpose: find_model(purpose) for purpose in ModelPurpose}
    return {purpose: each and each.name for purpose, each in found.items()}


def test_each_purpose_has_a_default_and_a_choice(caller, make_agent):
    with FakeOpenAI() as server:
        make_agent(server)
    defaults = dict.fromkeys(ModelPurpose, "llama3.2:3b") | {
        "wave_function_refinement": "llama3.1:8b",
        # The account does not offer llama3.2:1b.
        **dict.fromkeys(("wave_function_specialist", "fast_conversational")),
    }
    before = find_names(caller)
    choose(caller, **dict.fromkeys(ModelPurpose, "big"))

    assert before == defaults
    assert find_names(caller) == dict.fromkeys(ModelPurpose, "big")


def test_agent_of_a_purpose_uses_the_default_and_then_the_chosen_model(caller, make_agent):
    with FakeOpenAI() as server:
        agent = make_agent(server, "coding")
        before = ask(caller, agent)
        choose(caller, coding="big")
        after = ask(caller, agent)

    assert get_models(server) == ["llama3.2:3b", "big"] == [before.model, after.model]
    with caller.scope():
        used = list(LlmUsage.objects.order_by("id").values_list("model", flat=True))
    assert used == ["llama3.2:3b", "big"]


def test_agent_keeps_its_model_if_no_account_offers_the_default(caller, make_agent):
    with FakeOpenAI() as server:
        ask(caller, make_agent(server, "fast_conversational"))

    assert get_models(server) == ["own"]


def test_agents_without_a_purpose_keep_their_model(caller, make_agent):
    choose(caller, chat="big", selected="big")
    with FakeOpenAI() as server:
        ask(caller, make_agent(server))

    assert get_models(server) == ["own"]


def test_precedence_of_choices_and_settings(caller, make_agent):
    with FakeOpenAI() as server:
        agent = make_agent(server, "coding")
        SystemSettingFactory(key="default_model.coding", value="coder")
        ask(caller, agent)
        choose(caller, selected="llama3.1:8b")
        ask(caller, agent)
        choose(caller, coding="house/unlisted")
        ask(caller, agent)

    assert get_models(server) == ["coder", "llama3.1:8b", "unlisted"]


def test_choices_of_colleagues_do_not_count(caller, make_agent, tenant):
    colleague = add_member(tenant)
    with tenant_scope(tenant, user=colleague.user):
        UserModelChoiceFactory(purpose="chat", model="big")
    with FakeOpenAI() as server:
        ask(caller, make_agent(server, "auto"))

    assert get_models(server) == ["llama3.2:3b"]


@pytest.mark.parametrize(
    ("purpose", "model", "message"),
    [
        ("chat", "gone", "You chose the model gone for the purpose chat, but no integration offers it."),
        ("poetry", "big", "The agent's configuration names an unknown model_purpose."),
    ],
)
def test_model_that_cannot_be_used_fails_with_the_reason(caller, make_agent, purpose, model, message):
    choose(caller, chat=model)
    with FakeOpenAI() as server:
        answer = ask(caller, make_agent(server, purpose))

    assert (answer.status, server.requests) == ("failed", [])
    assert answer.error_message.startswith(message)


def test_phases_of_a_meeting_use_the_models_of_their_purposes(caller, make_meeting):
    choose(caller, initial_assessment="first", simple_planning="planner", final_response="last")
    with Experts() as server:
        question = make_meeting(server)
        with caller.scope():
            Integration.objects.update(offered_models=["first", "planner", "last"])
            type(AgentFactory.build()).objects.update(config={"model_purpose": "auto"})
        assert run_meeting(caller.tenant_id, question.pk)

    assert get_models(server) == ["first", "m", "m", "planner", "m", "m", "last"]


@pytest.mark.parametrize(("chosen", "used"), [("big", "big"), ("not-of-this-account", "own")])
def test_summaries_use_the_model_for_reflection(caller, make_agent, chosen, used):
    choose(caller, reflection=chosen)
    with FakeOpenAI(say("At noon."), say("At noon."), say('{"summary": "Tides."}')) as server:
        agent = make_agent(server)
        with caller.scope():
            conversation = start_conversation(agent, user_id=caller.user_id)
        for _ in range(2):
            ask(caller, agent, conversation=conversation)
        with caller.scope():
            end_conversation(conversation)
        assert summarize(caller.tenant_id, conversation.pk)

    assert get_models(server) == ["own", "own", used]


def test_the_wire_api_resolves_purposes(caller, make_agent):
    choose(caller, embeddings="big", coding="gone")
    with FakeOpenAI() as server:
        make_agent(server)
    with caller.scope():
        agent, account = resolve_model("default/embeddings")
        with pytest.raises(UnknownModelError):
            resolve_model("default/coding")
        with pytest.raises(UnknownModelError):
            resolve_model("default/poetry")

    assert (agent.pk, agent.model_name, account.name) == (None, "big", "House")
