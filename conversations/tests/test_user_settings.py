"""Settings of users that change the answers of agents."""

import json

import pytest

from accounts.tests.factories import UserSettingsFactory, WorkProfileFactory
from agents.testing import FakeOpenAI, call_tool, say
from config.testing.fixtures import add_member
from conversations.services.conversations import start_conversation
from conversations.tests.factories import ParticipantFactory
from conversations.tests.test_tools import agent_of, get_tool_results
from conversations.tests.test_turns import ask, caller

__all__ = ["agent_of", "caller"]


@pytest.mark.parametrize(
    ("arguments", "zone"), [({}, "Asia/Tokyo"), ({"time_zone": "Europe/Rome"}, "Europe/Rome")]
)
def test_clock_shows_the_time_of_the_user_unless_the_model_names_a_zone(caller, agent_of, arguments, zone):
    with caller.scope():
        UserSettingsFactory(user_id=caller.user_id, timezone="Asia/Tokyo")
    with FakeOpenAI(call_tool("current_time", **arguments), say("Late.")) as server:
        ask(caller, agent_of(server, tools=["current_time"]))

    assert json.loads(get_tool_results(server)[0])["zone"] == zone


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({}, (0.7, 2048, False)),
        ({"temperature": 0.1, "max_tokens": 100, "instructions": "Answer in rhymes."}, (0.1, 100, True)),
        ({"max_tokens": 10**6}, (0.7, 2048, False)),
    ],
)
def test_settings_of_the_user_for_the_agent_reach_the_model(caller, agent_of, settings, sent):
    with FakeOpenAI() as server:
        agent = agent_of(server, slug="poet")
        with caller.scope():
            chosen = {"poet": settings, "other": {"max_tokens": 1}}
            WorkProfileFactory(user_id=caller.user_id, agent_settings=chosen)
        ask(caller, agent)

    body = server.requests[0].body
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    assert (body["temperature"], limit, "Answer in rhymes." in str(body["messages"])) == sent


def test_instructions_are_left_out_of_shared_conversations(caller, agent_of, tenant):
    with FakeOpenAI() as server:
        agent = agent_of(server, slug="poet")
        with caller.scope():
            chosen = {"poet": {"instructions": "I am ill. Be kind."}}
            WorkProfileFactory(user_id=caller.user_id, agent_settings=chosen)
            conversation = start_conversation(agent, user_id=caller.user_id)
        colleague = add_member(tenant)
        with caller.scope():
            ParticipantFactory(conversation=conversation, user_id=colleague.user_id, role="member")
        ask(caller, agent, conversation=conversation)

    assert "I am ill" not in str(server.requests[0].body["messages"])
