"""Judged questions: suggestions from searches, review and lifetime."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditLog
from config.db.ids import uuid7_floor
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from knowledge.models import JudgedQuestion
from knowledge.services.judged_questions import (
    SUGGESTION_LIFETIME,
    RatedResults,
    contains_text,
    expire_suggestions,
    suggest_from_results,
)
from knowledge.tests.factories import (
    ChunkFactory,
    CollectionFactory,
    DocumentFactory,
    JudgedQuestionFactory,
    RagQueryFactory,
)

URL = "/api/v1/judged-questions/"


@pytest.fixture
def chunk(tenant):
    with tenant_scope(tenant, actor="system:test"):
        collection = CollectionFactory()
        chunk = ChunkFactory(
            document=DocumentFactory(collection=collection, source="tides.md"),
            content="High water follows the moon by about six hours.",
        )
        ChunkFactory(document=DocumentFactory(collection=collection, source="bread.md"))
    return chunk


def post(client, path, body=None):
    return client.post(f"{URL}{path}", body or {}, content_type="application/json")


def rate(client, chunk, feedback, text="When is high water?"):
    """Rate a search of the client's user that found `chunk`."""
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        query = RagQueryFactory(query_text=text, results=[{"chunk": str(chunk.pk), "score": 0.5}])
    url = f"/api/v1/rag-queries/{query.pk}/"
    assert client.patch(url, {"user_feedback": feedback}, content_type="application/json").status_code == 200
    return url


def list_questions(client):
    return [row["question"] for row in client.get(URL).json()["results"]]


def test_a_helpful_search_becomes_a_suggestion(api_client, chunk):
    client = api_client("user")
    url = rate(client, chunk, "helpful")
    (row,) = client.get(URL).json()["results"]

    assert (row["question"], row["grades"], row["status"]) == (
        "When is high water?", {"tides.md": 1}, "suggested",
    )  # fmt: skip
    assert (row["chunk"], row["origin"], row["is_shared"]) == (str(chunk.pk), "search_feedback", False)
    client.patch(url, {"user_feedback": "unhelpful"}, content_type="application/json")
    assert [row["grades"] for row in client.get(URL).json()["results"]] == [{"tides.md": 0}]
    client.patch(url, {"user_feedback": ""}, content_type="application/json")
    assert list_questions(client) == []


def test_a_suggestion_is_private_until_its_user_shares_it(api_client, chunk):
    author, reviewer = api_client("user"), api_client("admin")
    rate(author, chunk, "helpful", "Who pays my salary?")
    (row,) = author.get(URL).json()["results"]
    hidden = [list_questions(reviewer), post(reviewer, f"{row['id']}/accept/").status_code]
    shared = post(author, f"{row['id']}/share/")

    assert hidden == [[], 404]
    assert (shared.status_code, list_questions(reviewer)) == (200, ["Who pays my salary?"])


def test_a_question_of_two_users_is_shared(api_client, chunk):
    first, second, reviewer = api_client("user"), api_client("user"), api_client("analyst")
    rate(first, chunk, "helpful")
    rate(first, chunk, "helpful")
    assert list_questions(reviewer) == []
    rate(second, chunk, "helpful", "when is  high water?")

    assert list_questions(reviewer) == ["When is high water?"]


def test_only_writers_of_collections_review(api_client, tenant):
    with tenant_scope(tenant, actor="system:test"):
        question = JudgedQuestionFactory(user=None, is_shared=True)
    user, analyst = api_client("user"), api_client("analyst")
    codes = [post(user, f"{question.pk}/{verb}/").status_code for verb in ("accept", "reject")]
    accepted = post(analyst, f"{question.pk}/accept/")

    assert codes == [403, 403]
    assert (accepted.status_code, accepted.json()["status"]) == (200, "accepted")
    assert post(analyst, f"{question.pk}/accept/").json()["code"] == "reviewed"
    with tenant_scope(tenant):
        event = AuditLog.objects.get(action="judged_question.accepted")
    assert event.resource_id == str(question.pk)


def test_acceptance_needs_a_grade_and_forgets_the_author(api_client, tenant):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        question = JudgedQuestionFactory(user=client.key.user, grades={"tides.md": 0})
    refused = post(client, f"{question.pk}/accept/")
    changed = client.patch(
        f"{URL}{question.pk}/", {"grades": {"tides.md": 2}}, content_type="application/json"
    )
    accepted = post(client, f"{question.pk}/accept/")
    with tenant_scope(tenant):
        question.refresh_from_db()

    assert (refused.status_code, refused.json()["code"]) == (409, "ungraded")
    assert (changed.status_code, accepted.status_code) == (200, 200)
    assert (question.user_id, question.source_id, question.is_shared) == (None, None, True)
    assert question.reviewed_by_id == client.key.user_id


