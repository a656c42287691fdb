"""Figures of rankings, judged datasets, and evaluations of a tenant's own questions."""

import json
import math
from pathlib import Path

import pytest
from django.conf import settings

from config.tenancy.scope import tenant_scope
from knowledge.evaluation.datasets import DatasetError, load_dataset
from knowledge.evaluation.metrics import compute_metrics, ndcg, recall, reciprocal_rank
from knowledge.models import Chunk, Collection, RagEvaluation
from knowledge.services.collection_evaluation import run_evaluation
from knowledge.services.evaluation import (
    JudgementError,
    check_judgements,
    evaluate_dataset,
    request_evaluation,
)
from knowledge.tests.factories import JudgedQuestionFactory
from knowledge.tests.test_search import fill

OWN_DOCS = Path(settings.BASE_DIR) / "benchmarks" / "data" / "docs"


def write_dataset(folder, *, passages, queries, judgements):
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("\n".join(json.dumps(each) for each in passages))
    (folder / "queries.jsonl").write_text("\n".join(json.dumps(each) for each in queries))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judgements)
    return folder


@pytest.fixture
def small(tmp_path):
    return write_dataset(
        tmp_path / "small",
        passages=[
            {"_id": "tides", "title": "Tides", "text": "High water follows the moon."},
            {"_id": "bread", "title": "Bread", "text": "Knead the dough."},
        ],
        queries=[{"_id": "1", "text": "when is high water"}, {"_id": "2", "text": "kneading dough"}],
        judgements="1\ttides\t2\n2\tbread\t1\n",
    )


def test_ndcg_of_the_best_order_is_1():
    assert ndcg(["a", "b", "c"], {"a": 2, "b": 1}) == 1.0


def test_ndcg_of_another_order_is_its_share_of_the_best():
    gained = 1 / math.log2(2) + 2 / math.log2(4)
    best = 2 / math.log2(2) + 1 / math.log2(3)

    assert ndcg(["b", "x", "a"], {"a": 2, "b": 1}) == pytest.approx(gained / best)


def test_ndcg_looks_at_ten():
    assert ndcg([*"0123456789", "a"], {"a": 1}) == 0.0


def test_recall_and_reciprocal_rank():
    grades = {"a": 1, "b": 2, "c": 0}
    assert recall(["c", "x", "b"], grades) == 0.5
    assert reciprocal_rank(["c", "x", "b"], grades) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x"], grades) == 0.0


def test_question_without_a_ranking_scores_zero():
    found = compute_metrics({"1": ["a"]}, {"1": {"a": 1}, "2": {"b": 1}})
    assert (found.ndcg, found.recall, found.mrr, found.questions) == (0.5, 0.5, 0.5, 2)


def test_beir_form(small):
    dataset = load_dataset(small)
    assert [passage.id for passage in dataset.passages] == ["tides", "bread"]
    assert dataset.judgements == {"1": {"tides": 2}, "2": {"bread": 1}}


def test_trec_form(small):
    (small / "queries.jsonl").unlink()
    (small / "queries.tsv").write_text("1\twhen is high water\n2\tkneading dough\n")
    (small / "qrels.txt").write_text("1 0 tides 2\n2 0 bread 1\n")
    dataset = load_dataset(small)

    assert dataset.queries == {"1": "when is high water", "2": "kneading dough"}
    assert dataset.judgements == {"1": {"tides": 2}, "2": {"bread": 1}}


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("corpus.jsonl", "no json", "corpus.jsonl, line 1: no JSON"),
        ("corpus.jsonl", '{"_id": "x"}', "corpus.jsonl, line 1: needs _id, text"),
        ("queries.jsonl", '{"_id": "1", "text": "x"}', "judged questions are missing: 2"),
        ("qrels/test.tsv", "h\n1\ttides", "test.tsv, line 2: needs 3 columns"),
        ("qrels/test.tsv", "h\n1\tmoon\t1", "judged passages are missing: moon"),
        ("qrels/test.tsv", "h\n", "there is no judgement"),
    ],
)
def test_a_broken_dataset_says_what_is_wrong(small, file, text, said):
    (small / file).write_text(text)
    with pytest.raises(DatasetError, match=said):
        load_dataset(small)


