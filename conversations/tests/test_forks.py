"""Conversation forks."""

import pytest

from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message
from conversations.tests.factories import ConversationFactory, MessageFactory, ParticipantFactory

URL = "/api/v1/conversations/"


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.fixture
def messages(client, tenant):
    """Two questions of the user, one completed answer and one failed answer."""
    with tenant_scope(tenant, user=client.key.user):
        conversation = ConversationFactory(user=client.key.user, message_count=4)
        ParticipantFactory(conversation=conversation)
        rows = []
        for number, role in enumerate(("user", "assistant", "user", "assistant"), 1):
            fields = {
                "sequence_number": number,
                "role": role,
                "status": "failed" if number == 4 else "completed",
            }
            reply = {"reply_to_id": rows[-1].pk} if role == "assistant" else {}
            rows.append(MessageFactory(conversation=conversation, **fields, **reply))
        return rows


def fork(client, message, at=None):
    url, body = f"{URL}{message.conversation_id}/fork/", {"at": str((at or message).pk)}
    return client.post(url, body, content_type="application/json")


def test_fork_copies_messages_and_keeps_original(client, messages, tenant):
    made = fork(client, messages[1])
    assert made.status_code == 201, made.content
    with tenant_scope(tenant):
        copies = list(Message.objects.filter(conversation_id=made.json()["id"]).order_by("sequence_number"))
        assert [each.content for each in copies] == [messages[0].content, messages[1].content]
        assert copies[1].reply_to_id == copies[0].pk
        assert [each.metadata["copy_of"] for each in copies] == [str(messages[0].pk), str(messages[1].pk)]
        assert Message.objects.filter(conversation_id=messages[0].conversation_id).count() == 4
        forked = Conversation.objects.get(pk=made.json()["id"])
        assert (forked.message_count, forked.participants.count()) == (2, 1)
    assert made.json()["metadata"]["forked_from"]["message"] == str(messages[1].pk)


def test_fork_continues_independently(client, messages):
    made = fork(client, messages[2]).json()
    body = {"content": "Another way.", "answer": False}
    noted = client.post(f"{URL}{made['id']}/messages/", body, content_type="application/json").json()
    assert noted["sequence_number"] == 4


def test_fork_point_must_belong_to_conversation(client, messages, tenant):
    with tenant_scope(tenant, user=client.key.user):
        elsewhere = MessageFactory(conversation=ConversationFactory(user=client.key.user))
    assert [fork(client, messages[0], at).status_code for at in (elsewhere, messages[3])] == [400, 400]


def test_fork_requires_access(api_client, messages):
    assert fork(api_client(), messages[1]).status_code == 404
