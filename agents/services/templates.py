"""Templates and their market: agents made of them, publishing, buying, and the ledger of purchases."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils import timezone

from agents.choices import PaymentStatus, Provider, validate_tools
from agents.models import Agent, AgentTemplate, TemplatePurchase
from audit.services.events import record_event
from tenants.scoping import require_tenant_id

# Settings of a template's `model_config` that are the agent's own columns.
MODEL_FIELDS = ("temperature", "max_tokens", "model_provider", "model_name", "timeout", "max_iterations")
HIGHEST_PRICE = Decimal("10000.00")


class NotForSale(ValidationError):
    """The template cannot be bought, or was not paid."""


class WrongState(ValidationError):
    """The purchase is in another state than this needs."""


@transaction.atomic
def create_agent(
    template: AgentTemplate, *, slug: str, name: str = "", actor: UUID | None = None, **changes: Any
) -> Agent:
    """An agent of the scope's tenant, made of a template that it sees and, where it has a price, has paid.

    Args:
        changes: columns of the agent that differ from the template, such as `integration_id`.

    Raises:
        NotForSale: when it was not paid.
        ValidationError: when the template and `changes` make no valid agent, by field.
    """
    if not may_use(template):
        raise NotForSale("Your organisation did not buy this template.")
    wanted = {field: template.model_config[field] for field in MODEL_FIELDS if field in template.model_config}
    if "temperature" in wanted:
        # JSON's 0.2 has more places as a binary number than the column.
        wanted["temperature"] = str(wanted["temperature"])
    agent = Agent(
        tenant_id=require_tenant_id(),
        name=name or template.name,
        slug=slug,
        description=template.description,
        system_prompt=_instructions(template),
        tools=[tool for tool in template.functions if tool != "search_knowledge"],
        config=_config(template),
        metadata={"knowledge_sources": template.knowledge_sources} if template.knowledge_sources else {},
        template_id=template.pk,
        created_by_id=actor,
        **{**wanted, **changes},
    )
    _check_agent(agent, template)
    agent.save(force_insert=True)
    return agent


def may_use(template: AgentTemplate) -> bool:
    """Whether the scope's tenant owns the template, or it is free, or it was paid."""
    if template.tenant_id == require_tenant_id() or not template.price:
        return True
    paid = TemplatePurchase.objects.filter(
        template_id=template.pk, tenant_id=require_tenant_id(), payment_status=PaymentStatus.COMPLETED
    )
    return paid.exists()


def _check_agent(agent: Agent, template: AgentTemplate) -> None:
    if template.allowed_integrations and agent.model_provider not in template.allowed_integrations:
        allowed = ", ".join(template.allowed_integrations)
        raise ValidationError({"model_provider": f"This template runs with {allowed} only."})
    if agent.model_provider not in Provider.values:
        raise ValidationError({"model_provider": "There is no such provider."})
    validate_tools(agent.tools)
    agent.clean_fields(exclude={"tenant", "created_by", "integration"})


def _instructions(template: AgentTemplate) -> str:
    traits = [f"{name}: {value}" for name, value in sorted(template.personality_config.items())]
    return "\n\n".join([template.system_prompt, *([f"Personality: {'; '.join(traits)}."] if traits else [])])


def _config(template: AgentTemplate) -> dict[str, Any]:
    limit = template.cost_limit_per_request
    return {} if limit is None else {"cost_limit_per_request": str(limit)}


@transaction.atomic
def publish_template(template: AgentTemplate, *, price: Decimal | None = None) -> AgentTemplate:
    """Show the template to every organisation; with a price, offer it for sale.

    Raises:
        ValidationError: for a template that is not the scope's own, or a price out of bounds.
    """
    template = _own(template)
    if price is not None and not 0 < price <= HIGHEST_PRICE:
        raise ValidationError({"price": f"A price lies above 0 and up to {HIGHEST_PRICE}."})
    template.is_public, template.is_marketplace, template.price = True, price is not None, price
    template.save(update_fields=["is_public", "is_marketplace", "price", "updated_at"])
    record_event("template.published", resource=template, metadata={"price": str(price or 0)})
    return template


@transaction.atomic
def withdraw_template(template: AgentTemplate) -> AgentTemplate:
    """Offer the template to nobody any more; agents made of it and purchases stay."""
    template = _own(template)
    template.is_public = template.is_marketplace = False
    template.save(update_fields=["is_public", "is_marketplace", "updated_at"])
    record_event("template.withdrawn", resource=template)
    return template


