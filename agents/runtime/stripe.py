"""Requests to Stripe's HTTP API (docs.stripe.com/api)."""

from decimal import Decimal
from typing import Any

from django.conf import settings

TIMEOUT_SECONDS = 20
# Conflicts of idempotency keys and rate limits; the request can be repeated.
TEMPORARY = frozenset({409, 429})


class PaymentError(RuntimeError):
    """Raised when the payment provider is unreachable or refuses; the message contains no secrets.

    `code` is the provider's error code, if any. `is_refused` says that the provider refused to act, which a refused
    lookup does not: an earlier attempt may have succeeded.
    """

    code = ""
    is_refused = False


def to_cents(amount: Decimal) -> int:
    """Return an amount in the smallest unit of its currency, as Stripe expects it."""
    return int((amount * 100).to_integral_value())


def require_stripe() -> None:
    """Check that a key is set, and that it is a test key unless `settings.STRIPE_LIVE` is set.

    Raises:
        PaymentError: if Stripe is not configured.
    """
    if not settings.STRIPE_SECRET_KEY.startswith("sk_test_") and not settings.STRIPE_LIVE:
        raise PaymentError("Stripe is not configured: STRIPE_SECRET_KEY must be a test key.")


def request_stripe(
    method: str, path: str, *, idempotency_key: str = "", fields: dict[str, str] | None = None
) -> dict[str, Any]:
    """Send a request and return the object in the response.

    Args:
        fields: Parameters, in the query of a GET and in the body of a POST.

    Raises:
        PaymentError: if Stripe is unreachable or refuses the request.
    """
    import httpx2

    headers = {"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}"}
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    sent: dict[str, Any] = {"params": fields} if method == "GET" else {"data": fields}
    try:
        with httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            response = client.request(method, settings.STRIPE_URL + path, headers=headers, **sent)
        body = response.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise PaymentError("The payment provider is unreachable.") from error
    if response.status_code >= 400 or not isinstance(body, dict):
        status = response.status_code
        failed = PaymentError(f"The payment provider refused the request with status {status}.")
        reason = body.get("error") if isinstance(body, dict) else None
        failed.code = str(reason.get("code") or "") if isinstance(reason, dict) else ""
        failed.is_refused = method == "POST" and 400 <= status < 500 and status not in TEMPORARY
        raise failed
    return body
