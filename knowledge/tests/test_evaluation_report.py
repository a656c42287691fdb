"""Report of a collection's evaluations."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from knowledge.models import RagEvaluation
from knowledge.services.evaluation_report import build_evaluation_report
from knowledge.tests.factories import (
    CollectionFactory,
    DocumentFactory,
    JudgedQuestionFactory,
    RagEvaluationFactory,
)

RESULT = {"strategy": "hybrid", "questions": 2, "ndcg_at_10": 0.75, "recall_at_10": 1.0, "gold": None}
DIFFERENCE = {
    "metric": "ndcg_at_10", "questions": 2, "before": 1.0, "after": 0.75, "mean": -0.25, "low": -0.5, "high": -0.1,
    "p_value": 0.01, "is_regression": True,
}  # fmt: skip


def score(question, ndcg, language="en"):
    return {
        "question": str(question.pk),
        "language": language,
        "ndcg_at_10": ndcg,
        "recall_at_10": 1.0,
        "gold": None,
    }


@pytest.fixture
def collection(tenant):
    """A collection with a baseline and a later evaluation, on an English and a German question."""
    with tenant_scope(tenant, actor="system:test"):
        collection = CollectionFactory(name="Tides")
        DocumentFactory(collection=collection, source="tides.md", title="About tides")
        fields = {"collection": collection, "user": None, "is_shared": True, "status": "accepted"}
        first = JudgedQuestionFactory(
            question="When is high water?", grades={"tides.md": 1, "no.md": 0}, **fields
        )
        second = JudgedQuestionFactory(question="Wann ist Hochwasser?", grades={"gone.md": 2}, **fields)
        done = {
            "collection": collection,
            "judgements": {},
            "status": "completed",
            "completed_at": timezone.now(),
        }
        for number, ndcgs in enumerate([(1.0, 1.0), (1.0, 0.5)]):
            RagEvaluationFactory(
                name=f"Run {number}",
                is_baseline=not number,
                results=[RESULT | {"ndcg_at_10": sum(ndcgs) / 2}],
                scores=[score(first, ndcgs[0]), score(second, ndcgs[1], "de")],
                differences=[DIFFERENCE] if number else [],
                **done,
            )
        RagEvaluationFactory(**done | {"judgements": {"x": {"y": 1}}})
        RagEvaluationFactory(collection=collection)
    return collection


def test_the_report_has_runs_languages_and_worst_questions(tenant, collection):
    with tenant_scope(tenant):
        report = build_evaluation_report(collection)

    assert [(run.name, run.is_baseline, run.ndcg_at_10) for run in report.runs] == [
        ("Run 1", False, 0.75),
        ("Run 0", True, 1.0),
    ]
    assert [(row.language, row.questions, row.ndcg_at_10) for row in report.languages] == [
        ("de", 1, 0.5),
        ("en", 1, 1.0),
    ]
    (worst,) = report.worst
    assert (worst.question, worst.ndcg_at_10) == ("Wann ist Hochwasser?", 0.5)
    assert [(each.source, each.id) for each in worst.documents] == [("gone.md", None)]


def test_another_tenant_does_not_find_the_report(api_client, collection, other_tenant):
    client = api_client("viewer")
    url = f"/api/v1/collections/{collection.pk}/evaluation-report/"
    found = client.get(url)
    with tenant_scope(other_tenant):
        report = build_evaluation_report(collection)

    assert (found.status_code, [run["name"] for run in found.json()["runs"]]) == (200, ["Run 1", "Run 0"])
    assert found.json()["runs"][0]["differences"] == [DIFFERENCE]
    assert (report.runs, report.worst) == ([], [])


def test_the_console_shows_the_report_with_few_queries(admin_client, collection):
    url = reverse("admin:knowledge_ragevaluation_report", args=[collection.pk])
    admin_client.get(url)
    with CaptureQueriesContext(connection) as captured:
        page = admin_client.get(url)
    text = page.content.decode()

    assert page.status_code == 200
    assert "-0.250 (p 0.010) worse" in " ".join(text.split())
    assert "Wann ist Hochwasser?" in text
    assert "gone.md" in text
    assert len(captured) < 20


def test_the_console_sets_the_baseline(admin_client, collection, tenant):
    with tenant_scope(tenant):
        newest = build_evaluation_report(collection).runs[0].id
        without_scores = RagEvaluation.objects.filter(scores=[])[0].pk
    listing = reverse("admin:knowledge_ragevaluation_changelist")
    for pk in (newest, without_scores):
        page = admin_client.post(listing, {"action": "set_baseline", "_selected_action": [pk]}, follow=True)
    with tenant_scope(tenant):
        baselines = list(RagEvaluation.objects.filter(is_baseline=True).values_list("pk", flat=True))

    assert baselines == [newest]
    assert "A baseline must be a completed evaluation" in page.content.decode()
