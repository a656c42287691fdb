"""Webhooks of payment providers.

A webhook is only a signed hint that a purchase changed; the provider is then queried for its state.
"""

import json
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from agents.models import TemplatePurchase
from agents.runtime.payments import ACTOR, PaymentError, is_valid_stripe_signature, settle_purchase
from config.api.body_limits import BodyLimit, accept_body
from config.api.exceptions import problem_response
from config.tenancy.scope import platform_scope

# Anyone can send a webhook, so little is received before the signature is checked.
WEBHOOK_BODY = BodyLimit(seconds=10, required_headers=("Stripe-Signature",), requires_length=True)


@accept_body(WEBHOOK_BODY)
@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Settle the purchase named in the event; acknowledge and ignore other events."""
    if not is_valid_stripe_signature(request.headers.get("Stripe-Signature", ""), request.body):
        return problem_response(
            request, 400, "invalid_signature", "The webhook signature is invalid or has expired."
        )
    purchase_id = _get_purchase_id(request.body)
    if purchase_id is None:
        return HttpResponse(status=204)
    with platform_scope(reason="look up the purchase named by a payment webhook", actor=ACTOR):
        purchase = TemplatePurchase.objects.filter(pk=purchase_id).first()
    try:
        if purchase is not None:
            settle_purchase(purchase)
    except PaymentError as error:
        return problem_response(request, 503, "payment_failed", str(error))
    return HttpResponse(status=204)


def _get_purchase_id(body: bytes) -> UUID | None:
    try:
        event = json.loads(body)
        if not event["type"].startswith("checkout.session."):
            return None
        return UUID(event["data"]["object"]["metadata"]["purchase"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
