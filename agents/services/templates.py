"""Agent templates: creating agents, publishing and purchases."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from agents.choices import PaymentStatus, Provider, validate_tools
from agents.models import Agent, AgentTemplate, TemplatePurchase
from audit.services.events import record_event
from config.tenancy.scope import require_tenant_id

# Keys of a template's `model_config` that map to columns of the agent.
MODEL_FIELDS = ("temperature", "max_tokens", "model_provider", "model_name", "timeout", "max_iterations")
MAX_PRICE = Decimal("10000.00")


class NotForSaleError(ValidationError):
    """Raised when a template cannot be bought or has not been paid for."""


class PurchaseStateError(ValidationError):
    """Raised when the state of a purchase does not allow the operation."""


@transaction.atomic
def create_agent(
    template: AgentTemplate, *, slug: str, name: str = "", actor: UUID | None = None, **changes: Any
) -> Agent:
    """Create an agent of the scope's tenant from a template.

    Args:
        changes: columns of the agent that override the template, such as `integration_id`.

    Raises:
        NotForSaleError: if the template has a price and has not been paid for.
        ValidationError: if the resulting agent is invalid, by field.
    """
    if not can_use_template(template):
        raise NotForSaleError("Your organisation has not bought this template.")
    model_settings = {
        field: template.model_config[field] for field in MODEL_FIELDS if field in template.model_config
    }
    if "temperature" in model_settings:
        # As a float, 0.2 has more decimal places than the column allows.
        model_settings["temperature"] = str(model_settings["temperature"])
    agent = Agent(
        tenant_id=require_tenant_id(),
        name=name or template.name,
        slug=slug,
        description=template.description,
        system_prompt=_build_instructions(template),
        tools=[tool for tool in template.functions if tool != "search_knowledge"],
        config=_build_config(template),
        metadata={"knowledge_sources": template.knowledge_sources} if template.knowledge_sources else {},
        template_id=template.pk,
        created_by_id=actor,
        **{**model_settings, **changes},
    )
    _check_agent(agent, template)
    agent.save(force_insert=True)
    return agent


def can_use_template(template: AgentTemplate) -> bool:
    """Return whether the template is the tenant's own, free or paid for."""
    if template.tenant_id == require_tenant_id() or not template.price:
        return True
    paid = TemplatePurchase.objects.filter(
        template_id=template.pk, tenant_id=require_tenant_id(), payment_status=PaymentStatus.COMPLETED
    )
    return paid.exists()


def _check_agent(agent: Agent, template: AgentTemplate) -> None:
    if template.allowed_integrations and agent.model_provider not in template.allowed_integrations:
        allowed = ", ".join(template.allowed_integrations)
        raise ValidationError({"model_provider": f"This template supports only these providers: {allowed}."})
    if agent.model_provider not in Provider.values:
        raise ValidationError({"model_provider": "Unknown provider."})
    validate_tools(agent.tools)
    agent.clean_fields(exclude={"tenant", "created_by", "integration"})


def _build_instructions(template: AgentTemplate) -> str:
    traits = [f"{name}: {value}" for name, value in sorted(template.personality_config.items())]
    return "\n\n".join([template.system_prompt, *([f"Personality: {'; '.join(traits)}."] if traits else [])])


def _build_config(template: AgentTemplate) -> dict[str, Any]:
    limit = template.cost_limit_per_request
    return {} if limit is None else {"cost_limit_per_request": str(limit)}


@transaction.atomic
def publish_template(template: AgentTemplate, *, price: Decimal | None = None) -> AgentTemplate:
    """Publish the template to all organisations; with a price, offer it for sale.

    Raises:
        ValidationError: if the template belongs to another tenant or the price is out of range.
    """
    template = _lock_own_template(template)
    if price is not None and not 0 < price <= MAX_PRICE:
        raise ValidationError({"price": f"The price must be greater than 0 and at most {MAX_PRICE}."})
    template.is_public, template.is_marketplace, template.price = True, price is not None, price
    template.save(update_fields=["is_public", "is_marketplace", "price", "updated_at"])
    record_event("template.published", resource=template, metadata={"price": str(price or 0)})
    return template


@transaction.atomic
def withdraw_template(template: AgentTemplate) -> AgentTemplate:
    """Withdraw the template; agents created from it and purchases are kept."""
    template = _lock_own_template(template)
    template.is_public = template.is_marketplace = False
    template.save(update_fields=["is_public", "is_marketplace", "updated_at"])
    record_event("template.withdrawn", resource=template)
    return template


