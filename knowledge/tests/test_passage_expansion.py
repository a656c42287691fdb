"""Expansion of passages with the text around them."""

from dataclasses import replace

import pytest

from config.tenancy.scope import tenant_scope
from knowledge.services.passage_expansion import expand_passages
from knowledge.services.search import search
from knowledge.tests.factories import ChunkFactory, CollectionFactory, DocumentFactory


def create_chunks(*contexts, size=10, overlap=0, **fields):
    """Create a document with one chunk for each heading; a chunk begins `overlap` characters before the last ends."""
    texts = [f"Word{place} " * size for place in range(len(contexts))]
    document, end, chunks = DocumentFactory(**fields), 0, []
    for place, (text, context) in enumerate(zip(texts, contexts, strict=True)):
        text = f"{chunks[-1].content[-overlap:] if overlap and chunks else ''}{text.strip()}"
        start = end - overlap if chunks and overlap else end + 2 if chunks else 0
        end = start + len(text)
        columns = {"chunk_index": place, "content": text, "context": context, "token_count": size}
        chunks.append(ChunkFactory(document=document, start=start, end=end, **columns))
    return chunks


def find(chunks, *terms):
    """Return the passages that contain the terms, best first."""
    collection = chunks[0].document.collection
    collection.refresh_from_db()
    found = {hit.text: hit for term in terms for hit in search(term, [collection], strategy="keyword")}
    return list(found.values())


def list_places(expanded, chunks):
    """Return the positions of the chunks of each expanded passage."""
    places = {chunk.pk: chunk.chunk_index for chunk in chunks}
    return [[places[chunk] for chunk in each.chunks] for each in expanded]


@pytest.mark.parametrize(
    ("contexts", "tokens", "places"),
    [
        ("ABBBC", 0, [2]),
        ("ABBBC", 9, [2]),
        ("ABBBC", 10, [2, 3]),
        ("ABBBC", 20, [1, 2, 3]),
        ("ABBBC", 4000, [1, 2, 3]),
        ("ABCDE", 20, [1, 2, 3]),
        ("ABCDE", 4000, [0, 1, 2, 3, 4]),
        ("ABC", 10, [2, 1]),
    ],
)
def test_passages_grow_within_their_section_first(scope, contexts, tokens, places):
    chunks = create_chunks(*contexts)
    expanded = expand_passages(find(chunks, "Word2"), tokens=tokens)

    assert list_places(expanded, chunks) == [sorted(places)]


def test_text_and_offsets_of_an_expanded_passage(scope):
    chunks = create_chunks("A", "A", "A", size=2)
    (expanded,) = expand_passages(find(chunks, "Word1"), tokens=100)

    assert expanded.text == "Word0 Word0\n\nWord1 Word1\n\nWord2 Word2"
    assert (expanded.start, len(expanded.text)) == (0, chunks[2].end)
    assert expanded.passage.text == "Word1 Word1"


def test_text_that_chunks_share_occurs_once(scope):
    chunks = create_chunks("A", "A", size=2, overlap=5)
    (expanded,) = expand_passages(find(chunks, "Word1"), tokens=100)

    assert (chunks[1].content, expanded.text) == ("Word0Word1 Word1", "Word0 Word0Word1 Word1")
    assert (expanded.start, len(expanded.text)) == (0, chunks[1].end)


def test_overlapping_passages_are_merged_at_the_best_place(scope):
    chunks, other = create_chunks(*"AAAAAA"), create_chunks("Z")
    found = [*find(other, "Word0"), *find(chunks, "Word3", "Word0", "Word5")]
    expanded = expand_passages(found, tokens=20)

    assert [each.passage.id for each in expanded] == [other[0].pk, chunks[3].pk]
    assert list_places(expanded, chunks + other) == [[0], [0, 1, 2, 3, 4, 5]]


def test_offsets_of_chunks_may_be_unknown(scope):
    document = DocumentFactory()
    chunks = [ChunkFactory(document=document, chunk_index=place, content=f"Word{place}") for place in (0, 1)]
    (expanded,) = expand_passages(find(chunks, "Word0"), tokens=100)

    assert (expanded.text, expanded.start) == ("Word0\n\nWord1", None)


def test_passages_are_expanded_with_one_query(scope, django_assert_num_queries):
    found = [hit for _ in range(3) for hit in find(create_chunks(*"AAA"), "Word1")]
    with django_assert_num_queries(1):
        assert len(expand_passages(found, tokens=100)) == 3
    with django_assert_num_queries(0):
        expand_passages([], tokens=100)


def test_other_documents_and_collections_add_no_text(scope):
    chunks, others = create_chunks("A", "A"), create_chunks("A", "A")
    (found,) = find(chunks, "Word0")
    for foreign in ({"collection_id": others[0].collection_id}, {"document_id": others[0].document_id}):
        (expanded,) = expand_passages([replace(found, **foreign)], tokens=4000)
        assert (expanded.text, expanded.chunks) == (found.text, (found.id,))

    (expanded,) = expand_passages([found], tokens=4000)
    assert expanded.chunks == tuple(chunk.pk for chunk in chunks)


def test_passages_of_another_tenant_are_not_expanded(tenant, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        found = find(create_chunks(*"AAA"), "Word1")
    with tenant_scope(tenant):
        (expanded,) = expand_passages(found, tokens=4000)

    assert (expanded.text, len(expanded.chunks)) == (found[0].text, 1)


def test_api_expands_passages(api_client):
    client = api_client()
    with tenant_scope(client.key.tenant_id, actor="system:test"):
        chunks = create_chunks(*"AAA", collection=CollectionFactory(slug="all"))
    body = {"query": "Word1", "collections": ["all"], "strategy": "keyword", "expand_tokens": 20}
    (hit,) = client.post("/api/v1/search/", body, content_type="application/json").json()["results"]

    assert hit["text"] == chunks[1].content
    assert hit["expanded"] == {
        "text": "\n\n".join(chunk.content for chunk in chunks),
        "document_start": 0,
        "document_end": chunks[2].end,
        "chunks": [str(chunk.pk) for chunk in chunks],
    }


@pytest.mark.parametrize("tokens", [-1, 4001, "many", None])
def test_api_rejects_invalid_numbers_of_tokens(api_client, tokens):
    body = {"query": "x", "collections": ["all"], "expand_tokens": tokens}
    answer = api_client().post("/api/v1/search/", body, content_type="application/json")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/expand_tokens")
