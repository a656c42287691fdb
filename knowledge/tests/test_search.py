import time

import pytest

from audit.models import AuditLog
from config.tenancy.scope import ScopeRequiredError, tenant_scope
from knowledge.api.search import highlight_snippet
from knowledge.embedders import _EMBEDDERS, get_embedder
from knowledge.models import Collection, Document, RagQuery
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion
from knowledge.services.neighbours import load_passage_contexts
from knowledge.services.search import FoundPassage, log_query, search
from knowledge.services.search_sql import HIT_END, HIT_START
from knowledge.tests.factories import ChunkFactory, CollectionFactory, DocumentFactory

TEXTS = {
    "tides.md": "# Tides\n\nHigh water follows the moon by some hours.",
    "bread.md": "# Bread\n\nKnead the dough and let it rise in the warm.",
    "loans.md": "# Loans\n\nInterest is due on the last day of the month.",
}


def fill(tenant, folder, texts=TEXTS):
    for name, text in texts.items():
        (folder / name).write_text(text)
    with tenant_scope(tenant, actor="system:test"):
        collection, _ = get_or_create_collection("all")
    ingestion = Ingestion(tenant.pk, collection, "system:test")
    list(ingestion.run(ingestion.files(folder)))


def best(query, **options):
    return [found.source for found in search(query, list(Collection.objects.all()), **options)]


@pytest.mark.parametrize("strategy", ["hybrid", "keyword", "semantic"])
def test_the_passage_that_answers_comes_first(tenant, tmp_path, strategy):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        assert best("When is high water?", strategy=strategy)[0] == "tides.md"
        assert best("kneading dough", strategy=strategy)[0] == "bread.md"


def test_scores_lie_between_0_and_1_and_fall(tenant, tmp_path):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        scores = [found.score for found in search("water day dough", list(Collection.objects.all()))]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] <= scores[0] <= 1


def test_another_tenants_passages_are_not_found(tenant, other_tenant, tmp_path):
    fill(other_tenant, tmp_path)
    with tenant_scope(other_tenant):
        foreign = list(Collection.objects.all())
    with tenant_scope(tenant):
        assert search("high water moon", foreign) == []


@pytest.mark.parametrize(
    "query", ["", "   ", "???", "the of and", "'); DROP TABLE x; --", "a" * 10000, "\\", "' & |"]
)
def test_unusual_queries_are_no_error(tenant, tmp_path, query):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        assert isinstance(search(query, list(Collection.objects.all())), list)


def test_search_needs_a_scope(tenant):
    with pytest.raises(ScopeRequiredError):
        search("water", [Collection(slug="x", embedding_model="lexical-hash-384")])


class Mirrored:
    """An embedder of another length: the lexical one's numbers from the last to the first, twice."""

    name, dimensions = "mirrored-768", 768

    def embed(self, texts):
        return [vector[::-1] * 2 for vector in get_embedder("lexical-hash-384").embed(texts)]

    def embed_query(self, text):
        return self.embed([text])[0]


@pytest.fixture
def two_models(tenant, tmp_path, monkeypatch):
    """Collections of two embedding models and lengths: `all` and `other`, which holds tides2.md and ships.md."""
    monkeypatch.setitem(_EMBEDDERS, Mirrored.name, Mirrored)
    fill(tenant, tmp_path)
    folder = tmp_path / "other"
    folder.mkdir()
    texts = {"tides2.md": TEXTS["tides.md"], "ships.md": "# Ships\n\nThe ship sails on high water."}
    for name, text in texts.items():
        (folder / name).write_text(text)
    with tenant_scope(tenant, actor="system:test"):
        other, _ = get_or_create_collection("other", embedding_model=Mirrored.name)
    ingestion = Ingestion(tenant.pk, other, "system:test")
    assert {result.outcome for result in ingestion.run(ingestion.files(folder))} == {"indexed"}


@pytest.mark.parametrize("strategy", ["hybrid", "semantic"])
def test_collections_of_different_models_are_searched_together(tenant, two_models, strategy):
    with tenant_scope(tenant):
        found = search("When is high water?", list(Collection.objects.order_by("slug")), strategy=strategy)
    why = {passage.source: passage.explanation for passage in found}

    assert {"tides.md", "tides2.md"} <= {passage.source for passage in found[:3]}
    assert (why["tides.md"].vector_rank, why["tides2.md"].vector_rank) == (1, 1)
    # The same text and a mirrored vector: the same likeness, by the collection's own model.
    assert why["tides.md"].similarity == pytest.approx(why["tides2.md"].similarity, abs=1e-3)
    assert found[0].score <= 1


