"""Frequent words of a collection, and what they are good for: long questions on many chunks."""

import pytest
from django.db import connection

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from knowledge.embedders import get_embedder
from knowledge.models import Chunk, Collection
from knowledge.services import search as searching
from knowledge.services import search_sql
from knowledge.services import word_frequencies as frequencies
from knowledge.services.chunk_storage import store_chunks
from knowledge.services.search import compute_ef_search, execute_search, prepare_search, search
from knowledge.services.word_frequencies import frequent_words
from knowledge.tests.factories import CollectionFactory, DocumentFactory

RARE = "The quagga grazed beside the harbour."
COMMON = "The harbour master counts ships and barrels every morning, and writes number {} down."
QUESTION = "Does the harbour master count a quagga among ships and barrels every morning?"


@pytest.fixture(autouse=True)
def forgetful():
    """Clear the frequencies that earlier tests cached in this process."""
    frequencies.word_share_cache.clear()


def stored(tenant, texts):
    """A collection with a chunk for each text."""
    with tenant_scope(tenant, actor="system:test"):
        document = DocumentFactory(collection=CollectionFactory(), chunk_count=len(texts))
        chunks = [
            Chunk(
                id=uuid7(),
                document_id=document.pk,
                collection_id=document.collection_id,
                chunk_index=place,
                content=text,
            )
            for place, text in enumerate(texts)
        ]
        store_chunks(chunks, get_embedder("lexical-hash-384").embed(texts), dimensions=384)
        return Collection.objects.get(pk=document.collection_id)


@pytest.fixture
def harbour(tenant):
    """Four hundred chunks that share their words, and one with a rare word."""
    return stored(tenant, [*(COMMON.format(number) for number in range(400)), RARE])


def test_words_of_most_chunks_are_frequent_and_rare_ones_are_not(tenant, harbour):
    with tenant_scope(tenant):
        found = frequent_words([harbour])

    assert found["harbour"] == 1.0
    assert found["master"] == pytest.approx(400 / 401)
    assert "quagga" not in found


def test_few_chunks_are_not_counted(tenant):
    small = stored(tenant, [RARE])
    with tenant_scope(tenant):
        assert frequent_words([small]) == {}


def test_word_counts_of_another_tenant_are_neither_made_nor_cached(tenant, other_tenant, harbour):
    with tenant_scope(other_tenant):
        assert frequent_words([harbour]) == {}
    with tenant_scope(tenant):
        assert "master" in frequent_words([harbour])
    with tenant_scope(other_tenant):
        assert frequent_words([harbour]) == {}


def test_words_are_counted_again_after_the_collection_has_grown(tenant, harbour, django_assert_num_queries):
    with tenant_scope(tenant):
        frequent_words([harbour])
        with django_assert_num_queries(0):
            frequent_words([harbour])
        harbour.chunk_count *= 2
        with django_assert_num_queries(1):
            frequent_words([harbour])


def test_a_rare_word_of_a_long_question_decides(tenant, harbour):
    with tenant_scope(tenant):
        assert search(QUESTION, [harbour], strategy="keyword")[0].text == RARE


def scored(tenant, collection, question):
    """How many chunks the text leg scores."""
    with tenant_scope(tenant):
        prepared = prepare_search(question, [collection], vectors={}, strategy="keyword", limit=10**6)
        return len(execute_search(prepared))


def test_chunks_with_frequent_words_alone_are_scored_only_when_the_question_has_no_rarer(
    tenant, harbour, monkeypatch
):
    monkeypatch.setattr(searching, "MATCHED", 50)
    monkeypatch.setattr(searching, "MATCHED_SHARE", 0.0)

    assert scored(tenant, harbour, QUESTION) == 1
    assert scored(tenant, harbour, "harbour") == 401


def test_scores_do_not_depend_on_skipping_frequent_words(tenant, harbour, monkeypatch):
    def score():
        with tenant_scope(tenant):
            return search(QUESTION, [harbour], strategy="keyword")[0].explanation.text_score

    whole = score()
    monkeypatch.setattr(searching, "MATCHED", 1)
    monkeypatch.setattr(searching, "MATCHED_SHARE", 0.0)

    assert score() == pytest.approx(whole, rel=0.35)


@pytest.mark.parametrize("by_index", [True, False])
def test_aggregates_over_the_hits_are_computed_once(tenant, harbour, by_index):
    with tenant_scope(tenant), connection.cursor() as cursor:
        prepared = prepare_search(QUESTION, [harbour], vectors={}, strategy="keyword", limit=8)
        sql = search_sql.build_search_sql(tables=[], text=True, filters={}, snippets=False, by_index=by_index)
        cursor.execute(f"EXPLAIN {sql}", prepared.parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert {"CTE hits", "CTE typical", "CTE rarity"} <= {line.strip() for line in plan.splitlines()}


@pytest.mark.parametrize(
    ("chunks", "wish", "effort"),
    [(100, None, 200), (10_000, None, 200), (50_000, None, 617), (50_000, "fast", 246), (10**6, None, 1000)],
)
def test_index_scan_limit_grows_with_the_number_of_chunks(chunks, wish, effort):
    collection = Collection(chunk_count=chunks, settings={"recall": wish} if wish else {})
    assert compute_ef_search([collection], chunks, 50) == effort


def test_up_to_the_limit_vectors_are_compared_exactly(tenant, harbour, settings):
    vectors = {harbour.embedding_model: "[1" + ",0" * 383 + "]"}

    def effort():
        with tenant_scope(tenant):
            return prepare_search("x", [harbour], vectors=vectors, strategy="semantic", limit=8).effort

    assert effort() is None
    settings.VECTOR_PARTITION_ROWS = 400
    assert effort() == 200
