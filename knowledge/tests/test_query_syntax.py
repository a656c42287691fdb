"""Operators of search queries: phrases, exclusions and titles."""

import pytest

from config.tenancy.scope import tenant_scope
from knowledge.services.query_syntax import MAX_OPERATORS, parse_query
from knowledge.tests.test_search import best, fill

TEXTS = {
    "a.md": "# Harbour\n\nHigh water follows the moon. The pier closes at low water.",
    "b.md": "# Tides\n\nWater is high in the harbour. A low pier closes early.",
    "c.md": "# Fees\n\nHarbour fees are paid at low water. 返金は十四日以内です。",
}


@pytest.mark.parametrize(
    ("query", "sources"),
    [
        ("harbour water", {"a.md", "b.md", "c.md"}),
        ('"high water" harbour', {"a.md"}),
        ("harbour -moon", {"b.md", "c.md"}),
        ('harbour -"low water"', {"b.md"}),
        ("water title:tides", {"b.md"}),
        ('water title:"harbour"', {"a.md"}),
        ('"返金は十四日"', {"c.md"}),
        ("“low water” fees", {"a.md", "c.md"}),
    ],
)
@pytest.mark.parametrize("strategy", ["keyword", "hybrid"])
def test_operators_restrict_the_passages(tenant, tmp_path, query, sources, strategy):
    fill(tenant, tmp_path, TEXTS)
    with tenant_scope(tenant):
        assert set(best(query, strategy=strategy)) == sources


@pytest.mark.parametrize("query", ["-moon", '-"high water"', '""', "  "])
def test_query_without_words_finds_nothing(tenant, tmp_path, query):
    fill(tenant, tmp_path, TEXTS)
    with tenant_scope(tenant):
        assert best(query, strategy="keyword") == []


@pytest.mark.parametrize(
    "query", ["ls -la", "run --help", "at -5 degrees", 'a 5" pipe', "e-mail", "well-known"]
)
def test_options_numbers_and_hyphens_are_text(query):
    assert parse_query(query).build_conditions() == {}


def test_patterns_of_users_are_escaped():
    parsed = parse_query('"a.*b" -(evil title:[x')
    assert parsed.phrases == (r"\ma[^[:alnum:]]+b\M",)
    assert parsed.titles == (r"\mx\M",)
    assert parsed.excluded == ()


def test_number_of_operators_is_limited():
    parsed = parse_query(" ".join(f'"word{number}"' for number in range(30)))
    assert len(parsed.phrases) == MAX_OPERATORS


@pytest.mark.parametrize(
    ("filters", "sources"),
    [
        ({"languages": ["en"]}, {"a.md", "b.md", "c.md"}),
        ({"languages": ["de"]}, set()),
        ({"uploaded_before": "2000-01-01"}, set()),
        ({"tags": ["none"]}, set()),
    ],
)
def test_filters_apply_to_passages(tenant, tmp_path, filters, sources):
    fill(tenant, tmp_path, TEXTS)
    with tenant_scope(tenant):
        assert set(best("water", filters=filters)) == sources


def test_unknown_filters_are_refused(tenant, tmp_path):
    fill(tenant, tmp_path, TEXTS)
    with tenant_scope(tenant), pytest.raises(ValueError, match="unknown filter phrases"):
        best("water", filters={"phrases": [".*"]})