def _own(template: AgentTemplate) -> AgentTemplate:
    rows = AgentTemplate.objects.select_for_update(of=("self",)).filter(tenant_id=require_tenant_id())
    found = rows.filter(pk=template.pk).first()
    if found is None:
        raise ValidationError("This template is another organisation's.")
    return found  # type: ignore[no-any-return]


@transaction.atomic
def buy_template(template: AgentTemplate, *, actor: UUID, method: str) -> TemplatePurchase:
    """A purchase at the price on offer, to be paid; the one that is open already, where there is one.

    The database holds buyer, seller and price against the offer (`TemplatePurchase.row_security`).

    Raises:
        NotForSale: for a template that is not on sale, is one's own, or was bought.
    """
    tenant_id = require_tenant_id()
    if template.tenant_id == tenant_id:
        raise NotForSale("This template is your organisation's own.")
    if not template.is_marketplace or not template.price:
        raise NotForSale("This template is not for sale.")
    held = TemplatePurchase.objects.filter(tenant_id=tenant_id, template_id=template.pk)
    known = held.exclude(payment_status=PaymentStatus.REFUNDED).first()
    if known is not None:
        if known.payment_status == PaymentStatus.COMPLETED:
            raise NotForSale("Your organisation bought this template already.")
        return known  # type: ignore[no-any-return]
    purchase = TemplatePurchase(
        buyer_id=actor,
        template_id=template.pk,
        seller_tenant_id=template.tenant_id,
        seller_id=template.user_id,
        price=template.price,
        payment_method=method,
    )
    try:
        with transaction.atomic():
            purchase.save(force_insert=True)
    except IntegrityError:
        # Somebody of the organisation bought it at the same moment: one purchase serves both.
        open_one = held.filter(payment_status=PaymentStatus.PENDING).first()
        if open_one is None:
            raise
        return open_one  # type: ignore[no-any-return]
    record_event("template.bought", resource=purchase, metadata={"price": str(template.price)})
    return purchase


@transaction.atomic
def complete_purchase(purchase_id: UUID, *, transaction_id: str = "") -> TemplatePurchase:
    """Mark a purchase as paid, in the platform's scope; one that is paid already stays as it is.

    Raises:
        WrongState: when the money went back meanwhile.
    """
    purchase = _locked(purchase_id)
    if purchase.payment_status == PaymentStatus.COMPLETED:
        return purchase
    if purchase.payment_status != PaymentStatus.PENDING:
        raise WrongState("This purchase was refunded.")
    purchase.payment_status, purchase.paid_at = PaymentStatus.COMPLETED, timezone.now()
    purchase.transaction_id = transaction_id or purchase.transaction_id
    purchase.save(update_fields=["payment_status", "paid_at", "transaction_id", "updated_at"])
    record_event("purchase.completed", resource=purchase, metadata={"price": str(purchase.price)})
    return purchase


@transaction.atomic
def refund_purchase(purchase_id: UUID) -> TemplatePurchase:
    """Mark a paid purchase as refunded, in the platform's scope; one that is refunded already stays so.

    Raises:
        WrongState: when it was never paid.
    """
    purchase = _locked(purchase_id)
    if purchase.payment_status == PaymentStatus.REFUNDED:
        return purchase
    if purchase.payment_status != PaymentStatus.COMPLETED:
        raise WrongState("This purchase was not paid.")
    purchase.payment_status, purchase.refunded_at = PaymentStatus.REFUNDED, timezone.now()
    purchase.save(update_fields=["payment_status", "refunded_at", "updated_at"])
    record_event("purchase.refunded", resource=purchase, metadata={"price": str(purchase.price)})
    return purchase


def note_payment(purchase_id: UUID, transaction_id: str) -> None:
    """Keep the payment provider's id of a purchase that is being paid, in the platform's scope."""
    rows = TemplatePurchase.objects.filter(pk=purchase_id, payment_status=PaymentStatus.PENDING)
    rows.update(transaction_id=transaction_id, updated_at=timezone.now())


def _locked(purchase_id: UUID) -> TemplatePurchase:
    found: TemplatePurchase = TemplatePurchase.objects.select_for_update(of=("self",)).get(pk=purchase_id)
    return found


def balance_of_seller() -> dict[str, Decimal]:
    """What the scope's tenant earned with its templates: `sold`, `fees` and `payout` of paid purchases."""
    rows = TemplatePurchase.objects.filter(
        seller_tenant_id=require_tenant_id(), payment_status=PaymentStatus.COMPLETED
    )
    sums = rows.aggregate(sold=Sum("price"), fees=Sum("platform_fee"), payout=Sum("seller_payout"))
    return {name: value or Decimal("0.00") for name, value in sums.items()}
