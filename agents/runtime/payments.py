"""How purchases are paid: by hand, where an operator confirms them, or by Stripe.

An adapter talks to its provider and stores nothing; no transaction is open meanwhile. What it learns is believed
only when it asked for it: a webhook is a hint to ask again.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings

from agents.choices import PaymentStatus
from agents.models import TemplatePurchase
from agents.services.templates import WrongState, complete_purchase, note_payment, refund_purchase
from tenants.scoping import platform_scope

SECONDS = 20
TOLERANCE = 300
ACTOR = "system:payments"


class PaymentFailed(RuntimeError):
    """The payment provider could not be asked, or refused; the message holds nothing secret.

    `code` is the provider's own word for it, where it gave one.
    """

    code = ""


class UnknownPaymentMethod(PaymentFailed):
    """A purchase names a way of paying that there is not."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that is under way: the provider's own id, where to pay, and what to do."""

    transaction_id: str
    url: str
    instructions: str


class PaymentAdapter(Protocol):
    """A way of paying."""

    name: str

    def begin(self, purchase: TemplatePurchase) -> Payment:
        """Ask for the money; asked again for the same purchase it asks for no more."""

    def is_paid(self, purchase: TemplatePurchase) -> bool:
        """Whether the whole price arrived."""

    def refund(self, purchase: TemplatePurchase) -> None:
        """Give the whole price back; asked again it gives no more."""


class ManualAdapter:
    """Paid outside; an operator confirms it in the console."""

    name = "manual"

    def begin(self, purchase: TemplatePurchase) -> Payment:
        return Payment(
            "", "", f"Transfer {purchase.price} USD and name {purchase.pk}; it is confirmed by hand."
        )

    def is_paid(self, purchase: TemplatePurchase) -> bool:
        return purchase.payment_status == PaymentStatus.COMPLETED

    def refund(self, purchase: TemplatePurchase) -> None:
        """The operator gives the money back."""


