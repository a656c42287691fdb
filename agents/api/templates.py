"""API resources for agent templates, purchases and ratings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from agents.api.serializers import AgentSerializer
from agents.choices import PaymentStatus, Provider
from agents.models import AgentTemplate, Integration, TemplatePurchase, TemplateRating
from agents.models.templates import PUBLISHING_FIELDS, PUBLISHING_SCOPE
from agents.runtime.payments import UnknownPaymentMethodError, begin_payment, settle_purchase
from agents.runtime.stripe import PaymentError
from agents.services.payouts import get_seller_balance
from agents.services.templates import (
    NotForSaleError,
    buy_template,
    create_agent,
    publish_template,
    withdraw_template,
)
from config.api.constraint_errors import DOES_NOT_EXIST
from config.api.exceptions import Conflict, Forbidden, Problem
from config.api.serializers import (
    BaseSerializer,
    ObjectField,
    ReadOnlySerializer,
    ReferenceField,
    RelatedIdsField,
    TextListField,
    cached_serializer,
)
from config.api.sql_serialization import ColumnSQL, quote_identifier
from config.api.views import bodyless, json_response
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet
from config.tenancy.scope import require_scope


@contextmanager
def convert_not_for_sale() -> Iterator[None]:
    """Convert `NotForSaleError` to a conflict response."""
    try:
        yield
    except NotForSaleError as error:
        raise Conflict("; ".join(error.messages), code="not_for_sale") from error


BOUGHT_SQL = (
    "EXISTS (SELECT FROM agents_templatepurchase p WHERE p.template_id = {table}.id"
    " AND p.tenant_id = (SELECT conclave_current_tenant())"
    f" AND p.payment_status = '{PaymentStatus.COMPLETED}')"
)


class BuyerOnlyMixin:
    """Mixin for fields of paid templates, null for organisations without a completed purchase."""

    needs_reencode = ""

    def get_attribute(self, instance: AgentTemplate) -> Any:
        own = require_scope().tenant_id in (None, instance.tenant_id)
        if own or not instance.price or self._bought(instance):
            return super().get_attribute(instance)  # type: ignore[misc]
        return None

    def _bought(self, instance: AgentTemplate) -> bool:
        mine = TemplatePurchase.objects.filter(template_id=instance.pk, tenant_id=require_scope().tenant_id)
        return mine.filter(payment_status=PaymentStatus.COMPLETED).exists()

    def as_sql(self, model: Any, table: str) -> ColumnSQL:
        """Return the column if the template is the tenant's own, free or bought, else NULL."""
        column = f"{table}.{quote_identifier(self.source)}"  # type: ignore[attr-defined]
        seen = (
            f"{table}.tenant_id = (SELECT conclave_current_tenant())"
            f" OR coalesce({table}.price, 0) = 0 OR {BOUGHT_SQL.format(table=table)}"
        )
        return ColumnSQL(f"CASE WHEN {seen} THEN {column} END", self.needs_reencode.format(column=column))


class BuyerOnlyTextField(BuyerOnlyMixin, serializers.CharField):
    """Text visible to buyers only."""


class BuyerOnlyObjectField(BuyerOnlyMixin, ObjectField):
    """A JSON object visible to buyers only."""

    needs_reencode = "{column} NOT IN ('{{}}'::jsonb, '[]'::jsonb)"


class BuyerOnlyListField(BuyerOnlyMixin, TextListField):
    """A list of strings visible to buyers only."""

    needs_reencode = BuyerOnlyObjectField.needs_reencode


class AgentTemplateSerializer(BaseSerializer):
    """A blueprint for agents; paid content is null until the template is bought."""

    system_prompt = BuyerOnlyTextField(help_text="Personality and instructions.")
    functions = BuyerOnlyListField(required=False, help_text="Tools that agents created from it may call.")
    personality_config = BuyerOnlyObjectField(
        required=False, help_text="Tone, expertise and similar settings."
    )
    knowledge_sources = BuyerOnlyListField(required=False, help_text="URLs of pages that its agents know.")
    model_config = BuyerOnlyObjectField(required=False, help_text="Temperature, tokens and similar settings.")
    allowed_integrations = TextListField(required=False, help_text="Allowed model providers. Empty: all.")
    documents = RelatedIdsField(
        through="agents.TemplateDocument",
        near="template",
        far="document",
        required=False,
        help_text="IDs of the caller's own documents that its agents know.",
    )

    class Meta:
        model = AgentTemplate
        fields = (
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
        )

    def validate_allowed_integrations(self, value: list[str]) -> list[str]:
        if unknown := sorted(set(value) - set(Provider.values)):
            raise serializers.ValidationError(
                f"Unknown providers: {', '.join(unknown)}. Choose from: {', '.join(Provider.values)}.",
                code="invalid_choice",
            )
        return value


