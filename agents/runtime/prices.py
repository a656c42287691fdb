"""What a model call costs: the tenant's own price, else the list that comes with genai-prices (no network)."""

from dataclasses import dataclass
from decimal import Decimal

from agents.services.prices import OwnPrice

FREE_PROVIDERS = frozenset({"extractive"})
# Our provider names that the price list spells otherwise; a name mapped to None has no list price.
_LISTED_AS: dict[str, str | None] = {"openai-compatible": None, "ollama": None, "xai": "x-ai"}


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one call; when `known` is false the amount is 0 because nobody said what it costs.

    `received` is the part of the amount that is for tokens received. The call is priced as a whole, since some
    providers take a fee for each call, and others more for each token of a long one.
    """

    amount: Decimal
    known: bool
    received: Decimal = Decimal(0)

    @property
    def sent(self) -> Decimal:
        """The part for tokens sent, and for the call itself."""
        return self.amount - self.received


def price(
    provider_id: str,
    model: str,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    own: OwnPrice | None = None,
) -> Price:
    """The price of a call; `cached_tokens` are those input tokens the provider read from its cache.

    Args:
        own: the tenant's own price, which goes before the list's and knows no cache.

    Raises ValueError for negative counts or more cached tokens than input tokens.
    """
    if min(input_tokens, output_tokens, cached_tokens) < 0 or cached_tokens > input_tokens:
        raise ValueError("token counts must not be negative, nor more cached than input tokens")
    if own is not None:
        return Price(own.of(input_tokens, output_tokens), known=True, received=own.of(0, output_tokens))
    if provider_id in FREE_PROVIDERS:
        return Price(Decimal(0), known=True)
    listed = _LISTED_AS.get(provider_id, provider_id)
    return _listed_price(listed, model, input_tokens, output_tokens, cached_tokens) if listed else _UNKNOWN


_UNKNOWN = Price(Decimal(0), known=False)


def _listed_price(provider: str, model: str, input_tokens: int, output_tokens: int, cached: int) -> Price:
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached)
    try:
        found = calc_price(usage, model, provider_id=provider)
    except LookupError:
        return _UNKNOWN
    if not input_tokens and not output_tokens:
        # A fee for each call is for one that was made.
        return Price(Decimal(0), known=True)
    return Price(found.total_price, known=True, received=found.output_price)
