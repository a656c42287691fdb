"""Model prices set by organisations."""

from dataclasses import dataclass
from decimal import Decimal

from agents.models import ModelPrice

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class TenantPrice:
    """US dollars per million input and output tokens."""

    input_price: Decimal
    output_price: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the cost in US dollars."""
        return (self.input_price * input_tokens + self.output_price * output_tokens) / MILLION


def get_tenant_price(provider: str, model: str) -> TenantPrice | None:
    """Return the tenant's price of the model, else of the provider, else None."""
    rows = ModelPrice.objects.filter(provider=provider, model__in=(model, "*"))
    prices = {row.model: TenantPrice(row.input_price, row.output_price) for row in rows}
    return prices.get(model) or prices.get("*")
