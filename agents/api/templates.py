"""Templates of agents in the API, and their market."""

from typing import Any

from rest_framework import serializers

from agents.choices import PaymentStatus, Provider
from agents.models import AgentTemplate, TemplatePurchase, TemplateRating
from agents.models.templates import PUBLISHER, PUBLISHES
from config.api.exceptions import Forbidden
from config.api.integrity import MISSING
from config.api.json_sql import Column, quoted
from config.api.serializers import HouseSerializer, ObjectField, RelatedIdsField, TextListField
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet
from tenants.scoping import require_scope

BOUGHT = (
    "EXISTS (SELECT FROM agents_templatepurchase p WHERE p.template_id = {table}.id"
    " AND p.tenant_id = (SELECT conclave_current_tenant())"
    f" AND p.payment_status = '{PaymentStatus.COMPLETED}')"
)


class ForBuyers:
    """A part of a template that has a price: null for organisations that did not pay it."""

    rich = ""

    def get_attribute(self, instance: AgentTemplate) -> Any:
        own = require_scope().tenant_id in (None, instance.tenant_id)
        if own or not instance.price or self._bought(instance):
            return super().get_attribute(instance)  # type: ignore[misc]
        return None

    def _bought(self, instance: AgentTemplate) -> bool:
        bought = TemplatePurchase.objects.filter(
            template_id=instance.pk,
            tenant_id=require_scope().tenant_id,
            payment_status=PaymentStatus.COMPLETED,
        )
        return bought.exists()

    def as_sql(self, model: Any, table: str) -> Column:
        """The column, where the row is the tenant's, free or bought."""
        column = f"{table}.{quoted(self.source)}"  # type: ignore[attr-defined]
        seen = (
            f"{table}.tenant_id = (SELECT conclave_current_tenant())"
            f" OR coalesce({table}.price, 0) = 0 OR {BOUGHT.format(table=table)}"
        )
        return Column(f"CASE WHEN {seen} THEN {column} END", self.rich.format(column=column))


class SoldText(ForBuyers, serializers.CharField):
    """Text for buyers."""


class SoldObject(ForBuyers, ObjectField):
    """A JSON object for buyers."""

    rich = "{column} NOT IN ('{{}}'::jsonb, '[]'::jsonb)"


class SoldList(ForBuyers, TextListField):
    """A list of texts for buyers."""

    rich = SoldObject.rich


class AgentTemplateSerializer(HouseSerializer):
    """A blueprint of an agent; what has a price is null for those who did not buy it."""

    system_prompt = SoldText(help_text="Personality and instructions.")
    functions = SoldList(required=False, help_text="Tools that its agents may call.")
    personality_config = SoldObject(required=False, help_text="Tone, expertise and the like.")
    knowledge_sources = SoldList(required=False, help_text="Addresses of pages that its agents know.")
    model_config = SoldObject(required=False, help_text="Temperature, tokens and the like.")
    allowed_integrations = TextListField(required=False, help_text="Providers that may run it; empty: any.")
    documents = RelatedIdsField(
        through="agents.TemplateDocument",
        near="template",
        far="document",
        required=False,
        help_text="Ids of documents that its agents know; none of another organisation's.",
    )

    class Meta:
        model = AgentTemplate
        fields = (
            "id",
            "user",
            "name",
            "description",
            "avatar_url",
            "system_prompt",
            "functions",
            "personality_config",
            "knowledge_sources",
            "documents",
            "model_config",
            "allowed_integrations",
            "cost_limit_per_request",
            "version",
            "is_public",
            "is_marketplace",
            "price",
            "usage_count",
            "rating",
            "created_at",
            "updated_at",
        )

    def validate_allowed_integrations(self, value: list[str]) -> list[str]:
        if unknown := sorted(set(value) - set(Provider.values)):
            raise serializers.ValidationError(
                f"{', '.join(unknown)}: none of {', '.join(Provider.values)}.", code="invalid_choice"
            )
        return value


class TemplatePurchaseSerializer(HouseSerializer):
    """A template bought."""

    class Meta:
        model = TemplatePurchase
        fields = (
            "id",
            "buyer",
            "template_id",
            "seller_tenant_id",
            "seller_id",
            "price",
            "commission_rate",
            "platform_fee",
            "seller_payout",
            "payment_status",
            "payment_method",
            "transaction_id",
            "purchased_at",
            "created_at",
        )
        read_only_fields = fields


class TemplateRatingSerializer(HouseSerializer):
    """What a person thinks of a template."""

    class Meta:
        model = TemplateRating
        fields = ("id", "user", "template_id", "rating", "review", "created_at", "updated_at")

    def validate_template_id(self, value: Any) -> Any:
        if not AgentTemplate.objects.filter(pk=value).exists():
            raise serializers.ValidationError(MISSING, code="does_not_exist")
        return value


class AgentTemplateViewSet(TenantViewSet):
    """Templates of the organisation, and those that others made public.

    Showing one to other organisations needs `tenant:write` too.
    """

    serializer_class = AgentTemplateSerializer
    resource = "templates"
    filterset_fields = ("is_public", "is_marketplace", "user")
    ordering_fields = ("created_at", "updated_at", "name", "rating", "usage_count")
    owner_field = "user_id"

    def perform_create(self, serializer: Any) -> Any:
        self._require_publisher(serializer)
        return super().perform_create(serializer)

    def perform_update(self, serializer: Any) -> None:
        self._require_publisher(serializer)
        super().perform_update(serializer)

    def _require_publisher(self, serializer: Any) -> None:
        wanted = serializer.validated_data
        shown = [
            name for name in PUBLISHES if wanted.get(name) and not getattr(serializer.instance, name, False)
        ]
        if shown and not self.credential.allows(*PUBLISHER):
            raise Forbidden("Only an administrator shows templates to others.", code="not_publisher")


class TemplatePurchaseViewSet(ReadOnlyTenantViewSet):
    """What the organisation bought, and what it sold."""

    serializer_class = TemplatePurchaseSerializer
    resource = "purchases"
    filterset_fields = ("template_id", "buyer", "seller_tenant_id", "payment_status")
    ordering_fields = ("created_at", "purchased_at")


class TemplateRatingViewSet(TenantViewSet):
    """Ratings by members of the organisation; each person changes their own."""

    serializer_class = TemplateRatingSerializer
    resource = "templates"
    filterset_fields = ("template_id", "user", "rating")
    ordering_fields = ("created_at", "rating")
    owner_field = "user_id"
