"""Rerankers at endpoints, and searches whose reranker fails."""

import json
import math

import pytest

from agents.testing import FakeOpenAI, fail, invalid_reply, redirect, slow, unreachable_url
from config.tenancy.scope import tenant_scope
from knowledge.checks import check_reranker
from knowledge.models import Collection
from knowledge.rerankers import EndpointReranker, RerankError, RerankPauseError, get_endpoint_reranker
from knowledge.services.search import search
from knowledge.tests.test_search import fill

KEY = "secret-key"
QUERY = "water dough interest"


def build(server, shape="cohere", **options):
    base_url = server.base_url.removesuffix("/v1")
    return EndpointReranker(shape, base_url, KEY, "rerank-1", timeout=0.5, **options)


def results(*scores):
    rows = [{"index": index, "relevance_score": score} for index, score in enumerate(scores)]
    return invalid_reply(json.dumps({"results": rows[::-1]}).encode())


@pytest.mark.parametrize(("shape", "path"), [("cohere", "/v2/rerank"), ("jina", "/v1/rerank")])
def test_reranker_with_documents(shape, path):
    with FakeOpenAI(results(0.1, 0.9)) as server:
        assert build(server, shape)("tides", ["bread", "sea"]) == [0.1, 0.9]
    (request,) = server.requests
    assert (request.path, request.headers["authorization"]) == (path, f"Bearer {KEY}")
    body = {"model": "rerank-1", "query": "tides", "documents": ["bread", "sea"], "top_n": 2}
    assert request.body == body


def test_reranker_of_text_embeddings_inference():
    with FakeOpenAI(invalid_reply(b'[{"index": 1, "score": 0.9}, {"index": 0, "score": -2}]')) as server:
        assert build(server, "tei")("tides", ["bread", "sea"]) == [-2, 0.9]
    assert server.requests[0].path == "/rerank"
    assert server.requests[0].body == {"query": "tides", "texts": ["bread", "sea"], "truncate": True}


INVALID = [
    (fail(500), "answered 500"),
    (fail(401), "answered 401"),
    (redirect("http://127.0.0.1:9/"), "answered 307"),
    (slow(5), "did not answer in time"),
    (invalid_reply(), "gave no scores"),
    (invalid_reply(b"[" * 100_000), "gave no scores"),
    (invalid_reply(b"{}"), "gave no scores"),
    (invalid_reply(b'{"results": [1, 2]}'), "gave no scores"),
    (invalid_reply(b" " * 1_100_000), "too long"),
    (results(0.5), "1 scores for 2 passages"),
    (results(0.5, 0.5, 0.5), "invalid index"),
    (results(0.5, math.nan), "not finite"),
    (results(0.5, "high"), "not numbers"),
    (results(0.5, True), "not numbers"),
    (results(0.5, None), "not numbers"),
    (
        invalid_reply(
            b'{"results": [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 1}]}'
        ),
        "index",
    ),
    (
        invalid_reply(
            b'{"results": [{"index": -1, "relevance_score": 1}, {"index": 0, "relevance_score": 1}]}'
        ),
        "index",
    ),
    (invalid_reply(b'{"results": [{"index": "0", "relevance_score": 1}]}'), "index"),
]


@pytest.mark.parametrize(("reply", "problem"), INVALID)
def test_reranker_errors_are_named(reply, problem):
    with FakeOpenAI(reply) as server, pytest.raises(RerankError, match=problem) as caught:
        build(server)("tides", ["bread", "sea"])
    assert KEY not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_connection_error_hides_the_address():
    with pytest.raises(RerankError, match="cannot be reached") as caught:
        EndpointReranker("jina", unreachable_url(), KEY)("tides", ["sea"])
    assert "127.0.0.1" not in str(caught.value)


def test_failed_reranker_is_not_asked_for_a_while():
    with FakeOpenAI(fail(500), results(0.5)) as server:
        reranker = build(server)
        for error in (RerankError, RerankPauseError):
            with pytest.raises(error):
                reranker("tides", ["sea"])
        reranker.pause = 0
        assert reranker("tides", ["sea"]) == [0.5]
    assert len(server.requests) == 2


def test_search_uses_the_configured_reranker(tenant, tmp_path, settings):
    fill(tenant, tmp_path)
    with FakeOpenAI(results(0.1, 0.2, 0.9)) as server:
        settings.RERANKER_URL, settings.RERANKER_KEY = server.base_url.removesuffix("/v1"), KEY
        with tenant_scope(tenant):
            collections = list(Collection.objects.all())
            found = search(QUERY, collections)
            for collection in collections:
                collection.settings = {"reranker": False}
            fused = search(QUERY, collections)
    texts = server.requests[0].body["documents"]
    assert [passage.text for passage in found] == texts[::-1]
    assert [passage.explanation.rerank_score for passage in found] == [0.9, 0.2, 0.1]
    assert [passage.text for passage in fused] == texts
    assert len(server.requests) == 1


def invalid_function(query, texts):
    raise ZeroDivisionError(KEY)


@pytest.mark.parametrize(
    ("reranker", "problem"),
    [
        (invalid_function, "the reranker failed"),
        (lambda query, texts: [math.nan] * len(texts), "the reranker gave a score that is not finite"),
        (lambda query, texts: [1], "the reranker gave 1 scores for 3 passages"),
        (lambda query, texts: None, "the reranker gave scores that are not numbers"),
        (lambda query, texts: [10**400] * 3, "the reranker gave scores that are not numbers"),
    ],
)
def test_search_keeps_its_order_if_reranking_fails(tenant, tmp_path, reranker, problem):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        collections = list(Collection.objects.all())
        fused = search(QUERY, collections)
        found = search(QUERY, collections, reranker=reranker)
    assert [passage.id for passage in found] == [passage.id for passage in fused]
    assert {passage.explanation.rerank_error for passage in found} == {problem}


def test_search_logs_a_failing_endpoint_once(tenant, tmp_path, settings, caplog):
    fill(tenant, tmp_path)
    with FakeOpenAI(fail(503)) as server:
        settings.RERANKER_URL, settings.RERANKER_SHAPE = server.base_url, "tei"
        with tenant_scope(tenant):
            collections = list(Collection.objects.all())
            counts = [len(search(QUERY, collections)) for _ in range(3)]
    assert (counts, len(server.requests)) == ([3, 3, 3], 1)
    assert [record.getMessage() for record in caplog.records] == [
        "reranking failed: the reranker answered 503"
    ]


def test_no_reranker_is_configured_by_default(settings):
    assert get_endpoint_reranker() is None
    settings.RERANKER_SHAPE = "other"
    (found,) = check_reranker(None)
    assert (found.id, "cohere, jina, tei" in found.msg) == ("conclave.E031", True)
