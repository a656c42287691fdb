"""Judged questions that are suggested from feedback on answers."""

import pytest

from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message
from conversations.tests.factories import ConversationFactory, MessageFactory, ParticipantFactory
from knowledge.models import JudgedQuestion
from knowledge.tests.factories import ChunkFactory, DocumentFactory


@pytest.fixture
def client(api_client):
    return api_client("user")


@pytest.fixture
def answer(client, tenant):
    """An answer to a question of the client's user, which cites one passage."""
    user = client.key.user
    with tenant_scope(tenant, user=user):
        chunk = ChunkFactory(
            document=DocumentFactory(source="tides.md"), content="High water follows the moon by six hours."
        )
        conversation = ConversationFactory(user=user, message_count=2)
        ParticipantFactory(conversation=conversation)
        fields = {"conversation": conversation, "content": "When is high water?"}
        question = MessageFactory(sequence_number=1, user=user, **fields)
        return MessageFactory(
            conversation=conversation,
            sequence_number=2,
            role="assistant",
            user=None,
            reply_to_id=question.pk,
            citations=[{"number": 1, "chunk": str(chunk.pk)}],
        )


def rate(client, message, **body):
    url = f"/api/v1/conversations/{message.conversation_id}/messages/{message.pk}/feedback/"
    response = client.post(url, body, content_type="application/json")
    assert response.status_code == 200, response.content


def list_suggestions(client):
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        return list(JudgedQuestion.objects.values_list("question", "grades", "gold", "status"))


def test_feedback_on_an_answer_suggests_its_question(client, answer):
    rate(client, answer, feedback="helpful")
    helpful = list_suggestions(client)
    rate(client, answer, feedback="unhelpful")
    unhelpful = list_suggestions(client)
    rate(client, answer, feedback="")

    assert helpful == [("When is high water?", {"tides.md": 1}, [], "suggested")]
    assert unhelpful == [("When is high water?", {"tides.md": 0}, [], "suggested")]
    assert list_suggestions(client) == []


def test_a_correction_becomes_the_gold_text(client, answer):
    rate(client, answer, feedback="unhelpful")
    rate(client, answer, feedback="unhelpful", correction="by six hours")

    assert list_suggestions(client) == [
        ("When is high water?", {"tides.md": 1}, ["by six hours"], "suggested")
    ]


def test_answers_without_citations_suggest_nothing(client, answer):
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        Message.objects.filter(pk=answer.pk).update(citations=[])
    rate(client, answer, feedback="helpful")

    assert list_suggestions(client) == []


def test_feedback_on_an_answer_to_somebody_else_suggests_nothing(api_client, client, answer):
    colleague = api_client("user")
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        ParticipantFactory(conversation_id=answer.conversation_id, user=colleague.key.user)
    rate(colleague, answer, feedback="helpful")

    assert list_suggestions(client) == list_suggestions(colleague) == []


@pytest.mark.parametrize("erased", ["question", "answer", "conversation"])
def test_a_suggestion_is_erased_with_its_conversation(client, answer, erased):
    rate(client, answer, feedback="helpful")
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        if erased == "conversation":
            Conversation.objects.get(pk=answer.conversation_id).delete()
        else:
            pk = answer.pk if erased == "answer" else answer.reply_to_id
            Message.objects.filter(pk=pk).update(content="")

    assert list_suggestions(client) == []
