"""Cost of model calls by the tenant's price or the bundled genai-prices list (no network)."""

from dataclasses import dataclass
from decimal import Decimal

from agents.services.prices import TenantPrice

FREE_PROVIDERS = frozenset({"extractive"})
# Provider names that differ in the price list; None means there is no list price.
_PRICE_LIST_NAMES: dict[str, str | None] = {"openai-compatible": None, "ollama": None, "xai": "x-ai"}


@dataclass(frozen=True, slots=True)
class CallPrice:
    """Cost of one call in US dollars; if `known` is false, the amount is 0.

    `received` is the part for output tokens. A call is priced as a whole, since some providers charge a fee per call
    and others a higher rate for long prompts.
    """

    amount: Decimal
    known: bool
    received: Decimal = Decimal(0)

    @property
    def sent(self) -> Decimal:
        """The part for input tokens and the fee per call."""
        return self.amount - self.received


def price(
    provider_id: str,
    model: str,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    own: TenantPrice | None = None,
) -> CallPrice:
    """Return the price of a call.

    Args:
        cached_tokens: the part of `input_tokens` that the provider read from its cache.
        own: the tenant's price; it overrides the list price and ignores caching.

    Raises:
        ValueError: if a count is negative or more tokens are cached than sent.
    """
    if min(input_tokens, output_tokens, cached_tokens) < 0 or cached_tokens > input_tokens:
        raise ValueError("token counts must not be negative, nor more cached than input tokens")
    if own is not None:
        return CallPrice(own.of(input_tokens, output_tokens), known=True, received=own.of(0, output_tokens))
    if provider_id in FREE_PROVIDERS:
        return CallPrice(Decimal(0), known=True)
    listed = _PRICE_LIST_NAMES.get(provider_id, provider_id)
    return _listed_price(listed, model, input_tokens, output_tokens, cached_tokens) if listed else _UNKNOWN


_UNKNOWN = CallPrice(Decimal(0), known=False)


def _listed_price(provider: str, model: str, input_tokens: int, output_tokens: int, cached: int) -> CallPrice:
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached)
    try:
        price = calc_price(usage, model, provider_id=provider)
    except LookupError:
        return _UNKNOWN
    if not input_tokens and not output_tokens:
        # A call that was not made has no fee.
        return CallPrice(Decimal(0), known=True)
    return CallPrice(price.total_price, known=True, received=price.output_price)
