"""Storing chunks with vectors by COPY."""

import pytest
from django.db import Error

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from knowledge.models import Chunk, ChunkVector384, ChunkVector1536
from knowledge.services.chunk_storage import store_chunks
from knowledge.tests.factories import DocumentFactory


def new_chunks(document, count, **fields):
    return [
        Chunk(
            id=uuid7(),
            document_id=document.pk,
            collection_id=document.collection_id,
            chunk_index=place,
            content=f"Text {place} \\ \t 'ä' «…»",
            **fields,
        )
        for place in range(count)
    ]


def unit(dimensions, place):
    return [float(number == place) for number in range(dimensions)]


@pytest.fixture
def document(scope):
    return DocumentFactory()


def test_every_column_is_stored(document):
    chunks = new_chunks(
        document, 2, page=7, metadata={"a": [1, None]}, semantic_keywords=["k"], context="H", token_count=3
    )
    assert store_chunks(chunks, [unit(384, 0), unit(384, 1)], dimensions=384) == 2
    stored = Chunk.objects.get(pk=chunks[1].pk)

    assert (stored.content, stored.page, stored.metadata) == (chunks[1].content, 7, {"a": [1, None]})
    assert (stored.semantic_keywords, stored.extracted_entities, stored.token_count) == (["k"], None, 3)
    assert "text" in stored.search
    assert ChunkVector384.objects.get(pk=chunks[1].pk).embedding == unit(384, 1)


def test_vectors_go_to_the_table_of_their_length(document):
    chunks = new_chunks(document, 1)
    store_chunks(chunks, [unit(1536, 3)], dimensions=1536)

    assert [row.pk for row in ChunkVector1536.objects.all()] == [chunks[0].pk]
    assert ChunkVector384.objects.count() == 0


def test_twice_in_one_transaction_stores_both_once(document):
    first, second = new_chunks(document, 3)[:2], new_chunks(document, 3)[2:]
    store_chunks(first, [unit(384, 0)] * 2, dimensions=384)
    store_chunks(second, [unit(384, 0)], dimensions=384)

    assert Chunk.objects.count() == ChunkVector384.objects.count() == 3


def test_no_chunks_store_nothing(document):
    assert store_chunks([], [], dimensions=384) == 0


def test_a_vector_for_each_chunk(document):
    with pytest.raises(ValueError, match="2 chunks and 1 vectors"):
        store_chunks(new_chunks(document, 2), [unit(384, 0)], dimensions=384)


def test_rows_belong_to_the_tenant_of_the_scope(document, other_tenant):
    chunks = new_chunks(document, 1, tenant_id=other_tenant.pk)
    store_chunks(chunks, [unit(384, 0)], dimensions=384)

    assert Chunk.objects.get().tenant_id == document.tenant_id


def test_another_tenants_document_is_refused(other_tenant, tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = DocumentFactory()
    with pytest.raises(Error), tenant_scope(tenant, actor="system:test"):
        store_chunks(new_chunks(foreign, 1), [unit(384, 0)], dimensions=384)
    with as_platform():
        assert Chunk.unscoped.count() == 0
