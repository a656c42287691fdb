"""Payments of subscriptions by Stripe: a paid invoice renews the subscription with its `external_id`."""

import logging
from decimal import Decimal

from django.core.exceptions import ValidationError

from config.tenancy.scope import platform_scope
from tenants.models import Subscription
from tenants.services.renewals import renew_subscription

from .stripe import request_stripe, require_stripe

logger = logging.getLogger(__name__)
ACTOR = "system:payments"


def settle_invoice(invoice_id: str) -> None:
    """Renew the subscription of an invoice if Stripe reports it as paid. Idempotent.

    A payment that does not fit the plan is logged and renews nothing.

    Raises:
        PaymentError: if Stripe cannot be queried.
    """
    require_stripe()
    invoice = request_stripe("GET", f"/v1/invoices/{invoice_id}")
    external_id = _get_subscription_id(invoice)
    if invoice.get("status") != "paid" or not external_id:
        return
    with platform_scope(reason="renew a subscription by its invoice", actor=ACTOR):
        subscription = Subscription.objects.filter(external_id=external_id).order_by("-started_at").first()
        if subscription is None:
            logger.warning("no subscription has the ID of invoice %s", invoice_id)
            return
        try:
            renew_subscription(
                subscription,
                transaction_id=invoice_id,
                amount=Decimal(int(invoice["amount_paid"])) / 100,
                currency=str(invoice["currency"]).upper(),
                method="stripe",
            )
        except ValidationError as error:
            logger.warning("invoice %s renews nothing: %s", invoice_id, "; ".join(error.messages))


def _get_subscription_id(invoice: dict[str, object]) -> str:
    """Return the ID of the invoice's subscription, at its place in newer or older versions of the API."""
    parent = invoice.get("parent")
    details = parent.get("subscription_details") if isinstance(parent, dict) else None
    found = details.get("subscription") if isinstance(details, dict) else invoice.get("subscription")
    return found if isinstance(found, str) else ""
