"""Repetitions and diversity of the passages of a search."""

from dataclasses import replace
from uuid import UUID

import pytest

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from knowledge.services.diversity import drop_repetitions, select_diverse
from knowledge.services.query_fusion import search_queries
from knowledge.services.search import FoundPassage, search
from knowledge.tests.factories import (
    ChunkFactory,
    ChunkVector384Factory,
    ChunkVector768Factory,
    CollectionFactory,
    DocumentFactory,
    unit_vector,
)

FIRST, OTHER = UUID(int=1), UUID(int=2)


def passage(text, document=FIRST, start=None, score=0.5):
    return FoundPassage(uuid7(), document, "T", "t.md", "t.md", text, "", None, 0, score, start=start)


@pytest.mark.parametrize(
    ("second", "across", "kept"),
    [
        (passage("High  water\nat noon."), False, 1),
        (passage("High water at noon.", OTHER), False, 2),
        (passage("High water at noon.", OTHER), True, 1),
        (passage("High water at one.", start=300), False, 2),
        (passage("igh water at noon, in Emden.", start=101), False, 1),
        (passage("water at noon. Low water is later.", start=108), False, 2),
        (passage("igh water at noon, in Emden.", OTHER, start=101), True, 2),
    ],
)
def test_repetitions_of_better_passages_are_dropped(second, across, kept):
    first = passage("High water at noon.", start=100)
    assert drop_repetitions([first, second], across_documents=across) == [first, second][:kept]


@pytest.fixture
def create_found(scope):
    """Return a function that creates a chunk with a vector and returns it as a passage."""

    def create(collection, text, *numbers, score=0.5):
        chunk = ChunkFactory(document=DocumentFactory(collection=collection), content=text)
        vector = [*numbers, *[0.0] * (collection.dimensions - len(numbers))]
        factory = ChunkVector384Factory if collection.dimensions == 384 else ChunkVector768Factory
        if numbers:
            factory(chunk=chunk, embedding=vector)
        found = passage(text, chunk.document_id, score=score)
        return replace(found, id=chunk.pk, collection_id=collection.pk)

    return create


def choose(passages, collections, diversity, limit=2):
    found = select_diverse(
        passages, [each.score for each in passages], collections, limit=limit, diversity=diversity
    )
    return [each.text for each in found]


@pytest.mark.parametrize(
    ("diversity", "texts"), [(0.0, ["a", "b"]), (0.1, ["a", "b"]), (0.5, ["a", "c"]), (1.0, ["a", "c"])]
)
def test_similar_vectors_are_avoided(create_found, diversity, texts):
    collection = CollectionFactory()
    found = [
        create_found(collection, "a", 1.0, 0.1, score=0.9),
        create_found(collection, "b", 1.0, score=0.8),
        create_found(collection, "c", 0.0, 1.0, score=0.5),
    ]
    assert choose(found, [collection], diversity) == texts


def test_words_are_compared_without_vectors(create_found):
    collection = CollectionFactory()
    found = [
        create_found(collection, "High water at noon.", score=0.9),
        create_found(collection, "High water at noon today.", score=0.8),
        create_found(collection, "Berths cost money.", score=0.5),
    ]
    assert choose(found, [collection], 0.5) == ["High water at noon.", "Berths cost money."]


def test_vectors_of_different_models_are_not_compared(create_found):
    collections = [
        CollectionFactory(),
        CollectionFactory(embedding_model="other-384"),
        CollectionFactory(embedding_model="wide-768", dimensions=768),
    ]
    found = [
        create_found(each, f"word{number}", 1.0, score=1 - number / 10)
        for number, each in enumerate(collections)
    ]
    assert choose(found, collections, 1.0, limit=3) == ["word0", "word1", "word2"]


def test_vectors_are_read_with_one_query(create_found, django_assert_num_queries):
    collections = [CollectionFactory(), CollectionFactory(embedding_model="wide-768", dimensions=768)]
    found = [create_found(each, "a", 1.0) for each in collections for _ in range(3)]
    with django_assert_num_queries(1):
        assert len(choose(found, collections, 0.5, limit=6)) == 6


def test_vectors_of_another_tenant_are_not_read(tenant, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        collection = CollectionFactory()
        chunks = [ChunkFactory(document=DocumentFactory(collection=collection)) for _ in range(3)]
        for chunk in chunks:
            ChunkVector384Factory(chunk=chunk, embedding=unit_vector(384))
        found = [
            replace(passage(text), id=chunk.pk, collection_id=collection.pk)
            for chunk, text in zip(chunks, ("x", "x", "y"), strict=True)
        ]
    with tenant_scope(tenant):
        # Equal vectors would be avoided no more than others.
        assert choose(found, [collection], 1.0) == ["x", "y"]


def create_copies(texts):
    collection = CollectionFactory(chunk_count=len(texts))
    for text in texts:
        ChunkFactory(document=DocumentFactory(collection=collection), content=text)
    collection.refresh_from_db()
    return collection


def test_diverse_search_returns_other_passages(scope):
    collection = create_copies(["High water at noon."] * 3 + ["Low water and berths."])
    options = {"limit": 2, "strategy": "keyword"}

    assert [hit.text for hit in search("high water", [collection], **options)] == ["High water at noon."] * 2
    for found in (
        search("high water", [collection], diversity=0.3, **options),
        search_queries(["high water", "noon"], [collection], limit=2, diversity=0.3),
    ):
        assert [hit.text for hit in found] == ["High water at noon.", "Low water and berths."]


def test_api_returns_diverse_passages(api_client):
    client = api_client()
    with tenant_scope(client.key.tenant_id, actor="system:test"):
        collection = create_copies(["High water at noon."] * 2 + ["Low water and berths."])
    body = {"query": "water", "collections": [collection.slug], "strategy": "keyword", "diversity": 0.2}
    answer = client.post("/api/v1/search/", body, content_type="application/json")

    assert {hit["text"] for hit in answer.json()["results"]} == {
        "High water at noon.",
        "Low water and berths.",
    }


@pytest.mark.parametrize("diversity", [-0.1, 1.1, "nan", "much"])
def test_api_rejects_invalid_diversity(api_client, diversity):
    body = {"query": "x", "collections": ["all"], "diversity": diversity}
    answer = api_client().post("/api/v1/search/", body, content_type="application/json")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/diversity")
