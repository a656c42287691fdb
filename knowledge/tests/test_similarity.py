"""Texts and terms by their meaning: kept once, found by nearness, never fewer than there are."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from knowledge.models import Embedding, RagQuery, Term, TermEmbedding
from knowledge.services.similarity import embed_query, find_nearest, find_similar_texts, store_text
from knowledge.services.terminology import (
    count_term_use,
    embed_missing_terms,
    embed_terms,
    find_similar_terms,
)
from knowledge.tests.factories import EmbeddingFactory, RagQueryFactory, TermFactory

TEXTS = (
    "Backups run at two in the night.",
    "The harbour master keeps the tide table.",
    "Invoices are paid late.",
)
JSON = "application/json"


def test_same_text_is_stored_once_with_its_latest_metadata(scope):
    first = store_text(TEXTS[0], {"from": "a"})
    assert store_text(TEXTS[0], {"from": "b"}).pk == first.pk
    assert [(row.content, row.metadata) for row in Embedding.objects.all()] == [(TEXTS[0], {"from": "b"})]


def test_nearest_text_comes_first_without_texts_of_others(scope, tenant, other_tenant):
    for text in TEXTS:
        store_text(text, {"kind": "note"} if "tide" in text else None)
    assert find_similar_texts("Who has the table of tides?")[0].content == TEXTS[1]
    assert [found.content for found in find_similar_texts("paid invoices", metadata={"kind": "note"})] == [
        TEXTS[1]
    ]
    with tenant_scope(tenant, actor="system:test"):
        EmbeddingFactory(content="hidden", source_id=uuid7(), embedding=embed_query(TEXTS[2], 384))
        assert len(find_similar_texts(TEXTS[2])) == 3


def test_tenant_finds_all_own_vectors_among_many_others(tenant, other_tenant):
    """The index contains all tenants' vectors, and its scan ends before it finds all rows of one tenant."""
    question = embed_query("tide table", 384)
    with tenant_scope(other_tenant, actor="system:test"):
        Embedding.objects.bulk_create(
            Embedding(
                tenant_id=other_tenant.pk,
                content=f"{number}",
                embedding=[
                    value + (0.001 * number if place == number % 384 else 0)
                    for place, value in enumerate(question)
                ],
            )
            for number in range(1500)
        )
    with tenant_scope(tenant, actor="system:test"):
        own = [store_text(text).pk for text in TEXTS]
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off; SET LOCAL hnsw.max_scan_tuples = 100")
        found = find_nearest(Embedding.objects.all(), question, 3)
        assert {row.pk for row in found} == set(own)
        assert [row.distance for row in found] == sorted(row.distance for row in found)


def test_api_stores_finds_and_deletes_texts(api_client):
    client = api_client()
    made = client.post(
        "/api/v1/embeddings/remember/", {"content": TEXTS[1], "metadata": {"page": 3}}, content_type=JSON
    ).json()
    found = client.post("/api/v1/embeddings/similar/", {"text": "tide table"}, content_type=JSON).json()[
        "results"
    ]
    assert [(each["text"]["id"], each["text"]["metadata"]) for each in found] == [(made["id"], {"page": 3})]
    assert client.delete(f"/api/v1/embeddings/{made['id']}/").status_code == 204
    assert not client.post("/api/v1/embeddings/similar/", {"text": "tide"}, content_type=JSON).json()[
        "results"
    ]


def test_own_and_public_terms_are_found_by_meaning(tenant, scope):
    with tenant_scope(tenant, user=add_member(tenant).user):
        public = TermFactory(term="RPO", definition="How much data a loss may cost, in time.", is_public=True)
        private = TermFactory(term="RTO", definition="How long it may take until data are back.")
        embed_terms([public, private])
    own = TermFactory(term="Slip", definition="Where a boat lies in the harbour.")
    embed_terms([own])
    assert [term.pk for term in find_similar_terms("How much data may we lose in time?")] == [
        public.pk,
        own.pk,
    ]


def test_new_and_changed_terms_are_embedded(api_client):
    client = api_client()
    made = client.post(
        "/api/v1/terms/", {"term": "Slip", "definition": "A boat's place."}, content_type=JSON
    ).json()
    client.patch(f"/api/v1/terms/{made['id']}/", {"definition": "An error of the tongue."}, content_type=JSON)
    (found,) = client.post("/api/v1/terms/similar/", {"text": "error of a tongue"}, content_type=JSON).json()[
        "results"
    ]
    assert found["term"]["id"] == made["id"]
    assert found["distance"] < 0.6


def test_job_embeds_terms_with_missing_or_old_vectors(tenant, member):
    with tenant_scope(tenant, user=member.user):
        old, new = TermFactory(), TermFactory()
        embed_terms([old])
        Term.objects.filter(pk=old.pk).update(definition="Another definition.")
    assert embed_missing_terms() == 2
    assert embed_missing_terms() == 0
    with tenant_scope(tenant, user=member.user):
        assert set(TermEmbedding.objects.values_list("term_id", flat=True)) == {old.pk, new.pk}


@pytest.mark.parametrize(("hours", "frequency"), [(0, 3), (1, 1)])
def test_term_frequency_is_counted_from_queries(tenant, member, hours, frequency):
    with tenant_scope(tenant, user=member.user):
        term = TermFactory(term="landing zone")
        for question in ("Where is the landing zone?", "Which Landing Zone?", "Who lands?"):
            RagQueryFactory(query_text=question)
        made = RagQuery.objects.values_list("created_at", flat=True)[0]
    hour = made.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    count_term_use(hour, hour + timedelta(hours=1))
    with tenant_scope(tenant, user=member.user):
        assert Term.objects.get(pk=term.pk).frequency == frequency
    assert isinstance(made, datetime)