def test_evaluated_dataset_leaves_no_rows(tenant, small):
    scores = evaluate_dataset(
        tenant.pk, load_dataset(small), embedding_model="lexical-hash-384", strategies=["hybrid", "keyword"]
    )
    with tenant_scope(tenant):
        left = Chunk.objects.count() + Collection.objects.count()

    assert [(score.strategy, score.metrics.ndcg) for score in scores] == [("hybrid", 1.0), ("keyword", 1.0)]
    assert left == 0


def test_hybrid_beats_both_halves_on_our_own_documentation(tenant):
    scores = evaluate_dataset(
        tenant.pk,
        load_dataset(OWN_DOCS),
        embedding_model="lexical-hash-384",
        strategies=["hybrid", "semantic", "keyword"],
    )
    hybrid, semantic, keyword = (score.metrics for score in scores)

    assert hybrid.questions == 54
    assert hybrid.ndcg > semantic.ndcg + 0.05
    assert hybrid.ndcg > keyword.ndcg + 0.005
    assert hybrid.recall >= max(semantic.recall, keyword.recall)


def answer_nothing(searched, identifiers):
    return dict.fromkeys(identifiers)


def requested(tenant, judged):
    with tenant_scope(tenant, actor="system:test"):
        return request_evaluation(name="Ours", collection=Collection.objects.get(), judgements=judged)


def test_a_tenants_own_questions_are_measured(tenant, tmp_path):
    fill(tenant, tmp_path)
    evaluation = requested(tenant, {"When is high water?": {"tides.md": 1}, "kneading": {"bread.md": 1}})
    run_evaluation(tenant.pk, evaluation.pk, answer_nothing)
    with tenant_scope(tenant):
        evaluation = RagEvaluation.objects.get()

    assert (evaluation.status, evaluation.error_message) == ("completed", "")
    assert {row["strategy"]: row["recall_at_10"] for row in evaluation.results} == {
        "hybrid": 1.0, "semantic": 1.0, "keyword": 1.0,
    }  # fmt: skip


def test_an_evaluation_that_cannot_be_measured_says_why(tenant, tmp_path):
    fill(tenant, tmp_path)
    evaluation = requested(tenant, {"x": {"tides.md": 1}})
    with tenant_scope(tenant, actor="system:test"):
        Collection.objects.update(embedding_model="nobody")
    run_evaluation(tenant.pk, evaluation.pk, answer_nothing)
    with tenant_scope(tenant):
        evaluation = RagEvaluation.objects.get()

    assert evaluation.status == "failed"
    assert "unknown embedder 'nobody'" in evaluation.error_message


def test_an_evaluation_runs_in_its_own_tenant_only(tenant, other_tenant, tmp_path):
    fill(tenant, tmp_path)
    evaluation = requested(tenant, {"x": {"tides.md": 1}})
    run_evaluation(other_tenant.pk, evaluation.pk, answer_nothing)
    with tenant_scope(tenant):
        assert RagEvaluation.objects.get().status == "pending"


@pytest.mark.parametrize(
    "judged", [[], {}, {"": {"a": 1}}, {"q": {}}, {"q": {"a": 11}}, {"q": {"a": True}}, {"q": ["a"]}]
)
def test_judgements_of_another_shape_are_refused(judged):
    with pytest.raises(JudgementError):
        check_judgements(judged)


@pytest.mark.parametrize("members", [{}, {"judgements": {}}])
def test_api_accepts_an_evaluation_without_judgements(tenant, tmp_path, api_client, members):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        members = {"name": "Ours", "collection": str(Collection.objects.get().pk), **members}
    made = api_client().post("/api/v1/rag-evaluations/", members, content_type="application/json")
    assert (made.status_code, made.json()["judgements"]) == (201, {})


