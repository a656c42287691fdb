import pytest

from knowledge.models import Collection
from knowledge.services.collections import get_or_create_collection
from knowledge.services.ingestion import Ingestion
from knowledge.services.search import search
from tenants.scoping import ScopeRequired, tenant_scope

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
def test_odd_queries_are_answered_without_an_error(tenant, tmp_path, query):
    fill(tenant, tmp_path)
    with tenant_scope(tenant):
        assert isinstance(search(query, list(Collection.objects.all())), list)


def test_search_needs_a_scope(tenant):
    with pytest.raises(ScopeRequired):
        search("water", [Collection(slug="x", embedding_model="lexical-hash-384")])


def test_collections_of_different_models_are_not_searched_together(tenant):
    with tenant_scope(tenant), pytest.raises(ValueError, match="different models"):
        search("x", [Collection(embedding_model="a"), Collection(embedding_model="b")])
