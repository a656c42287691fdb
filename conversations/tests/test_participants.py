"""People and agents joining and leaving conversations."""

from uuid import uuid4

import pytest

from agents.tests.factories import AgentFactory
from audit.models import AuditLog
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.models import Conversation
from conversations.services.conversations import start_conversation

URL = "/api/v1/conversations/"


@pytest.fixture
def owner(api_client):
    return api_client("user")


@pytest.fixture
def colleague(api_client):
    return api_client("user")


def begun(tenant, client, *, agents=1, mode="single"):
    """A conversation of the user."""
    with tenant_scope(tenant, user=client.key.user):
        first, *others = [AgentFactory() for _ in range(agents)]
        return start_conversation(first, others=others, mode=mode, user_id=client.key.user.pk, title="Tides")


def join(client, conversation, **who):
    url = f"{URL}{conversation.pk}/participants/"
    return client.post(url, {name: str(value) for name, value in who.items()}, "application/json")


def test_participant_sees_conversation_while_joined(owner, colleague, tenant):
    conversation = begun(tenant, owner)
    assert colleague.get(f"{URL}{conversation.pk}/").status_code == 404

    joined = join(owner, conversation, user=colleague.key.user.pk)
    assert (joined.status_code, joined.json()["role"]) == (201, "member"), joined.content
    said = colleague.post(
        f"{URL}{conversation.pk}/messages/", {"content": "Hello.", "answer": False}, "application/json"
    )
    assert said.status_code == 201
    assert colleague.delete(joined["Location"]).status_code == 204
    assert colleague.get(f"{URL}{conversation.pk}/").status_code == 404
    with tenant_scope(tenant):
        actions = AuditLog.objects.filter(resource_id=str(conversation.pk)).values_list("action", flat=True)
        assert {"conversation.joined", "conversation.left"} <= set(actions)


def test_participant_cannot_manage_conversation(owner, colleague, tenant):
    conversation = begun(tenant, owner)
    third = add_member(tenant, "user").user
    join(owner, conversation, user=colleague.key.user.pk)
    rows = owner.get(f"{URL}{conversation.pk}/participants/?role=owner").json()["results"]

    assert join(colleague, conversation, user=third.pk).status_code == 403
    assert colleague.delete(f"{URL}{conversation.pk}/participants/{rows[0]['id']}/").status_code == 403
    assert colleague.delete(f"{URL}{conversation.pk}/").status_code == 403
    assert owner.delete(f"{URL}{conversation.pk}/").status_code == 204


def test_outsider_gets_not_found(owner, colleague, tenant):
    conversation = begun(tenant, owner)
    missing = Conversation(pk=conversation.pk)
    missing.pk = uuid4()

    assert join(colleague, conversation, user=colleague.key.user.pk).status_code == 404
    assert join(colleague, missing, user=colleague.key.user.pk).status_code == 404


def test_user_of_other_tenant_cannot_join(owner, tenant, other_tenant):
    conversation = begun(tenant, owner)
    for user in (add_member(other_tenant, "user").user.pk, uuid4()):
        refused = join(owner, conversation, user=user)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/user")


def test_joining_twice_is_rejected(owner, colleague, tenant):
    conversation = begun(tenant, owner)
    assert join(owner, conversation, user=colleague.key.user.pk).status_code == 201
    assert join(owner, conversation, user=colleague.key.user.pk).status_code in (400, 409)


def test_agents_join_multi_agent_conversations(owner, tenant):
    single, several = begun(tenant, owner), begun(tenant, owner, agents=2, mode="multi")
    with tenant_scope(tenant, user=owner.key.user):
        third, idle = AgentFactory(), AgentFactory(status="inactive")

    assert join(owner, single, agent=third.slug).status_code == 400
    assert join(owner, several, agent=idle.slug).status_code == 409
    assert join(owner, several, agent=third.slug).json()["agent"] == str(third.pk)
    assert join(owner, several, agent="nobody").status_code == 400
    assert join(owner, several).status_code == 400


def test_last_agent_and_owner_cannot_leave(owner, tenant):
    conversation = begun(tenant, owner, agents=2, mode="multi")
    rows = owner.get(f"{URL}{conversation.pk}/participants/").json()["results"]
    base = f"{URL}{conversation.pk}/participants/"
    agents = [row["id"] for row in rows if row["role"] == "agent"]
    (mine,) = [row["id"] for row in rows if row["role"] == "owner"]

    assert owner.delete(f"{base}{agents[0]}/").status_code == 204
    assert owner.delete(f"{base}{agents[1]}/").status_code == 400
    assert owner.delete(f"{base}{mine}/").status_code == 400


def test_ended_conversation_cannot_be_joined(owner, colleague, tenant):
    conversation = begun(tenant, owner)
    with tenant_scope(tenant, user=owner.key.user):
        Conversation.objects.filter(pk=conversation.pk).update(status="completed")

    assert join(owner, conversation, user=colleague.key.user.pk).status_code == 409