def _lock_own_template(template: AgentTemplate) -> AgentTemplate:
    rows = AgentTemplate.objects.select_for_update(of=("self",)).filter(tenant_id=require_tenant_id())
    locked = rows.filter(pk=template.pk).first()
    if locked is None:
        raise ValidationError("This template belongs to another organisation.")
    return locked  # type: ignore[no-any-return]


@transaction.atomic
def buy_template(template: AgentTemplate, *, actor: UUID, method: str) -> TemplatePurchase:
    """Create a pending purchase at the current price, or return the open one.

    The database checks buyer, seller and price against the offer (`TemplatePurchase.row_security`).

    Raises:
        NotForSaleError: if the template is not for sale, is the tenant's own or was already bought.
    """
    tenant_id = require_tenant_id()
    if template.tenant_id == tenant_id:
        raise NotForSaleError("This template belongs to your organisation.")
    if not template.is_marketplace or not template.price:
        raise NotForSaleError("This template is not for sale.")
    purchases = TemplatePurchase.objects.filter(tenant_id=tenant_id, template_id=template.pk)
    existing = purchases.exclude(payment_status=PaymentStatus.REFUNDED).first()
    if existing is not None:
        if existing.payment_status == PaymentStatus.COMPLETED:
            raise NotForSaleError("Your organisation has already bought this template.")
        return existing  # type: ignore[no-any-return]
    purchase = TemplatePurchase(
        buyer_id=actor,
        template_id=template.pk,
        seller_tenant_id=template.tenant_id,
        seller_id=template.user_id,
        price=template.price,
        commission_rate=get_commission(),
        payment_method=method,
    )
    try:
        with transaction.atomic():
            purchase.save(force_insert=True)
    except IntegrityError:
        # Another member bought it concurrently: return that purchase.
        open_one = purchases.filter(payment_status=PaymentStatus.PENDING).first()
        if open_one is None:
            raise
        return open_one  # type: ignore[no-any-return]
    record_event("template.bought", resource=purchase, metadata={"price": str(template.price)})
    return purchase


def get_commission() -> Decimal:
    """Return the platform's share of new sales, from 0 to 1."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT agents_commission()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


@transaction.atomic
def complete_purchase(purchase_id: UUID, *, transaction_id: str = "") -> TemplatePurchase:
    """Mark a purchase as paid. Idempotent. Requires the platform scope.

    Raises:
        PurchaseStateError: if the purchase was refunded.
    """
    purchase = _lock_purchase(purchase_id)
    if purchase.payment_status == PaymentStatus.COMPLETED:
        return purchase
    if purchase.payment_status != PaymentStatus.PENDING:
        raise PurchaseStateError("This purchase has been refunded.")
    purchase.payment_status, purchase.paid_at = PaymentStatus.COMPLETED, timezone.now()
    purchase.transaction_id = transaction_id or purchase.transaction_id
    purchase.save(update_fields=["payment_status", "paid_at", "transaction_id", "updated_at"])
    record_event("purchase.completed", resource=purchase, metadata={"price": str(purchase.price)})
    return purchase


@transaction.atomic
def refund_purchase(purchase_id: UUID) -> TemplatePurchase:
    """Mark a paid purchase as refunded. Idempotent. Requires the platform scope.

    Raises:
        PurchaseStateError: if the purchase was not paid.
    """
    purchase = _lock_purchase(purchase_id)
    if purchase.payment_status == PaymentStatus.REFUNDED:
        return purchase
    if purchase.payment_status != PaymentStatus.COMPLETED:
        raise PurchaseStateError("This purchase has not been paid.")
    purchase.payment_status, purchase.refunded_at = PaymentStatus.REFUNDED, timezone.now()
    purchase.save(update_fields=["payment_status", "refunded_at", "updated_at"])
    record_event("purchase.refunded", resource=purchase, metadata={"price": str(purchase.price)})
    return purchase


def record_payment(purchase_id: UUID, transaction_id: str) -> None:
    """Store the provider's payment ID on a pending purchase. Requires the platform scope."""
    rows = TemplatePurchase.objects.filter(pk=purchase_id, payment_status=PaymentStatus.PENDING)
    rows.update(transaction_id=transaction_id)


def _lock_purchase(purchase_id: UUID) -> TemplatePurchase:
    purchase: TemplatePurchase = TemplatePurchase.objects.select_for_update(of=("self",)).get(pk=purchase_id)
    return purchase
