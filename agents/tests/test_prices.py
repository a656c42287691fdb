"""List prices work offline; unknown prices are reported as unknown."""

from decimal import Decimal

import pytest

from agents.runtime.prices import CallPrice, price


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-flash")],
)
def test_listed_models_have_a_price_that_grows_with_use(provider, model):
    small, large = price(provider, model, 1000, 1000), price(provider, model, 2000, 2000)
    assert small.known
    assert 0 < small.amount < large.amount == small.amount * 2


def test_cached_tokens_cost_less():
    assert (
        price("openai", "gpt-4o", 1000, 0, cached_tokens=1000).amount
        < price("openai", "gpt-4o", 1000, 0).amount
    )


def test_fee_per_call_is_charged_once_and_only_for_calls_made():
    whole = price("perplexity", "sonar", 1000, 10)
    assert whole.amount == whole.sent + whole.received == Decimal("0.01301")
    assert whole.received == Decimal("0.00001")
    assert price("perplexity", "sonar", 0, 0) == CallPrice(Decimal(0), known=True)


def test_output_of_a_long_call_costs_more_too():
    short = price("google", "gemini-2.5-pro", 1000, 1000)
    long = price("google", "gemini-2.5-pro", 300_000, 1000)
    assert long.received > short.received


def test_the_extractive_model_is_known_to_be_free():
    assert price("extractive", "extractive", 10**6, 10**6) == CallPrice(Decimal(0), known=True)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("nobody", "gpt-4o"),
        ("ollama", "llama3"),
        ("openai-compatible", "gpt-4o"),
    ],
)
def test_unknown_price_is_reported(provider, model):
    assert price(provider, model, 1000, 1000) == CallPrice(Decimal(0), known=False)


@pytest.mark.parametrize("counts", [(-1, 0, 0), (0, -1, 0), (1, 1, 2)])
def test_invalid_token_counts_are_rejected(counts):
    with pytest.raises(ValueError, match="token counts"):
        price("openai", "gpt-4o", *counts)
