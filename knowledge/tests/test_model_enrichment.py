"""Enrichment of chunks by a model; its failures do not fail the document."""

import json

import pytest

from agents.testing import FakeOpenAI, fail, invalid_reply, say
from config.tenancy.scope import tenant_scope
from knowledge.enrichment import extract_insights
from knowledge.model_enrichment import enrich_chunks
from knowledge.models import Chunk
from knowledge.services.collections import get_or_create_collection
from knowledge.tests.test_collections import TEXT, bring

ACTOR = "system:test"
SAID = {
    "keywords": ["ebb", 7, "flow"],
    "entities": [{"type": "place", "text": "Brest"}, "x"],
    "category": "sea",
}


def answer(*passages):
    return say(json.dumps({"passages": list(passages)}))


@pytest.fixture
def model(settings):
    def serve(*script):
        server = FakeOpenAI(*script)
        settings.ENRICHMENT_URL, settings.ENRICHMENT_MODEL = server.base_url, "small"
        return server

    return serve


def read(tenant, wish):
    with tenant_scope(tenant, actor=ACTOR):
        collection, _ = get_or_create_collection("sea", settings={"enrichment": wish} if wish else {})
    assert bring(tenant, collection).outcome == "indexed"
    with tenant_scope(tenant):
        return list(Chunk.objects.order_by("chunk_index"))


def test_model_enriches_chunks_of_collections_that_enable_it(tenant, model):
    with model(answer(SAID, {})) as server:
        first, second = read(tenant, "model")
    assert (first.semantic_keywords, first.semantic_category) == (["ebb", "flow"], "sea")
    assert first.extracted_entities == [{"type": "place", "text": "Brest"}]
    assert first.semantic_summary == "High water follows the moon."
    assert (
        second.semantic_keywords == extract_insights([second.content])[0].keywords or second.semantic_keywords
    )
    (request,) = server.requests
    assert json.loads(request.body["messages"][1]["content"]) == [first.content, second.content]


def test_no_model_request_for_collections_without_enrichment(tenant, model):
    with model(answer(SAID, SAID)) as server:
        assert read(tenant, "")[0].semantic_category == "prose"
    assert server.requests == []


@pytest.mark.parametrize(
    "reply",
    [fail(500), invalid_reply(), say("no JSON"), answer(SAID), say('{"passages": 7}'), answer("a", ["b"])],
    ids=["down", "no chat", "no JSON", "too few", "no list", "no objects"],
)
def test_invalid_model_output_keeps_the_rule_based_values(reply, model):
    texts = TEXT.strip().split("\n\n# ")
    with model(reply):
        assert list(enrich_chunks(texts, extract_insights(texts))) == extract_insights(texts)


def test_unavailable_model_is_not_called_for_every_chunk(model):
    texts = [f"Tide {number} rises." for number in range(100)]
    with model(fail(500)) as server:
        assert list(enrich_chunks(texts, extract_insights(texts))) == extract_insights(texts)
    assert len(server.requests) == 2