@pytest.mark.parametrize("strategy", ["hybrid", "semantic", "keyword"])
def test_filters_hold_for_collections_of_different_models(tenant, two_models, strategy):
    with tenant_scope(tenant):
        found = best("high water", strategy=strategy, filters={"sources": ["tides2.md", "tides.md"]})
        none = best("high water", strategy=strategy, filters={"metadata": {"language": "none"}})

    assert sorted(found) == ["tides.md", "tides2.md"]
    assert none == []


def test_result_explains_its_rank(tenant, tmp_path):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        first = search("kneading dough", list(Collection.objects.all()))[0]
    why = first.explanation

    assert (why.text_rank, why.vector_rank) == (1, 1)
    assert why.text_score > 0
    assert 0 < why.similarity <= 1


@pytest.mark.parametrize(("strategy", "missing"), [("keyword", "vector_rank"), ("semantic", "text_rank")])
def test_strategy_that_did_not_run_explains_nothing(tenant, tmp_path, strategy, missing):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        first = search("kneading dough", list(Collection.objects.all()), strategy=strategy)[0]

    assert getattr(first.explanation, missing) is None


@pytest.mark.parametrize("strategy", ["hybrid", "keyword", "semantic"])
def test_filters_leave_only_what_they_name(tenant, tmp_path, strategy):
    fill(tenant, tmp_path)
    query = "water follows the moon, dough rises, interest is due"
    with tenant_scope(tenant):
        assert len(best(query, strategy=strategy)) == 3
        assert best(query, strategy=strategy, filters={"sources": ["bread.md"]}) == ["bread.md"]
        assert best(query, strategy=strategy, filters={"metadata": {"language": "none"}}) == []


def test_documents_are_a_filter(tenant, tmp_path):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        wanted = Document.objects.get(source="loans.md")
        assert best("water dough interest", filters={"documents": [wanted.pk]}) == ["loans.md"]


def test_an_unknown_filter_is_refused(tenant):
    with tenant_scope(tenant), pytest.raises(ValueError, match="unknown filter colour"):
        search("x", [Collection(embedding_model="lexical-hash-384")], filters={"colour": "red"})


def test_snippets_highlight_matches(tenant, tmp_path):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        first = search("kneading dough", list(Collection.objects.all()), snippets=True)[0]

    assert (
        first.snippet
        == f"Bread\n\n{HIT_START}Knead{HIT_END} the {HIT_START}dough{HIT_END} and let it rise in the warm"
    )


def test_a_reranker_puts_passages_in_its_order(tenant, tmp_path):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        found = search(
            "water dough interest",
            list(Collection.objects.all()),
            reranker=lambda query, texts: [float("Knead" in text) for text in texts],
        )

    assert found[0].source == "bread.md"
    assert [passage.explanation.rerank_score for passage in found] == [1.0, 0.0, 0.0]


def test_search_returns_as_many_results_as_exist(tenant, tmp_path):
    fill(tenant, tmp_path, {f"{number}.md": f"# N {number}\n\nThe tide comes in." for number in range(30)})
    with tenant_scope(tenant):
        everything = list(Collection.objects.all())
        assert len(search("tide", everything, limit=20, strategy="semantic")) == 20
        assert len(search("tide", everything, limit=40, strategy="semantic")) == 30


def test_neighbours_and_section_of_a_hit(tenant):
    with tenant_scope(tenant, actor="system:test"):
        document = DocumentFactory(collection=CollectionFactory(chunk_count=4))
        chunks = [
            ChunkFactory(document=document, chunk_index=place, content=f"text {place}", context=heading)
            for place, heading in enumerate(["A", "B", "B", "C"])
        ]
        hit = search("2", [document.collection], strategy="keyword")[0]
        around = load_passage_contexts([hit], reach=1)[hit.id]

    assert hit.id == chunks[2].pk
    assert [each.chunk_index for each in around.neighbours] == [1, 3]
    assert around.section == "text 1\n\ntext 2"


def test_passages_have_their_position_in_the_document(tenant, tmp_path):
    text = "Tides follow the moon.\n\n" + "The bread is baked slowly. " * 60 + "\n\nEmden has a lock."
    fill(tenant, tmp_path, {"long.txt": text})
    with tenant_scope(tenant):
        found = search("lock, bread", list(Collection.objects.all()), limit=20)

    assert len(found) > 1
    assert [text[each.start :].startswith(each.text) for each in found] == [True] * len(found)


def test_position_of_a_passage_may_be_unknown(scope):
    document = DocumentFactory(collection=CollectionFactory(chunk_count=1))
    ChunkFactory(document=document, content="lock")
    (found,) = search("lock", [document.collection], strategy="keyword")

    assert (found.start, found.locate(0, 4)) == (None, {"document_start": None, "document_end": None})


