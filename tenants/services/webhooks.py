"""Webhook endpoints: their secrets and signatures, and the replay of deliveries."""

import base64
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from tenants.choices import DeliveryStatus
from tenants.models import WebhookEndpoint

# How long the previous secret signs too, after a rotation.
ROTATION_OVERLAP = timedelta(hours=24)
# Delays before the attempts after the first, in seconds; they add up to 24 hours.
RETRY_DELAYS = (5, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 28800)
MAX_ATTEMPTS = 1 + len(RETRY_DELAYS)


def generate_secret() -> str:
    """Return a new secret of 32 random bytes, as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def rotate_secret(endpoint: Any) -> str:
    """Give a locked endpoint a new secret and return it. The previous one signs too for `ROTATION_OVERLAP`."""
    secret = generate_secret()
    endpoint.previous_secret, endpoint.secret = endpoint.secret, secret
    endpoint.rotation_ends_at = timezone.now() + ROTATION_OVERLAP
    endpoint.save(update_fields=["secret", "previous_secret", "rotation_ends_at", "updated_at"])
    return secret


def signing_secrets(endpoint: WebhookEndpoint) -> list[str]:
    """Return the secrets that sign now, the current one first."""
    expires_at = endpoint.rotation_ends_at
    current: Any = endpoint.secret
    previous: Any = endpoint.previous_secret if expires_at and expires_at > timezone.now() else None
    return [current, previous] if previous else [current]


def signature_headers(secrets: Iterable[str], message_id: str, body: str) -> dict[str, str]:
    """Return the headers of the Standard Webhooks scheme, with one signature of each secret."""
    from standardwebhooks import Webhook

    sent_at = datetime.now(UTC)
    signatures = [Webhook(secret).sign(message_id, sent_at, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def replay_deliveries(deliveries: Any) -> int:
    """Queue the deliveries that succeeded or were given up again, and return their number.

    The webhook ID stays the same, so that a receiver recognizes an event that it has processed.
    """
    settled = deliveries.order_by().exclude(status=DeliveryStatus.PENDING)
    return int(
        settled.update(
            status=DeliveryStatus.PENDING,
            attempts_left=MAX_ATTEMPTS,
            next_attempt_at=timezone.now(),
            completed_at=None,
        )
    )
