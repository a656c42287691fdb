"""Idempotent POST requests by the header `Idempotency-Key` (IETF draft idempotency-key-header).

The key's row is written in the same transaction as the effect, so both are committed or neither is. A second
request waits on the unique index until the first transaction ends, then replays its response or runs.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, TypeVar

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from config.tenancy.scope import require_tenant_id

from .exceptions import Conflict, Invalid, Unprocessable

KEPT_HEADERS = ("Content-Type", "Location", "ETag")
MAX_KEY = 255
BegunT = TypeVar("BegunT")
# `{table}` is the table of the model that the setting IDEMPOTENCY_KEY_MODEL names.
CLAIM = (
    "INSERT INTO {table} (tenant_id, credential, key, fingerprint, headers)"
    " VALUES (%s, %s, %s, %s, '{{}}') ON CONFLICT (tenant_id, credential, key) DO UPDATE SET"
    " fingerprint = excluded.fingerprint, status_code = NULL, body = NULL, headers = '{{}}', created_at = now()"
    " WHERE {table}.created_at < %s RETURNING id"
)


def _key_model() -> Any:
    return apps.get_model(settings.IDEMPOTENCY_KEY_MODEL)


class IdempotentRequest:
    """A request whose effect happens once per Idempotency-Key, or every time without the header.

    Args:
        credential: the actor that sends the request; each has its own keys.
        fingerprint: identifies the request; by default the hash of method, path and body.

    Raises:
        Invalid: The key is too long or not printable ASCII.
    """

    def __init__(self, request: HttpRequest, credential: str, fingerprint: str = "") -> None:
        self.key = request.META.get("HTTP_IDEMPOTENCY_KEY", "").strip() if request.method == "POST" else ""
        if len(self.key) > MAX_KEY or not self.key.isascii() or not self.key.isprintable():
            raise Invalid(
                f"Idempotency-Key: at most {MAX_KEY} printable ASCII characters.", code="invalid_key"
            )
        self.credential = credential
        self.fingerprint = fingerprint or (_fingerprint(request) if self.key else "")

    def run(
        self, respond: Callable[[], Any], *, keep: Callable[[Any], Any] = lambda response: response
    ) -> Any:
        """Return the stored response, or call `respond` and store what it returns, in the open scope.

        Args:
            keep: returns the response to store, which a repeated request receives.
        """
        if not self.key:
            return respond()
        stored = _claim(self.credential, self.key, self.fingerprint)
        if stored is not None:
            return stored
        response = respond()
        _store(self.credential, self.key, keep(response))
        return response

    def run_in_steps(
        self,
        scope: Callable[[], AbstractContextManager[Any]],
        begin: Callable[[], BegunT],
        finish: Callable[[BegunT], Any],
    ) -> Any:
        """Return the stored response, or run a request that commits before its response exists.

        Args:
            scope: opens a transaction in the tenant's scope.
            begin: the first effect, in the transaction that claims the key.
            finish: returns the response, outside any transaction. If it fails, the key is released, so that a
                retry runs the request again.
        """
        with scope():
            stored = _claim(self.credential, self.key, self.fingerprint) if self.key else None
            if stored is not None:
                return stored
            state = begin()
        if not self.key:
            return finish(state)
        try:
            response = finish(state)
            with scope():
                _store(self.credential, self.key, response)
        except BaseException:
            with scope():
                _release(self.credential, self.key)
            raise
        return response


def _fingerprint(request: HttpRequest) -> str:
    """SHA-256 of method, full path and body."""
    head = f"{request.method} {request.get_full_path()}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()


def _claim(credential: str, key: str, print_: str) -> HttpResponse | None:
    """Claim the key for this request, inside the scope; return the stored response if there is one.

    Raises:
        Unprocessable: The key was used for a different request.
        Conflict: The first request is still in progress (in a view that commits more than once).
    """
    model = _key_model()
    cutoff = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEEP_HOURS)
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM.format(table=model._meta.db_table), [require_tenant_id(), credential, key, print_, cutoff]
        )
        if cursor.fetchone() is not None:
            return None
    row = model.objects.filter(credential=credential, key=key).first()
    if row is None:
        # Released between the two statements, because the first request failed.
        raise Conflict(
            "The first request with this Idempotency-Key failed. Send the request again.",
            code="idempotency_in_progress",
        )
    if row.fingerprint != print_:
        raise Unprocessable(
            "This Idempotency-Key was already used for a different request.", code="idempotency_key_reused"
        )
    if row.status_code is None:
        raise Conflict(
            "A request with this Idempotency-Key is still in progress.", code="idempotency_in_progress"
        )
    return _replay(row)


def _replay(row: Any) -> HttpResponse:
    response = HttpResponse(bytes(row.body or b""), status=row.status_code, headers=row.headers)
    response["Idempotency-Replayed"] = "true"
    return response


def _store(credential: str, key: str, response: Any) -> None:
    """Store the response, inside the scope of its effect. Errors and streams are not stored."""
    rows = _key_model().objects.filter(credential=credential, key=key)
    if response.status_code >= 400 or response.streaming:
        rows.delete()
        return
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    rows.update(status_code=response.status_code, headers=headers, body=response.content)


def _release(credential: str, key: str) -> None:
    """Release the key, inside a scope, after a failed request."""
    _key_model().objects.filter(credential=credential, key=key, status_code=None).delete()
