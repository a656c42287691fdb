"""Fallback models of agents."""

from django.core.exceptions import ValidationError
from django.db import models

from agents.choices import Provider
from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import TenantForeignKey, TenantModel

from .agents import Agent


class AgentFallback(TenantModel):
    """A model to use when those before it are down, too slow or rate limited."""

    agent = TenantForeignKey(Agent, models.CASCADE, related_name="fallbacks", help_text="The agent.")
    position = models.PositiveSmallIntegerField(default=1, help_text="Position in the fallback order.")
    model_provider = models.CharField(max_length=50, choices=Provider, help_text="Model provider.")
    model_name = models.CharField(max_length=100, help_text="Model name at the provider.")
    integration = TenantForeignKey(
        "agents.Integration",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Account and endpoint at the provider. Not needed for the offline model.",
    )

    class Meta(TenantModel.Meta):
        ordering = ["position", "id"]
        constraints = [
            unique_per_tenant(
                "agent", "position", suffix="place", message="Another fallback model has this position."
            ),
            choices_constraint("model_provider", Provider.values, name="agents_agentfallback_provider_known"),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.model_provider}:{self.model_name}"

    def clean(self) -> None:
        """Validate that the integration belongs to the same provider.

        Raises:
            ValidationError: The integration belongs to another provider.
        """
        if self.integration and self.integration.platform != self.model_provider:
            raise ValidationError({"integration": "The integration belongs to another provider."})
