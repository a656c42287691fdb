"""Model prices that override the price list."""

from django.db import models

from agents.choices import Provider
from config.db.constraints import choices_constraint, unique_per_tenant
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
            unique_per_tenant("provider", "model", message="This model already has a price."),
            choices_constraint("provider", Provider.values),
            models.CheckConstraint(
                condition=models.Q(input_price__gte=0, output_price__gte=0),
                name="agents_modelprice_amounts",
                violation_error_message="The price cannot be negative.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"