class TemplatePurchaseSerializer(ReadOnlySerializer):
    """A purchase of a template."""

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
            "paid_at",
            "refunded_at",
            "created_at",
        )


class TemplateRatingSerializer(BaseSerializer):
    """A person's rating of a template."""

    class Meta:
        model = TemplateRating
        fields = ("user", "template_id", "rating", "review")

    def validate_template_id(self, value: Any) -> Any:
        if not AgentTemplate.objects.filter(pk=value).exists():
            raise serializers.ValidationError(DOES_NOT_EXIST, code="does_not_exist")
        return value


class NewAgentSerializer(serializers.Serializer):
    """Parameters for creating an agent from a template."""

    slug = serializers.SlugField(max_length=100, help_text="Name of the agent in the API.")
    name = serializers.CharField(
        max_length=255,
        required=False,
        allow_blank=True,
        default="",
        help_text="Defaults to the template's name.",
    )
    model_provider = serializers.ChoiceField(
        choices=Provider.choices, required=False, help_text="Provider that runs the model."
    )
    model_name = serializers.CharField(max_length=100, required=False, help_text="The provider's model name.")
    integration = ReferenceField(
        required=False, allow_null=True, target=Integration, help_text="Provider account to use."
    )


class OfferSerializer(serializers.Serializer):
    """Parameters for publishing a template."""

    price = serializers.DecimalField(
        max_digits=10,
        decimal_places=2,
        required=False,
        allow_null=True,
        default=None,
        help_text="Price in US dollars; null makes the template free.",
    )


class PaymentSerializer(serializers.Serializer):
    """A purchase with payment instructions."""

    purchase = TemplatePurchaseSerializer(help_text="The purchase.")
    payment_url = serializers.CharField(help_text="URL to pay at; empty if the instructions say how to pay.")
    instructions = serializers.CharField(help_text="Instructions for paying.")


class BalanceSerializer(serializers.Serializer):
    """An organisation's earnings in US dollars."""

    sold = serializers.DecimalField(max_digits=14, decimal_places=2, help_text="Sum of the prices paid.")
    fees = serializers.DecimalField(max_digits=14, decimal_places=2, help_text="The platform's share.")
    payout = serializers.DecimalField(max_digits=14, decimal_places=2, help_text="The organisation's share.")
    paid_out = serializers.DecimalField(
        max_digits=14, decimal_places=2, help_text="Part of the share that was paid out."
    )
    pending = serializers.DecimalField(
        max_digits=14, decimal_places=2, help_text="Part of the share in payouts that are not paid yet."
    )
    open = serializers.DecimalField(
        max_digits=14,
        decimal_places=2,
        help_text="Part of the share in no payout; negative after refunds of sales that were paid out.",
    )


class PaymentProblem(Problem):
    """The payment provider is unavailable or refused the request."""

    status_code = 502
    default_code = "payment_failed"
    default_detail = "The payment provider is unavailable. Try again later."