def test_reviewed_questions_are_not_suggested_again(api_client, chunk, tenant):
    client = api_client()
    with tenant_scope(tenant, actor="system:test"):
        fields = {"collection": chunk.collection, "user": None, "is_shared": True, "status": "rejected"}
        JudgedQuestionFactory(question="When is high water?", **fields)
    rate(client, chunk, "helpful")

    assert [row["status"] for row in client.get(URL).json()["results"]] == ["rejected"]


@pytest.mark.parametrize(
    "body",
    [{"grades": {"a": 11}}, {"grades": {"a": True}}, {"grades": []}, {"gold": [""]}, {"gold": "six"}, {"gold": [1]}],
)  # fmt: skip
def test_malformed_grades_and_texts_are_refused(api_client, chunk, body):
    fields = {"collection": str(chunk.collection_id), "question": "When?"}
    response = post(api_client(), "", fields | body)

    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, f"/{next(iter(body))}")


def test_a_manual_question_is_shared_and_stays_in_its_collection(api_client, chunk, tenant):
    client = api_client()
    made = post(client, "", {"collection": str(chunk.collection_id), "question": "When is high water?"})
    with tenant_scope(tenant, actor="system:test"):
        other = CollectionFactory()
    moved = client.patch(
        f"{URL}{made.json()['id']}/", {"collection": str(other.pk)}, content_type="application/json"
    )

    assert (made.status_code, made.json()["is_shared"], made.json()["origin"]) == (201, True, "manual")
    assert made.json()["language"] == "en"
    assert moved.status_code == 400


def test_a_correction_finds_the_passage_that_contains_it(tenant, member, chunk):
    with tenant_scope(tenant, user=member.user):
        other = chunk.collection.chunks.exclude(pk=chunk.pk).get()
        correction = "by about\n six hours"
        rated = [
            "When is high water?",
            [other.pk],
            "unhelpful",
            "answer_feedback",
            other.pk,
            None,
            correction,
        ]
        row = suggest_from_results(RatedResults(*rated))

    assert (row.grades, row.gold) == ({"bread.md": 0, "tides.md": 1}, ["by about six hours"])
    assert row.chunk_id == chunk.pk


def test_texts_are_compared_without_line_breaks():
    assert contains_text("about\n six  hours", "six hours")
    assert not contains_text("about six hours", " ")


def test_old_suggestions_expire_and_accepted_questions_stay(tenant, member):
    old = timezone.now() - SUGGESTION_LIFETIME - timedelta(minutes=1)
    with tenant_scope(tenant, user=member.user):
        first, second = (uuid7_floor(old - timedelta(seconds=n)) for n in (0, 1))
        JudgedQuestionFactory(id=first, user=member.user)
        JudgedQuestionFactory(id=second, user=None, is_shared=True, status="accepted")
        new = JudgedQuestionFactory(user=member.user)
    assert expire_suggestions() == 1
    with tenant_scope(tenant, user=member.user):
        assert set(JudgedQuestion.objects.values_list("pk", flat=True)) == {second, new.pk}


def test_suggestions_are_deleted_with_their_user(tenant):
    leaving = add_member(tenant)
    with tenant_scope(tenant, user=leaving.user):
        JudgedQuestionFactory(user=leaving.user)
    with tenant_scope(tenant, actor="system:test"):
        leaving.delete()
        assert JudgedQuestion.objects.count() == 0


def test_the_console_reviews_questions(admin_client, tenant, member):
    with tenant_scope(tenant, user=member.user):
        ids = [JudgedQuestionFactory(user=member.user, grades=grades).pk for grades in ({"a.md": 1}, {})]
    listing = reverse("admin:knowledge_judgedquestion_changelist")
    page = admin_client.post(listing, {"action": "accept", "_selected_action": ids}, follow=True)
    with tenant_scope(tenant, user=member.user):
        states = dict(JudgedQuestion.objects.values_list("pk", "status"))

    assert states == {ids[0]: "accepted", ids[1]: "suggested"}
    assert "Grade at least one document above 0 first." in page.content.decode()
