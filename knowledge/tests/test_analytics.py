"""Search analytics."""

import pytest
from django.urls import reverse

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from knowledge.services.analytics import compute_search_analytics
from knowledge.tests.factories import DocumentFactory, RagQueryFactory


def hit(document, **why):
    return {"chunk": str(document.pk), "document": str(document.pk), "score": 0.8, **why}


def asked(text, results=(), **fields):
    return RagQueryFactory(query_text=text, results=list(results), **fields)


@pytest.fixture
def searches(tenant):
    """Two documents; a question that is answered, one that nothing answers, one of two people that is faint."""
    with tenant_scope(tenant, actor="system:test"):
        tides, bread = DocumentFactory(title="Tides"), DocumentFactory(title="Bread")
        asked(
            "When is  high water?", [hit(tides, text_rank=1), hit(bread)], user_id=None, response_time_ms=10
        )
        asked("when is high water? ", [hit(tides, text_rank=1)], user_id=None, response_time_ms=30)
        asked("What is the moon made of?", user_id=None, response_time_ms=900)
        for _ in range(2):
            asked("Who bakes?", [hit(bread, vector_rank=1, similarity=0.1)], user_id=uuid7())
        asked("My salary?", user_id=uuid7(), response_time_ms=5000)
    return tides, bread


def test_questions_without_good_answers_are_counted_and_named(tenant, searches):
    with tenant_scope(tenant):
        found = compute_search_analytics(30)

    assert (found.searches, found.without_answer) == (6, 4)
    assert [(row.question, row.searches, row.without_answer) for row in found.poor] == [
        ("who bakes?", 2, 2),
        ("what is the moon made of?", 1, 1),
    ]


def test_slow_questions_are_sorted_and_hide_those_of_one_other_person(tenant, searches):
    with tenant_scope(tenant):
        found = compute_search_analytics(30)

    assert [(row.question, row.slowest_ms) for row in found.slow][:2] == [
        ("what is the moon made of?", 900),
        ("when is high water?", 30),
    ]
    assert "salary" not in repr(found)


def test_ones_own_questions_are_shown(tenant, searches):
    person = uuid7()
    with tenant_scope(tenant, user=person, actor="system:test"):
        asked("My own?", user_id=person)
        assert "my own?" in [row.question for row in compute_search_analytics(30).poor]


def test_feedback_overrides_the_search_result(tenant, searches):
    with tenant_scope(tenant, actor="system:test"):
        asked("Good?", user_id=None, user_feedback="helpful")
        asked("Bad?", [hit(searches[0], text_rank=1)], user_id=None, user_feedback="unhelpful")
        found = compute_search_analytics(30)

    assert (found.helpful, found.unhelpful, found.without_answer) == (1, 1, 5)
    assert {"bad?"} == {row.question for row in found.poor} & {"good?", "bad?"}


def test_the_most_used_documents_come_first(tenant, searches):
    with tenant_scope(tenant):
        found = compute_search_analytics(30)

    assert [(row.title, row.searches, row.first) for row in found.documents] == [
        ("Bread", 3, 2),
        ("Tides", 2, 2),
    ]


def test_another_tenants_searches_are_not_counted(other_tenant, searches):
    with tenant_scope(other_tenant):
        found = compute_search_analytics(30)

    assert (found.searches, found.median_ms, found.poor, found.documents) == (0, None, [], [])


def test_api_returns_the_whole_report(searches, api_client):
    client = api_client()
    answer = client.get("/api/v1/search/analytics/", {"days": 7})

    assert answer.status_code == 200
    assert answer.json()["documents"][0]["title"] == "Bread"
    assert [client.get("/api/v1/search/analytics/", {"days": days}).status_code for days in (0, 91, "x")] == [
        400
    ] * 3


def test_the_console_shows_a_page(searches, admin_client):
    page = admin_client.get(reverse("admin:knowledge_ragquery_analytics"))

    assert page.status_code == 200
    assert "what is the moon made of?" in page.content.decode()
    assert "salary" not in page.content.decode()