class StripeAdapter:
    """Stripe's Checkout, by its HTTP interface (docs.stripe.com/api); with a test key unless live is allowed."""

    name = "stripe"

    def __init__(self) -> None:
        key = settings.STRIPE_SECRET_KEY
        if not key.startswith("sk_test_") and not settings.STRIPE_LIVE:
            raise PaymentFailed("Stripe is not set up: STRIPE_SECRET_KEY must be a test key.")

    def begin(self, purchase: TemplatePurchase) -> Payment:
        once = f"buy-{purchase.pk}"
        if purchase.transaction_id:
            known = self._session(purchase)
            if known.get("status") != "expired":
                return self._payment(known)
            # Nobody can pay by it any more; the next one asks in its place.
            once += f"-after-{purchase.transaction_id}"
        return self._payment(self._new_session(purchase, once))

    @staticmethod
    def _payment(session: dict[str, Any]) -> Payment:
        return Payment(str(session["id"]), str(session.get("url") or ""), "Pay at this address.")

    def _new_session(self, purchase: TemplatePurchase, once: str) -> dict[str, Any]:
        home = settings.PAYMENT_RETURN_URL
        return self._ask(
            "POST",
            "/v1/checkout/sessions",
            once,
            {
                "mode": "payment",
                "client_reference_id": str(purchase.pk),
                "metadata[purchase]": str(purchase.pk),
                "line_items[0][quantity]": "1",
                "line_items[0][price_data][currency]": "usd",
                "line_items[0][price_data][unit_amount]": str(_cents(purchase.price)),
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
            self._ask("POST", "/v1/refunds", f"refund-{purchase.pk}", fields)
        except PaymentFailed as error:
            # It went back already, before a process died that would have noted it.
            if error.code != "charge_already_refunded":
                raise

    def _session(self, purchase: TemplatePurchase) -> dict[str, Any]:
        return self._ask("GET", f"/v1/checkout/sessions/{purchase.transaction_id}")

    def _paid(self, purchase: TemplatePurchase, session: dict[str, Any]) -> bool:
        return (
            session.get("payment_status") == "paid"
            and session.get("currency") == "usd"
            and session.get("amount_total") == _cents(purchase.price)
            and (session.get("metadata") or {}).get("purchase") == str(purchase.pk)
        )

    def _ask(
        self, method: str, path: str, once: str = "", fields: dict[str, str] | None = None
    ) -> dict[str, Any]:
        import httpx2

        headers = {"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"}
        if once:
            headers["Idempotency-Key"] = once
        try:
            with httpx2.Client(timeout=SECONDS, trust_env=False) as client:
                response = client.request(method, settings.STRIPE_URL + path, headers=headers, data=fields)
            found = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise PaymentFailed("The payment provider cannot be reached.") from error
        if response.status_code >= 400 or not isinstance(found, dict):
            failed = PaymentFailed(f"The payment provider refused with status {response.status_code}.")
            reason = found.get("error") if isinstance(found, dict) else None
            failed.code = str(reason.get("code") or "") if isinstance(reason, dict) else ""
            raise failed
        return found


def _cents(price: Decimal) -> int:
    return int((price * 100).to_integral_value())


def adapter_for(name: str = "") -> PaymentAdapter:
    """The adapter that a purchase names, or the one that this installation uses.

    Raises:
        UnknownPaymentMethod: for one that there is not.
    """
    match name or settings.PAYMENT_ADAPTER:
        case "manual":
            return ManualAdapter()
        case "stripe":
            return StripeAdapter()
    raise UnknownPaymentMethod("There is no such way of paying.")


def begin_payment(purchase: TemplatePurchase) -> Payment:
    """Ask for the money of a purchase and keep the provider's id of it.

    Raises:
        PaymentFailed: when the provider does not take part; the purchase stays open and can be tried again.
    """
    payment = adapter_for(purchase.payment_method).begin(purchase)
    if payment.transaction_id:
        with platform_scope(reason="note the payment of a template", actor=ACTOR):
            note_payment(purchase.pk, payment.transaction_id)
    return payment


def settle(purchase: TemplatePurchase) -> TemplatePurchase:
    """Ask whether an open purchase was paid, and complete it when it was.

    One whose money came or went back is left as it is: providers go on calling a refunded payment paid.

    Raises:
        PaymentFailed: when the provider cannot be asked.
    """
    if purchase.payment_status != PaymentStatus.PENDING:
        return purchase
    if not adapter_for(purchase.payment_method).is_paid(purchase):
        return purchase
    with platform_scope(reason="complete the purchase of a template", actor=ACTOR):
        try:
            return complete_purchase(purchase.pk)
        except WrongState:
            # Refunded while the provider was asked.
            return TemplatePurchase.objects.get(pk=purchase.pk)


def give_back(purchase_id: UUID) -> None:
    """Refund a paid purchase, at the provider first and then in the ledger.

    Raises:
        PaymentFailed: when the provider does not; the ledger stays as it is.
        WrongState: when it was not paid.
    """
    with platform_scope(reason="refund the purchase of a template", actor=ACTOR):
        purchase = TemplatePurchase.objects.get(pk=purchase_id)
    if purchase.payment_status == PaymentStatus.COMPLETED:
        adapter_for(purchase.payment_method).refund(purchase)
    with platform_scope(reason="refund the purchase of a template", actor=ACTOR):
        refund_purchase(purchase_id)


def is_from_stripe(header: str, body: bytes, now: float | None = None) -> bool:
    """Whether a webhook's signature (`Stripe-Signature: t=…,v1=…`) is right and fresh."""
    parts = [part.strip().partition("=")[::2] for part in header.split(",")]
    stamp = next((value for name, value in parts if name == "t"), "")
    if not settings.STRIPE_WEBHOOK_SECRET or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return False
    if abs((now or time.time()) - int(stamp)) > TOLERANCE:
        return False
    signed = hmac.new(settings.STRIPE_WEBHOOK_SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    wanted = signed.hexdigest().encode()
    return any(hmac.compare_digest(wanted, value.encode()) for name, value in parts if name == "v1")