class AgentTemplateViewSet(TenantViewSet):
    """The organisation's templates and public templates of other organisations.

    Publishing a template also requires the scope `tenant:write`.
    """

    serializer_class = AgentTemplateSerializer
    resource = "templates"
    ordering_fields = ("created_at", "updated_at", "name", "rating", "usage_count")
    owner_field = "user_id"
    verbs = {"create_agent": "read", "publish": "write", "withdraw": "write", "buy": "read"}

    @property
    def scope(self) -> str:
        # Buying waits for the payment provider, so it must not hold a transaction open.
        return "manual" if self.action == "buy" else "request"

    @extend_schema(request=NewAgentSerializer, responses={201: AgentSerializer})
    @action(detail=True, methods=["post"], url_path="create-agent")
    def create_agent(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Create an agent from this template."""
        self.require("agents", "write")
        data = self.validate_body(NewAgentSerializer)
        if "integration" in data:
            data["integration_id"] = data.pop("integration")
        with convert_not_for_sale():
            agent = create_agent(self.get_object(), actor=self.credential.user_id, **data)
        return self.rendered_row(AgentSerializer, agent, 201)

    @extend_schema(request=OfferSerializer, responses={200: AgentTemplateSerializer})
    @action(detail=True, methods=["post"])
    def publish(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Publish the template to all organisations, free or at a price."""
        offer = self.validate_body(OfferSerializer)
        self._require_publishing()
        template = publish_template(self.get_object(), price=offer["price"])
        return self.respond_with(template.pk)

    @bodyless(responses={200: AgentTemplateSerializer})
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Withdraw the template from other organisations."""
        return self.respond_with(withdraw_template(self.get_object()).pk)

    @bodyless(responses={201: PaymentSerializer})
    @action(detail=True, methods=["post"])
    def buy(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Buy the template for the organisation and return how to pay.

        Repeating the request returns the same open purchase.
        """
        self.require("purchases", "write")
        method = settings.PAYMENT_ADAPTER
        with self.scoped(), convert_not_for_sale():
            purchase = buy_template(self.get_object(), actor=self.credential.user_id, method=method)
        try:
            payment = begin_payment(purchase)
        except PaymentError as error:
            raise PaymentProblem(str(error)) from error
        with self.scoped():
            shown = TemplatePurchase.objects.get(pk=purchase.pk)
            body = {
                "purchase": cached_serializer(TemplatePurchaseSerializer).to_representation(shown),
                "payment_url": payment.url,
                "instructions": payment.instructions,
            }
        return json_response(body, 201)

    def perform_create(self, serializer: Any) -> Any:
        self._require_publisher(serializer)
        return super().perform_create(serializer)

    def perform_update(self, serializer: Any) -> None:
        self._require_publisher(serializer)
        super().perform_update(serializer)

    def _require_publisher(self, serializer: Any) -> None:
        changes, current = serializer.validated_data, serializer.instance
        if any(changes.get(name) and not getattr(current, name, False) for name in PUBLISHING_FIELDS):
            self._require_publishing()

    def _require_publishing(self) -> None:
        if not self.credential.allows(*PUBLISHING_SCOPE):
            detail = "Only an administrator can publish templates to other organisations."
            raise Forbidden(detail, code="not_publisher")


class TemplatePurchaseViewSet(ReadOnlyTenantViewSet):
    """The organisation's purchases and sales of templates."""

    serializer_class = TemplatePurchaseSerializer
    resource = "purchases"
    ordering_fields = ("created_at", "purchased_at")
    verbs = {"settle": "write", "balance": "read"}

    @property
    def scope(self) -> str:
        return "manual" if self.action == "settle" else "request"

    @bodyless(
        responses={
            200: TemplatePurchaseSerializer,
            502: OpenApiResponse(description="The payment provider is unavailable."),
        },
    )
    @action(detail=True, methods=["post"])
    def settle(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Query the payment provider and complete the purchase if it is paid."""
        with self.scoped():
            purchase = self.get_object()
        try:
            settle_purchase(purchase)
        except UnknownPaymentMethodError as error:
            raise Conflict(str(error), code="unknown_payment_method") from error
        except PaymentError as error:
            raise PaymentProblem(str(error)) from error
        with self.scoped():
            return self.respond_with(purchase.pk)

    @extend_schema(responses={200: BalanceSerializer})
    @action(detail=False, methods=["get"])
    def balance(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return the organisation's earnings from its templates."""
        return json_response(BalanceSerializer(get_seller_balance()).data)


class TemplateRatingViewSet(TenantViewSet):
    """Template ratings by members of the organisation; members can change only their own."""

    serializer_class = TemplateRatingSerializer
    resource = "templates"
    ordering_fields = ("created_at", "rating")
    owner_field = "user_id"
