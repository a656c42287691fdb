"""Message edits and feedback on answers."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from agents.testing import FakeOpenAI, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from audit.models import AuditLog
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message
from conversations.services.forks import edit_message
from conversations.tests.factories import (
    AttachmentFactory,
    ConversationFactory,
    MessageFactory,
    ParticipantFactory,
)

URL = "/api/v1/conversations/"


@pytest.fixture
def client(api_client):
    return api_client()


def say_all(tenant, user, agent=None):
    """Create two questions of the user with their answers."""
    with tenant_scope(tenant, user=user):
        conversation = ConversationFactory(user=user, message_count=4, **({"agent": agent} if agent else {}))
        ParticipantFactory(conversation=conversation)
        rows = []
        for number, role in enumerate(("user", "assistant", "user", "assistant"), 1):
            answers = role == "assistant"
            fields = {"reply_to_id": rows[-1].pk, "user": None} if answers else {"user": user}
            rows.append(
                MessageFactory(conversation=conversation, sequence_number=number, role=role, **fields)
            )
        AttachmentFactory(conversation=conversation, message=rows[2], user=user)
    return rows


@pytest.fixture
def messages(client, tenant):
    return say_all(tenant, client.key.user)


def post(client, message, what, body, **headers):
    url = f"{URL}{message.conversation_id}/messages/{message.pk}/{what}/"
    return client.post(url, body, content_type="application/json", headers=headers or None)


def edit(client, message, content="Another question.", **body):
    return post(client, message, "edit", {"content": content, "answer": False, **body})


def texts(tenant, conversation_id):
    with tenant_scope(tenant):
        rows = Message.objects.filter(conversation_id=conversation_id).order_by("sequence_number")
        return [row.content for row in rows]


def test_edit_creates_branch(client, messages, tenant):
    made = edit(client, messages[2])
    assert made.status_code == 201, made.content
    branch = made.json()
    assert texts(tenant, branch["id"]) == [messages[0].content, messages[1].content, "Another question."]
    assert texts(tenant, messages[0].conversation_id) == [row.content for row in messages]
    assert (branch["forked_from"], branch["forked_at_id"]) == (
        str(messages[0].conversation_id),
        str(messages[1].pk),
    )
    listed = client.get(f"{URL}{branch['id']}/messages/?replaces_id={messages[2].pk}").json()["results"]
    assert [row["content"] for row in listed] == ["Another question."]
    found = client.get(f"{URL}?forked_from={messages[0].conversation_id}").json()["results"]
    assert [row["id"] for row in found] == [branch["id"]]


def test_edit_keeps_files_and_is_audited(client, messages, tenant):
    branch = edit(client, messages[2]).json()
    listed = client.get(f"{URL}{branch['id']}/attachments/").json()["results"]
    assert [row["filename"] for row in listed] == ["contract.pdf"]
    with tenant_scope(tenant):
        event = AuditLog.objects.get(action="message.edited")
    assert event.metadata["replaces"] == str(messages[2].pk)


def test_branch_survives_deletion_of_its_origin(client, messages, tenant):
    branch = edit(client, messages[2]).json()
    assert client.delete(f"{URL}{messages[0].conversation_id}/").status_code == 204
    assert client.get(f"{URL}{branch['id']}/").json()["forked_from"] is None
    assert texts(tenant, branch["id"])[-1] == "Another question."
    assert len(client.get(f"{URL}{branch['id']}/attachments/").json()["results"]) == 1


def test_the_first_question_can_be_edited(client, messages, tenant):
    branch = edit(client, messages[0]).json()
    assert (branch["forked_at_id"], branch["message_count"]) == (None, 1)
    assert texts(tenant, branch["id"]) == ["Another question."]


def test_the_branch_is_answered_from_its_own_history(client, tenant):
    with FakeOpenAI(say("At three.")) as server:
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(base_url=server.base_url)
            agent = AgentFactory(
                slug="guide", model_provider="openai-compatible", model_name="m", integration=account
            )
        messages = say_all(tenant, client.key.user, agent)
        made = edit(client, messages[2], "And in Borkum?", answer=True)
        assert made.status_code == 201, made.content
        sent = [each["content"] for each in server.requests[0].body["messages"] if each["role"] != "system"]
    assert made.json()["answer"]["content"] == "At three."
    assert sent == [messages[0].content, messages[1].content, "And in Borkum?"]


def test_only_own_messages_can_be_edited(client, api_client, messages, tenant):
    other = api_client()
    with tenant_scope(tenant, actor="system:test"):
        ParticipantFactory(
            conversation_id=messages[0].conversation_id, conversation=None, user=other.key.user
        )
    assert edit(client, messages[1]).status_code == 403
    assert edit(other, messages[0]).status_code == 403
    assert edit(api_client(), messages[0]).status_code == 404


def test_pending_answer_blocks_edits(client, messages, tenant):
    with tenant_scope(tenant, actor="system:test"):
        Message.objects.filter(pk=messages[3].pk).update(status="pending")
    refused = edit(client, messages[2])
    assert (refused.status_code, refused.json()["code"]) == (409, "turn_running")
    assert edit(client, messages[0]).status_code == 201


def test_idempotency_key_creates_one_branch(client, messages, tenant):
    made = [
        post(
            client,
            messages[0],
            "edit",
            {"content": "Once.", "answer": False},
            **{"Idempotency-Key": "edit-1"},
        ).json()["id"]
        for _ in range(2)
    ]
    assert made[0] == made[1]


@pytest.mark.django_db(transaction=True)
def test_concurrent_edits_create_two_branches(client, tenant):
    messages = say_all(tenant, client.key.user)

    def one(content):
        try:
            with tenant_scope(tenant, user=client.key.user, actor="system:test"):
                row = Conversation.objects.get(pk=messages[0].conversation_id)
                options = {"user_id": client.key.user_id, "answer": False}
                return edit_message(row, messages[2].pk, content=content, **options)[0].pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        branches = list(pool.map(one, ["One way.", "Another way."]))
    assert [texts(tenant, each)[-1] for each in branches] == ["One way.", "Another way."]


def test_feedback_can_be_set_and_cleared(client, messages):
    for verdict in ("helpful", "unhelpful", ""):
        given = post(client, messages[1], "feedback", {"feedback": verdict})
        assert (given.status_code, given.json()["feedback"]) == (200, verdict), given.content
    assert post(client, messages[0], "feedback", {"feedback": "helpful"}).status_code == 409
    assert post(client, messages[1], "feedback", {"feedback": "so so"}).status_code == 400
