"""Signatures of received webhooks: Standard Webhooks, and the form of GitHub."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from workflows.choices import WebhookScheme
from workflows.schemas import WebhookTrigger

MAX_ID_LENGTH = 200
GITHUB_HEADER = "X-Hub-Signature-256"


def verify_signature(
    settings: WebhookTrigger, secrets: Sequence[str], headers: Mapping[str, str], body: bytes
) -> str | None:
    """Return the key that identifies replays of the webhook, or None if no secret signed the request.

    Args:
        headers: request headers; names in any case.
    """
    headers = {name.lower(): value for name, value in headers.items()}
    if settings.scheme == WebhookScheme.GITHUB:
        names = (GITHUB_HEADER.lower(), settings.header.lower())
        signatures = [headers[name] for name in names if name in headers]
        return _verify_github(secrets, signatures, body)
    return _verify_standard(secrets, headers, body)


def _verify_standard(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> str | None:
    from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

    webhook_id = headers.get("webhook-id", "")
    # A full stop separates the signed parts: with one in the ID, a signature could fit another ID and body.
    if not 0 < len(webhook_id) <= MAX_ID_LENGTH or "." in webhook_id:
        return None
    verified = False
    for secret in secrets:
        try:
            Webhook(secret).verify(body, dict(headers), json_parse=False)
            verified = True
        # Malformed signatures, and bodies that are not UTF-8, raise ValueError.
        except (WebhookVerificationError, EmptyWebhookSecretError, ValueError):
            continue
    return webhook_id if verified else None


def _verify_github(secrets: Sequence[str], signatures: Sequence[str], body: bytes) -> str | None:
    """Verify `sha256=<hex>`.

    The signature covers the body alone. The delivery ID is not signed, so a replay could name another one: the digest
    of the body is the key.
    """
    expected = [f"sha256={hmac.digest(secret.encode(), body, 'sha256').hex()}" for secret in secrets]
    matches = [
        hmac.compare_digest(each.encode(), signature.encode())
        for each in expected
        for signature in signatures
    ]
    return f"sha256:{hashlib.sha256(body).hexdigest()}" if any(matches) else None
