"""Idempotent POST requests by the header `Idempotency-Key` (IETF draft idempotency-key-header).

The key's row is written in the same transaction as the effect, so both are committed or neither is. A second
request waits on the unique index until the first transaction ends, then replays its response or runs.

A request that commits before its response exists stores a reference to the rows that it created. If its process dies,
a repeated request builds the response from the referenced rows, once they are complete.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from config.tenancy.scope import require_scope

from .exceptions import Conflict, Invalid, Unprocessable

KEPT_HEADERS = ("Content-Type", "Location", "ETag")
MAX_KEY = 255
# Larger responses of requests in steps are not stored: embeddings may have 70 MB.
MAX_STORED_BYTES = 4 * 1024 * 1024
BegunT = TypeVar("BegunT")
# `{table}` is the table of the model that the setting IDEMPOTENCY_KEY_MODEL names.
CLAIM = (
    "INSERT INTO {table} (tenant_id, credential, key, fingerprint, headers)"
    " VALUES (%s, %s, %s, %s, '{{}}') ON CONFLICT (tenant_id, credential, key) DO UPDATE SET"
    " fingerprint = excluded.fingerprint, status_code = NULL, body = NULL, headers = '{{}}', reference = NULL,"
    " created_at = now() WHERE {table}.created_at < %s RETURNING id"
)


def _key_model() -> Any:
    return apps.get_model(settings.IDEMPOTENCY_KEY_MODEL)


class RequestInProgress(Conflict):
    """The first request with the key has no response yet."""

    default_detail = "A request with this Idempotency-Key is still in progress. Send the request again later."
    default_code = "idempotency_in_progress"
    # Seconds of the header `Retry-After`.
    wait = 2


class ResumableResponse(ABC, Generic[BegunT]):
    """A response to a request that commits before the response exists.

    `begin` and `describe` run in the transaction that claims the key, the others outside of any scope, except
    `can_resume`.
    """

    @abstractmethod
    def begin(self) -> BegunT:
        """Store the rows that the response depends on."""

    @abstractmethod
    def describe(self, begun: BegunT) -> dict[str, Any]:
        """Return the reference to the stored rows, as JSON."""

    @abstractmethod
    def finish(self, begun: BegunT) -> Any:
        """Return the response."""

    @abstractmethod
    def resume(self, reference: dict[str, Any]) -> Any:
        """Return the response of an earlier request, from the rows that it stored.

        Raises:
            RequestInProgress: the rows are not complete yet.
        """

    @abstractmethod
    def can_resume(self, reference: dict[str, Any]) -> bool:
        """Return, in the open scope, whether a response exists or can still be completed."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """The row of a key, with what an earlier request stored in it."""

    row_id: UUID
    response: HttpResponse | None = None
    reference: dict[str, Any] | None = None


class IdempotentRequest:
    """A request whose effect happens once per Idempotency-Key, or every time without the header.

    Args:
        credential: the actor that sends the request; each has its own keys.
        fingerprint: identifies the request; by default the hash of method, path, engagement and body.
        engagement_id: the engagement to which the request is limited.

    Raises:
        Invalid: The key is too long or not printable ASCII.
    """

    def __init__(
        self,
        request: HttpRequest,
        credential: str,
        fingerprint: str = "",
        *,
        engagement_id: UUID | None = None,
    ) -> None:
        self.key = request.META.get("HTTP_IDEMPOTENCY_KEY", "").strip() if request.method == "POST" else ""
        if len(self.key) > MAX_KEY or not self.key.isascii() or not self.key.isprintable():
            raise Invalid(
                f"Idempotency-Key: at most {MAX_KEY} printable ASCII characters.", code="invalid_key"
            )
        self.credential = credential
        self.fingerprint = fingerprint or (_fingerprint(request, engagement_id) if self.key else "")

    def run(
        self, respond: Callable[[], Any], *, keep: Callable[[Any], Any] = lambda response: response
    ) -> Any:
        """Return the stored response, or call `respond` and store what it returns, in the open scope.

        Args:
            keep: returns the response to store, which a repeated request receives.
        """
        if not self.key:
            return respond()
        claim = _claim(self.credential, self.key, self.fingerprint)
        if claim.response is not None:
            return claim.response
        response = respond()
        _store(claim.row_id, keep(response))
        return response

    def run_in_steps(
        self, scope: Callable[[], AbstractContextManager[Any]], resumable: ResumableResponse[Any]
    ) -> Any:
        """Return the stored response, or run or resume a request that commits before its response exists.

        Streamed and large responses are not stored: a repeated request resumes them. If the request fails or its
        response is large, and it cannot be resumed, the key is released, so that a retry runs the request again.

        Args:
            scope: opens a transaction in the tenant's scope.
        """
        if not self.key:
            with scope():
                begun = resumable.begin()
            return resumable.finish(begun)
        with scope():
            claim = _claim(self.credential, self.key, self.fingerprint)
            if claim.response is not None:
                return claim.response
            if claim.reference is None:
                begun = resumable.begin()
                reference = resumable.describe(begun)
                respond = partial(resumable.finish, begun)
                _rows(claim.row_id).update(reference=reference)
            else:
                reference, respond = claim.reference, partial(resumable.resume, claim.reference)
        try:
            response = respond()
        except RequestInProgress:
            raise
        except BaseException:
            with scope():
                _release(claim.row_id, resumable, reference)
            raise
        if not response.streaming:
            with scope():
                is_large = len(response.content) > MAX_STORED_BYTES
                _release(claim.row_id, resumable, reference) if is_large else _store(claim.row_id, response)
        return response


def _fingerprint(request: HttpRequest, engagement_id: UUID | None) -> str:
    """SHA-256 of method, full path, engagement and body."""
    limited = f" {engagement_id}" if engagement_id else ""
    head = f"{request.method} {request.get_full_path()}{limited}\n".encode()
    return hashlib.sha256(head + request.body).hexdigest()


def _claim(credential: str, key: str, print_: str) -> _Claim:
    """Claim the key for this request, inside the scope.

    Returns:
        The new claim, or the claim of an earlier request with its response or its reference.

    Raises:
        Unprocessable: The key was used for a different request.
        RequestInProgress: The first request is still in progress (in a view that commits more than once).
    """
    model, tenant_id = _key_model(), require_scope().tenant_id
    cutoff = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_KEEP_HOURS)
    with connection.cursor() as cursor:
        cursor.execute(CLAIM.format(table=model._meta.db_table), [tenant_id, credential, key, print_, cutoff])
        claimed = cursor.fetchone()
    if claimed is not None:
        return _Claim(claimed[0])
    row = model.objects.filter(tenant_id=tenant_id, credential=credential, key=key).first()
    if row is None:
        # Released between the two statements, because the first request failed.
        raise RequestInProgress("The first request with this Idempotency-Key failed. Send the request again.")
    if row.fingerprint != print_:
        raise Unprocessable(
            "This Idempotency-Key was already used for a different request.", code="idempotency_key_reused"
        )
    if row.status_code is None and row.reference is None:
        raise RequestInProgress
    return _Claim(row.pk, _replay(row) if row.status_code else None, row.reference)


def _replay(row: Any) -> HttpResponse:
    response = HttpResponse(bytes(row.body or b""), status=row.status_code, headers=row.headers)
    response["Idempotency-Replayed"] = "true"
    return response


def _rows(row_id: UUID) -> Any:
    return _key_model().objects.filter(pk=row_id)


def _release(row_id: UUID, resumable: ResumableResponse[Any], reference: dict[str, Any]) -> None:
    """Delete the key, inside the scope, unless a repeated request can resume the first one."""
    if not resumable.can_resume(reference):
        _rows(row_id).filter(status_code=None).delete()


def _store(row_id: UUID, response: Any) -> None:
    """Store the response, inside the scope of its effect. Errors and streams are not stored."""
    rows = _rows(row_id)
    if response.status_code >= 400 or response.streaming:
        rows.delete()
        return
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    rows.update(status_code=response.status_code, headers=headers, body=response.content)
