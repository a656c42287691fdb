"""`Idempotency-Key`: a repeated POST gets the first one's answer (IETF draft idempotency-key-header).

The key's row is written in the transaction of the effect, so both stand or neither does. A second request
waits on the unique index until the first one's transaction ends, then replays it or does the work.
"""

import hashlib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from tenants.models import IdempotencyKey
from tenants.scoping import require_tenant_id

from .exceptions import Conflict, Invalid, Unprocessable

KEPT_HEADERS = ("Content-Type", "Location", "ETag")
MAX_KEY = 255
CLAIM = (
    "INSERT INTO tenants_idempotencykey (tenant_id, credential, key, fingerprint, headers)"
    " VALUES (%s, %s, %s, %s, '{}') ON CONFLICT (tenant_id, credential, key) DO UPDATE SET"
    " fingerprint = excluded.fingerprint, status_code = NULL, body = NULL, headers = '{}', created_at = now()"
    " WHERE tenants_idempotencykey.created_at < %s RETURNING id"
)


def key_of(request: HttpRequest) -> str:
    """The request's key, or an empty text.

    Raises:
        Invalid: when it is longer than the store takes or not printable ASCII.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if len(key) > MAX_KEY or not key.isascii() or not key.isprintable():
        raise Invalid(f"Idempotency-Key: at most {MAX_KEY} printable ASCII characters.", code="invalid_key")
    return key


def fingerprint(request: HttpRequest) -> str:
    """SHA-256 of method, full path and body."""
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()


def claim(credential: str, key: str, print_: str) -> HttpResponse | None:
    """Take the key for this request, inside the scope; an answer when one is stored already.

    Raises:
        Unprocessable: the key was used for another request.
        Conflict: the first request's work is not done yet (a view that commits in between).
    """
    cutoff = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEEP_HOURS)
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [require_tenant_id(), credential, key, print_, cutoff])
        if cursor.fetchone() is not None:
            return None
    row = IdempotencyKey.objects.filter(credential=credential, key=key).first()
    if row is None:
        # Let go between the two statements: the first request failed just now.
        raise Conflict(
            "The first request with this key failed just now; try again.", code="idempotency_in_progress"
        )
    if row.fingerprint != print_:
        raise Unprocessable(
            "This Idempotency-Key was used for another request.", code="idempotency_key_reused"
        )
    if row.status_code is None:
        raise Conflict("The first request with this key is still at work.", code="idempotency_in_progress")
    return _replay(row)


def _replay(row: IdempotencyKey) -> HttpResponse:
    response = HttpResponse(bytes(row.body or b""), status=row.status_code, headers=row.headers)
    response["Idempotency-Replayed"] = "true"
    return response


def store(credential: str, key: str, response: Any) -> None:
    """Keep the answer, inside the scope of its effect. Errors and streams are not kept."""
    rows = IdempotencyKey.objects.filter(credential=credential, key=key)
    if response.status_code >= 400 or response.streaming:
        rows.delete()
        return
    kept = {name: response[name] for name in KEPT_HEADERS if name in response}
    rows.update(status_code=response.status_code, headers=kept, body=response.content)


def release(credential: str, key: str) -> None:
    """Let the key go, inside a scope, after work that failed."""
    IdempotencyKey.objects.filter(credential=credential, key=key, status_code=None).delete()
