"""Payment adapters for purchases: manual confirmation or Stripe.

An adapter calls its provider outside any transaction and stores nothing. The payment state always comes
from querying the provider; a webhook only triggers a query.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from agents.choices import PaymentStatus
from agents.models import TemplatePurchase
from agents.services.templates import PurchaseStateError, complete_purchase, record_payment, refund_purchase
from config.tenancy.scope import platform_scope

from .stripe import PaymentError, request_stripe, require_stripe, to_cents

SIGNATURE_TOLERANCE = 300
ACTOR = "system:payments"


class UnknownPaymentMethodError(PaymentError):
    """Raised when a purchase has an unknown payment method."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A pending payment: the provider's ID, the URL to pay at and instructions."""

    transaction_id: str
    url: str
    instructions: str


class PaymentAdapter(Protocol):
    """Interface of payment providers."""

    name: str

    def begin(self, purchase: TemplatePurchase) -> Payment:
        """Start a payment. Idempotent per purchase."""

    def is_paid(self, purchase: TemplatePurchase) -> bool:
        """Return whether the full price has been paid."""

    def refund(self, purchase: TemplatePurchase) -> None:
        """Refund the full price. Idempotent."""


class ManualAdapter:
    """Payment outside the platform, confirmed by an operator in the console."""

    name = "manual"

    def begin(self, purchase: TemplatePurchase) -> Payment:
        return Payment(
            "",
            "",
            f"Transfer {purchase.price} USD with the reference {purchase.pk}. An operator confirms the payment.",
        )

    def is_paid(self, purchase: TemplatePurchase) -> bool:
        return purchase.payment_status == PaymentStatus.COMPLETED

    def refund(self, purchase: TemplatePurchase) -> None:
        """Do nothing; the operator refunds the money."""


class StripeAdapter:
    """Stripe Checkout, through its HTTP API (docs.stripe.com/api).

    Accepts only test keys unless `settings.STRIPE_LIVE` is set.
    """

    name = "stripe"

    def __init__(self) -> None:
        require_stripe()

    def begin(self, purchase: TemplatePurchase) -> Payment:
        idempotency_key = f"buy-{purchase.pk}"
        if purchase.transaction_id:
            session = self._session(purchase)
            if session.get("status") != "expired":
                return self._payment(session)
            # An expired session cannot be paid; the new one needs a new idempotency key.
            idempotency_key += f"-after-{purchase.transaction_id}"
        return self._payment(self._new_session(purchase, idempotency_key))

    @staticmethod
    def _payment(session: dict[str, Any]) -> Payment:
        return Payment(str(session["id"]), str(session.get("url") or ""), "Pay at this URL.")

    def _new_session(self, purchase: TemplatePurchase, idempotency_key: str) -> dict[str, Any]:
        home = settings.PAYMENT_RETURN_URL
        return request_stripe(
            "POST",
            "/v1/checkout/sessions",
            idempotency_key=idempotency_key,
            fields={
                "mode": "payment",
                "client_reference_id": str(purchase.pk),
                "metadata[purchase]": str(purchase.pk),
                "line_items[0][quantity]": "1",
                "line_items[0][price_data][currency]": "usd",
                "line_items[0][price_data][unit_amount]": str(to_cents(purchase.price)),
                "line_items[0][price_data][product_data][name]": f"Template {purchase.template_id}",
                "success_url": f"{home}?purchase={purchase.pk}",
                "cancel_url": home,
            },
        )

    def is_paid(self, purchase: TemplatePurchase) -> bool:
        return bool(purchase.transaction_id) and self._paid(purchase, self._session(purchase))

    def refund(self, purchase: TemplatePurchase) -> None:
        session = self._session(purchase)
        fields = {"payment_intent": str(session["payment_intent"]), "metadata[purchase]": str(purchase.pk)}
        try:
            request_stripe("POST", "/v1/refunds", idempotency_key=f"refund-{purchase.pk}", fields=fields)
        except PaymentError as error:
            # Refunded before, by a process that died before it recorded the refund.
            if error.code != "charge_already_refunded":
                raise

    def _session(self, purchase: TemplatePurchase) -> dict[str, Any]:
        return request_stripe("GET", f"/v1/checkout/sessions/{purchase.transaction_id}")

    def _paid(self, purchase: TemplatePurchase, session: dict[str, Any]) -> bool:
        return (
            session.get("payment_status") == "paid"
            and session.get("currency") == "usd"
            and session.get("amount_total") == to_cents(purchase.price)
            and (session.get("metadata") or {}).get("purchase") == str(purchase.pk)
        )


def get_adapter(name: str = "") -> PaymentAdapter:
    """Return the named adapter, or the configured one if `name` is empty.

    Raises:
        UnknownPaymentMethodError: if there is no such adapter.
    """
    match name or settings.PAYMENT_ADAPTER:
        case "manual":
            return ManualAdapter()
        case "stripe":
            return StripeAdapter()
    raise UnknownPaymentMethodError("Unknown payment method.")


def begin_payment(purchase: TemplatePurchase) -> Payment:
    """Start the payment of a purchase and store the provider's ID.

    Raises:
        PaymentError: if the provider fails; the purchase stays pending and can be retried.
    """
    payment = get_adapter(purchase.payment_method).begin(purchase)
    if payment.transaction_id:
        with platform_scope(reason="record the payment of a template", actor=ACTOR):
            record_payment(purchase.pk, payment.transaction_id)
    return payment


def settle_purchase(purchase: TemplatePurchase) -> TemplatePurchase:
    """Complete a pending purchase if the provider reports it as paid.

    Completed and refunded purchases are not queried, since providers still report refunded payments as paid.

    Raises:
        PaymentError: if the provider cannot be queried.
    """
    if purchase.payment_status != PaymentStatus.PENDING:
        return purchase
    if not get_adapter(purchase.payment_method).is_paid(purchase):
        return purchase
    with platform_scope(reason="complete the purchase of a template", actor=ACTOR):
        try:
            return complete_purchase(purchase.pk)
        except PurchaseStateError:
            # Refunded while the provider was being queried.
            return TemplatePurchase.objects.get(pk=purchase.pk)


def refund_payment(purchase_id: UUID) -> None:
    """Refund a paid purchase, first at the provider and then in the ledger.

    Raises:
        PaymentError: if the provider fails; the ledger is not changed.
        PurchaseStateError: if the purchase was not paid.
    """
    with platform_scope(reason="refund the purchase of a template", actor=ACTOR):
        purchase = TemplatePurchase.objects.get(pk=purchase_id)
    if purchase.payment_status == PaymentStatus.COMPLETED:
        get_adapter(purchase.payment_method).refund(purchase)
    with platform_scope(reason="refund the purchase of a template", actor=ACTOR):
        refund_purchase(purchase_id)


def is_valid_stripe_signature(header: str, body: bytes, now: float | None = None) -> bool:
    """Return whether a webhook's signature (`Stripe-Signature: t=…,v1=…`) is valid and recent."""
    parts = [part.strip().partition("=")[::2] for part in header.split(",")]
    stamp = next((value for name, value in parts if name == "t"), "")
    if not settings.STRIPE_WEBHOOK_SECRET or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return False
    if abs((now or time.time()) - int(stamp)) > SIGNATURE_TOLERANCE:
        return False
    signed = hmac.new(settings.STRIPE_WEBHOOK_SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    expected = signed.hexdigest().encode()
    return any(hmac.compare_digest(expected, value.encode()) for name, value in parts if name == "v1")
