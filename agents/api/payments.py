"""Webhooks of payment providers.

A webhook is only a signed hint that a purchase or an invoice changed; the provider is then queried for its state.
"""

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from agents.models import TemplatePurchase
from agents.runtime.invoices import settle_invoice
from agents.runtime.payments import ACTOR, is_valid_stripe_signature, settle_purchase
from agents.runtime.stripe import PaymentError
from config.api.body_limits import BodyLimit, accept_body
from config.api.exceptions import problem_response
from config.tenancy.scope import platform_scope

# Anyone can send a webhook, so little is received before the signature is checked.
WEBHOOK_BODY = BodyLimit(seconds=10, required_headers=("Stripe-Signature",), requires_length=True)


@accept_body(WEBHOOK_BODY)
@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Settle the purchase or the invoice named in the event; acknowledge and ignore other events."""
    if not is_valid_stripe_signature(request.headers.get("Stripe-Signature", ""), request.body):
        return problem_response(
            request, 400, "invalid_signature", "The webhook signature is invalid or has expired."
        )
    try:
        _settle(request.body)
    except PaymentError as error:
        return problem_response(request, 503, "payment_failed", str(error))
    return HttpResponse(status=204)


def _settle(body: bytes) -> None:
    kind, named = _parse_event(body)
    if kind.startswith("checkout.session."):
        purchase_id = _get_purchase_id(named)
        with platform_scope(reason="look up the purchase named by a payment webhook", actor=ACTOR):
            purchase = TemplatePurchase.objects.filter(pk=purchase_id).first() if purchase_id else None
        if purchase is not None:
            settle_purchase(purchase)
    elif kind == "invoice.paid":
        invoice_id = named.get("id")
        if isinstance(invoice_id, str) and invoice_id.isascii() and invoice_id.replace("_", "").isalnum():
            settle_invoice(invoice_id)


def _parse_event(body: bytes) -> tuple[str, dict[str, Any]]:
    """Return the type of an event and the object that it names."""
    try:
        event = json.loads(body)
        kind, named = event["type"], event["data"]["object"]
    except (ValueError, KeyError, TypeError):
        return "", {}
    return (kind, named) if isinstance(kind, str) and isinstance(named, dict) else ("", {})


def _get_purchase_id(session: dict[str, Any]) -> UUID | None:
    try:
        return UUID(session["metadata"]["purchase"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
