"""Boosts of passages by the date and the tags of their documents."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from knowledge.services.boosts import SearchBoosts
from knowledge.services.search import search
from knowledge.tests.factories import ChunkFactory, CollectionFactory, DocumentFactory


def create_document(collection, source, *, age=0, **metadata):
    uploaded = timezone.now() - timedelta(days=age)
    document = DocumentFactory(
        collection=collection, filename=source, metadata=metadata, uploaded_at=uploaded
    )
    ChunkFactory(document=document, content="High water at noon.")


def create_collection(**fields):
    """Create a collection with an older and a newer document with the same text."""
    collection = CollectionFactory(chunk_count=3, **fields)
    create_document(collection, "old.md", age=100, tags=["law", "draft"])
    create_document(collection, "new.md", age=10, tags=["draft"])
    create_document(collection, "now.md")
    collection.refresh_from_db()
    return collection


def find(collection, **boosts):
    found = search("high water", [collection], boosts=SearchBoosts(**boosts))
    return {hit.source: hit.explanation.boost for hit in found}


def test_passages_have_no_boost_by_default(scope):
    found = search("high water", [create_collection()])
    assert [hit.explanation.boost for hit in found] == [None] * 3


@pytest.mark.parametrize(
    ("boosts", "order", "factors"),
    [
        ({"recency_half_life_days": 10}, ["now.md", "new.md", "old.md"], [1, 0.5, 0.5**10]),
        ({"recency_half_life_days": 0.05}, ["now.md", "new.md", "old.md"], [1, 0.5**200, 0.5**500]),
        ({"tag_boosts": {"law": 3, "draft": 0.5}}, ["old.md", "now.md", "new.md"], [1.5, 1, 0.5]),
        ({"tag_boosts": {"la": 3}}, None, [1, 1, 1]),
        ({"recency_half_life_days": 100, "tag_boosts": {"law": 10}}, ["old.md", "now.md", "new.md"], None),
    ],
)
def test_scores_are_multiplied_by_boosts(scope, boosts, order, factors):
    found = find(create_collection(), **boosts)
    assert order in (None, list(found))
    assert factors is None or list(found.values()) == pytest.approx(factors, rel=1e-3)


def test_boosts_of_a_collection_apply_to_it_alone(scope):
    boosted = create_collection(settings={"tag_boosts": {"law": 4}})
    plain = create_collection()
    found = search("high water", [boosted, plain], limit=6)

    assert (found[0].source, found[0].collection_id) == ("old.md", boosted.pk)
    assert [hit.explanation.boost for hit in found if hit.collection_id == plain.pk] == [1, 1, 1]
    assert find(boosted, tag_boosts={"draft": 2})["old.md"] == pytest.approx(2)


def test_date_in_the_metadata_replaces_the_upload(scope):
    collection = CollectionFactory(chunk_count=3)
    for source, date in (("past.md", "2001-02-03"), ("future.md", "2999-01-01"), ("bad.md", "2001-99-99")):
        create_document(collection, source, date=date)
    collection.refresh_from_db()
    found = find(collection, recency_half_life_days=365)

    assert [found[name] > 0.9 for name in ("past.md", "future.md", "bad.md")] == [False, True, True]


@pytest.mark.parametrize("stored", [{"tag_boosts": []}, {"recency_half_life_days": "x"}])
def test_invalid_stored_settings_are_ignored(scope, stored):
    assert set(find(create_collection(settings=stored)).values()) == {None}


@pytest.mark.parametrize(
    "settings",
    [
        {"recency_half_life_days": 0},
        {"recency_half_life_days": "10"},
        {"tag_boosts": {"law": 11}},
        {"tag_boosts": {"law": None}},
        {"tag_boosts": {str(number): 1 for number in range(21)}},
        "recency",
    ],
)
def test_invalid_settings_are_rejected(scope, settings):
    with pytest.raises(ValidationError) as error:
        CollectionFactory.build(settings=settings).full_clean(exclude=["tenant"])
    assert set(error.value.error_dict) == {"settings"}


def test_api_boosts_tags(api_client):
    client = api_client()
    with tenant_scope(client.key.tenant_id, actor="system:test"):
        collection = create_collection()
    body = {"query": "water", "collections": [collection.slug], "tag_boosts": {"law": 2}}
    hits = client.post("/api/v1/search/", body, content_type="application/json").json()["results"]

    assert (hits[0]["source"], hits[0]["explanation"]["boost"]) == ("old.md", pytest.approx(2))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("recency_half_life_days", 0),
        ("recency_half_life_days", "nan"),
        ("tag_boosts", {str(number): 1 for number in range(21)}),
        ("tag_boosts", {"law": "inf"}),
        ("tag_boosts", ["law"]),
    ],
)
def test_api_rejects_invalid_boosts(api_client, member, value):
    body = {"query": "x", "collections": ["all"], member: value}
    answer = api_client().post("/api/v1/search/", body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"].startswith(f"/{member}")
