"""Model prices that override the price list."""

from django.db import models

from agents.choices import Provider
from config.tenancy.models import TenantModel


class ModelPrice(TenantModel):
    """An organisation's price of a model in US dollars per million tokens; overrides the list price."""

    provider = models.CharField(max_length=50, choices=Provider, help_text="Model provider.")
    model = models.CharField(
        max_length=100, help_text="Model name at the provider, or * for every other model."
    )
    input_price = models.DecimalField(
        max_digits=12, decimal_places=6, help_text="US dollars per million input tokens."
    )
    output_price = models.DecimalField(
        max_digits=12, decimal_places=6, help_text="US dollars per million output tokens."
    )
    note = models.CharField(max_length=500, blank=True, default="", help_text="Source of the price.")

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "model"],
                name="agents_modelprice_once",
                violation_error_message="This model already has a price.",
            ),
            models.CheckConstraint(
                condition=models.Q(provider__in=Provider.values), name="agents_modelprice_provider_known"
            ),
            models.CheckConstraint(
                condition=models.Q(input_price__gte=0, output_price__gte=0),
                name="agents_modelprice_amounts",
                violation_error_message="The price cannot be negative.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"
