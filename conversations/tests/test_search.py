"""Message search: ranking, access, filters, pagination and embeddings."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from conversations import tasks
from conversations.models import Conversation, Message, MessageEmbedding
from conversations.services.message_index import embed_messages
from conversations.tests.factories import ConversationFactory, MessageFactory, ParticipantFactory

URL = "/api/v1/conversations/search/"
DAY = timedelta(days=1)
SAID = (
    "When is high water in Emden?",
    "High water comes at noon; the ferry sails then.",
    "How do I bake rye bread?",
    "Rye bread needs sourdough & an oven, 230 < 250 degrees hot.",
)


@pytest.fixture
def client(api_client):
    return api_client()


def converse(tenant, user, *said, **fields):
    with tenant_scope(tenant, user=user):
        row = ConversationFactory(user=user, **fields)
        return row, [
            MessageFactory(
                conversation=row,
                sequence_number=number,
                content=text,
                role=("user", "assistant")[1 - number % 2],
            )
            for number, text in enumerate(said, 1)
        ]


@pytest.fixture
def said(client, tenant):
    row, messages = converse(tenant, client.key.user, *SAID)
    assert embed_messages(back=DAY) == 4
    return row, messages


def search(client, q, **asked):
    response = client.get(URL, {"q": q, **asked})
    assert response.status_code == 200, response.content
    return response.json()


def texts(tenant, found):
    with tenant_scope(tenant, actor="system:test"):
        return [Message.objects.get(pk=row["message"]).content for row in found["results"]]


def test_results_are_ranked_highlighted_and_escaped(client, said, tenant):
    found = search(client, "sourdough for bread")
    first = found["results"][0]
    assert texts(tenant, found)[0] == SAID[3]
    marked = "<mark>bread</mark> needs <mark>sourdough</mark> &amp; an oven, 230 &lt; 250 degrees"
    assert marked in first["snippet"]
    assert (first["conversation"], first["sequence_number"]) == (str(said[0].pk), 4)
    assert (first["title"], first["score"]) == (said[0].title, 1.0)
    assert SAID[0] not in texts(tenant, found)


def test_search_finds_own_messages_only(client, api_client, said, tenant, other_tenant):
    colleague, outsider = api_client(), api_client(tenant=other_tenant)
    assert search(colleague, "rye bread")["results"] == []
    assert search(outsider, "rye bread")["results"] == []
    with tenant_scope(tenant, actor="system:test"):
        ParticipantFactory(conversation=said[0], user=colleague.key.user)
    assert len(search(colleague, "rye bread")["results"]) == 2


def test_filters_by_agent_and_time(client, said, tenant):
    row, _ = converse(tenant, client.key.user, "Rye bread again.")
    embed_messages(back=DAY)
    found = search(client, "rye bread", agent=row.agent_id)
    assert [each["conversation"] for each in found["results"]] == [str(row.pk)]
    tomorrow = (timezone.now() + DAY).isoformat()
    assert search(client, "rye bread", after=tomorrow)["results"] == []
    assert len(search(client, "rye bread", before=tomorrow)["results"]) == 3
    assert client.get(URL, {"q": "x", "after": "9999-12-31T23:59:59Z"}).status_code in (200, 400)


def test_pagination_continues_after_last_result(client, tenant):
    converse(tenant, client.key.user, *[f"Tide number {n} of the year" for n in range(5)])
    embed_messages(back=DAY)
    seen, offset = [], 0
    while offset is not None:
        page = search(client, "tide", limit=2, offset=offset)
        seen += [row["message"] for row in page["results"]]
        offset = page["next"]
    assert (len(seen), len(set(seen))) == (5, 5)


@pytest.mark.parametrize(
    "asked", [{}, {"q": ""}, {"q": "x", "limit": 51}, {"q": "x", "agent": "x"}, {"q": "x", "p": 1}]
)
def test_invalid_queries_are_rejected(client, asked):
    assert client.get(URL, asked).status_code == 400


def test_only_completed_messages_are_found(client, tenant):
    with tenant_scope(tenant, user=client.key.user):
        row = ConversationFactory(user=client.key.user)
        MessageFactory(conversation=row, status="pending", role="assistant", content="zebra one")
        MessageFactory(conversation=row, role="system", content="zebra two")
        late = MessageFactory(conversation=row, status="failed", role="assistant", content="zebra three")
    assert embed_messages(back=DAY) == 0
    with tenant_scope(tenant, actor="system:test"):
        Message.objects.filter(pk=late.pk).update(status="completed")
    assert embed_messages(back=DAY) == 1
    assert texts(tenant, search(client, "zebra")) == ["zebra three"]


def test_embedding_is_deleted_with_message(client, said, tenant):
    with tenant_scope(tenant, actor="system:test"):
        Message.objects.filter(pk=said[1][0].pk).delete()
        assert MessageEmbedding.objects.count() == 3
        Conversation.objects.get(pk=said[0].pk).delete()
        assert MessageEmbedding.objects.count() == 0
    assert search(client, "rye bread")["results"] == []


def test_new_embedder_replaces_embeddings(client, said, tenant):
    with tenant_scope(tenant, actor="system:test"):
        MessageEmbedding.objects.update(embedding_model="older")
    assert search(client, "rye bread")["results"] == []
    call_command("embed_messages", tenant=tenant.slug, verbosity=0)
    assert len(search(client, "rye bread")["results"]) == 2


def test_the_job_embeds_new_messages_once(client, tenant):
    converse(tenant, client.key.user, "At noon.")
    with tenant_scope(tenant, user=client.key.user):
        old = ConversationFactory(user=client.key.user, id=uuid7(timezone.now() - 3 * DAY))
        MessageFactory(id=uuid7(timezone.now() - 2 * DAY), conversation=old, content="Of the day before.")
    tasks.embed_new_messages.func.__wrapped__(0)
    tasks.embed_new_messages.func.__wrapped__(0)
    with tenant_scope(tenant, actor="system:test"):
        assert MessageEmbedding.objects.count() == 1
    tasks.embed_left_messages.func.__wrapped__(0)
    with tenant_scope(tenant, actor="system:test"):
        assert MessageEmbedding.objects.count() == 2


def test_search_uses_conversation_index_under_rls(client, said, tenant):
    """The vector index is not used, since filtering its results would lose matches."""
    from conversations.services import search as searching

    question = searching.embed_question("rye bread")
    with tenant_scope(tenant, user=client.key.user), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        values = searching.build_parameters(question, client.key.user_id, searching.SearchFilter())
        values |= {"limit": 20, "offset": 0}
        cursor.execute(f"EXPLAIN {searching.SQL.format(column=question.column)}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "hnsw" not in plan
    assert "conversation_id = ANY" in plan