def ask(client, **body):
    return client.post("/api/v1/search/", {"collections": ["all"], **body}, content_type="application/json")


def test_the_api_answers_with_citations_and_records_the_query(tenant, tmp_path, api_client):
    fill(tenant, tmp_path)
    client = api_client()
    answer = ask(client, query="kneading dough", expand=1)
    first = answer.json()["results"][0]

    assert answer.status_code == 200
    assert (first["number"], first["source"], first["title"]) == (1, "bread.md", "Bread")
    assert (
        first["snippet"] == "Bread\n\n<mark>Knead</mark> the <mark>dough</mark> and let it rise in the warm"
    )
    assert first["neighbours"] == []
    assert (first["document_start"], first["document_end"]) == (0, len(first["text"]))
    with tenant_scope(tenant):
        record = RagQuery.objects.get(pk=answer.json()["query"])
    assert (record.query_text, record.user_id) == ("kneading dough", client.key.user_id)
    assert record.results[0]["text_rank"] == 1


def test_feedback_on_a_query_is_stored(tenant, tmp_path, api_client):
    fill(tenant, tmp_path)
    client = api_client()
    record = ask(client, query="dough").json()["query"]
    answer = client.patch(
        f"/api/v1/rag-queries/{record}/", {"user_feedback": "helpful"}, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["user_feedback"]) == (200, "helpful")


def test_the_api_does_not_find_another_tenants_collection(other_tenant, tmp_path, api_client):
    fill(other_tenant, tmp_path)
    answer = ask(api_client(), query="kneading dough")

    assert answer.status_code == 400
    assert "Collection not found" in answer.content.decode()


@pytest.mark.parametrize(
    "body", [{}, {"query": ""}, {"query": "x", "k": 0}, {"query": "x", "strategy": "luck"}]
)
def test_api_rejects_invalid_searches(tenant, tmp_path, api_client, body):
    fill(tenant, tmp_path)
    assert ask(api_client(), **body).status_code == 400


def test_a_snippet_is_escaped():
    assert (
        highlight_snippet(f"<b> {HIT_START}dough{HIT_END} {HIT_START}&")
        == "&lt;b&gt; <mark>dough</mark> &amp;"
    )


@pytest.mark.parametrize(("marked", "queries"), [((), 1), (("private",), 2)], ids=["unmarked", "marked"])
def test_a_search_in_a_sensitive_collection_is_in_the_audit_log(
    marked, queries, scope, django_assert_num_queries
):
    collections = [CollectionFactory(slug=slug, is_sensitive=slug in marked) for slug in ("open", "private")]
    chunks = [ChunkFactory(document=DocumentFactory(collection=each)) for each in collections]
    passages = [
        FoundPassage(
            each.pk, each.document_id, "", "", "", each.content, "", None, 0, 1.0, each.document.collection_id
        )
        for each in chunks
    ]
    with django_assert_num_queries(queries):
        log_query("secret question", passages, collections=collections, started=time.perf_counter())

    rows = AuditLog.objects.filter(action="collection.accessed")
    assert [(row.resource_id, row.user_id) for row in rows] == [
        (str(each.pk), scope.user_id) for each in collections if each.is_sensitive
    ]
    assert [row.metadata for row in rows] == [{"documents": [str(chunks[1].document_id)]} for _ in marked]


def test_a_search_without_hits_in_the_sensitive_collection_is_no_read(scope):
    collection = CollectionFactory(is_sensitive=True)
    log_query("x", [], collections=[collection], started=time.perf_counter())
    assert not AuditLog.objects.filter(action="collection.accessed").exists()


def test_chunks_of_a_sensitive_collection_are_in_the_audit_log(api_client):
    client = api_client()
    with tenant_scope(client.key.tenant_id, user=client.key.user_id):
        collections = [CollectionFactory(is_sensitive=marked) for marked in (True, False)]
        chunks = [ChunkFactory(document=DocumentFactory(collection=each)) for each in collections]
    assert len(client.get("/api/v1/chunks/?fields=content").json()["results"]) == 2
    for chunk in chunks:
        assert client.get(f"/api/v1/chunks/{chunk.pk}/").status_code == 200

    with tenant_scope(client.key.tenant_id, user=client.key.user_id):
        rows = AuditLog.objects.filter(action="collection.accessed")
        assert [row.resource_id for row in rows] == [str(collections[0].pk)] * 2
        assert {row.user_id for row in rows} == {client.key.user_id}
        assert [row.metadata for row in rows] == [{"documents": [str(chunks[0].document_id)]}] * 2