def test_the_api_takes_questions_and_defers_the_measuring(tenant, tmp_path, api_client):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        collection = Collection.objects.get()
    client, body = api_client(), {"name": "Ours", "collection": str(collection.pk)}
    judged = {"When is high water?": {"tides.md": 1}}
    made = client.post(
        "/api/v1/rag-evaluations/", body | {"judgements": judged}, content_type="application/json"
    )
    wrong = client.post(
        "/api/v1/rag-evaluations/", body | {"judgements": {"q": {}}}, content_type="application/json"
    )

    assert (made.status_code, made.json()["status"], made.json()["results"]) == (201, "pending", [])
    assert wrong.status_code == 400


def accept(tenant, collection, questions, gold=()):
    """Create accepted questions with the source of their document."""
    with tenant_scope(tenant, actor="system:test"):
        return [
            JudgedQuestionFactory(
                collection=collection,
                user=None,
                is_shared=True,
                status="accepted",
                question=question,
                grades={source: 1},
                gold=list(gold),
                language="en",
            )
            for question, source in questions.items()
        ]


def test_accepted_questions_are_measured_with_their_answers(tenant, tmp_path):
    fill(tenant, tmp_path)
    with tenant_scope(tenant, actor="system:test"):
        collection = Collection.objects.get()
        JudgedQuestionFactory(collection=collection, user=None, is_shared=True, question="Suggested only?")
    water, bread = accept(
        tenant, collection, {"When is high water?": "tides.md", "kneading": "none.md"}, gold=["the moon"]
    )
    evaluation = requested(tenant, {})
    run_evaluation(tenant.pk, evaluation.pk, lambda searched, keys: {str(water.pk): "It is  the\nmoon [1]."})
    with tenant_scope(tenant):
        evaluation = RagEvaluation.objects.get()

    score = {"language": "en", "ndcg_at_10": 1.0, "recall_at_10": 1.0, "gold": 1.0}
    assert evaluation.scores == [
        {"question": str(water.pk)} | score,
        {"question": str(bread.pk), "language": "en", "ndcg_at_10": 0.0, "recall_at_10": 0.0, "gold": 0.0},
    ]
    assert [row.get("gold") for row in evaluation.results] == [0.5, None, None]
    assert evaluation.differences == []


def test_an_evaluation_without_accepted_questions_says_so(tenant, tmp_path):
    fill(tenant, tmp_path)
    evaluation = requested(tenant, {})
    run_evaluation(tenant.pk, evaluation.pk, answer_nothing)
    with tenant_scope(tenant):
        assert RagEvaluation.objects.get().error_message.startswith(
            "The collection has no accepted questions."
        )


def test_an_evaluation_is_compared_with_its_baseline(tenant, tmp_path, api_client):
    fill(tenant, tmp_path)
    with tenant_scope(tenant, actor="system:test"):
        collection = Collection.objects.get()
    accept(tenant, collection, {"When is high water?": "tides.md"})
    first = requested(tenant, {})
    run_evaluation(tenant.pk, first.pk, answer_nothing)
    url = f"/api/v1/rag-evaluations/{first.pk}/set-baseline/"
    made = api_client().post(url, {"tolerance": 0.05}, content_type="application/json")
    second = requested(tenant, {})
    run_evaluation(tenant.pk, second.pk, answer_nothing)
    with tenant_scope(tenant):
        second.refresh_from_db()

    assert (made.status_code, made.json()["is_baseline"], made.json()["tolerance"]) == (200, True, 0.05)
    assert [(row["metric"], row["mean"], row["is_regression"]) for row in second.differences] == [
        ("ndcg_at_10", 0.0, False),
        ("recall_at_10", 0.0, False),
    ]


def test_only_completed_evaluations_of_accepted_questions_become_baselines(tenant, tmp_path, api_client):
    fill(tenant, tmp_path)
    evaluation = requested(tenant, {"When is high water?": {"tides.md": 1}})
    run_evaluation(tenant.pk, evaluation.pk, answer_nothing)
    url = f"/api/v1/rag-evaluations/{evaluation.pk}/set-baseline/"
    clients = map(api_client, ("viewer", "analyst"))
    codes = [client.post(url, {}, content_type="application/json").status_code for client in clients]

    assert codes == [403, 409]
