"""Sending of webhooks: claim a batch, send it, record the results.

A claim commits before anything is sent. It counts the attempt and moves `next_attempt_at` behind the time limit of the
batch, so that no other worker sends the same attempt, and a worker that dies is followed by another attempt.
"""

import asyncio
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection
from django.utils import timezone
from psycopg.types.json import Jsonb

from config.http.retry_after import parse_retry_after
from config.http.ssrf import guarded_client
from config.tenancy.scope import require_tenant_id, tenant_scope
from tenants.choices import DeliveryStatus
from tenants.models import WebhookEndpoint
from tenants.services.webhooks import RETRY_DELAYS, signature_headers, signing_secrets

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Response

ACTOR = "system:webhooks"
BATCH_SIZE = 100
CONCURRENCY = 20
ATTEMPT_SECONDS = 10.0
# Longer than a batch can take: BATCH_SIZE / CONCURRENCY * (ATTEMPT_SECONDS + RESPONSE_SECONDS).
CLAIM_SECONDS = 120
JOB_SECONDS = 20.0
# A receiver can delay an attempt by `Retry-After`, but not beyond the longest delay.
MAX_DELAY = float(max(RETRY_DELAYS))
MAX_RESPONSE_BYTES = 1024
RESPONSE_SECONDS = 2.0
LOGGED_ATTEMPTS = 20

CLAIM_SQL = """
WITH due AS MATERIALIZED (
  SELECT d.id, o.data, o.created_at FROM tenants_webhookdelivery d
  LEFT JOIN tenants_outboxevent o ON o.tenant_id = d.tenant_id AND o.id = d.event_id
  WHERE d.tenant_id = %(tenant)s AND d.endpoint_id = %(endpoint)s AND d.status = 'pending'
    AND d.next_attempt_at <= statement_timestamp()
  ORDER BY d.next_attempt_at, d.id LIMIT %(limit)s FOR UPDATE OF d SKIP LOCKED
)
UPDATE tenants_webhookdelivery d SET attempt_count = d.attempt_count + 1,
  attempts_left = greatest(d.attempts_left - 1, 0),
  next_attempt_at = statement_timestamp() + %(seconds)s * interval '1 second'
FROM due WHERE d.tenant_id = %(tenant)s AND d.id = due.id
RETURNING d.id, d.attempt_count, d.attempts_left, d.event_id, d.event_type, due.created_at, due.data::text
"""
# A result of an attempt that another worker took over changes nothing.
RECORD_SQL = f"""
UPDATE tenants_webhookdelivery d SET status = r.status, response_status = r.response_status, error = r.error,
  completed_at = CASE WHEN r.status <> 'pending' THEN statement_timestamp() END,
  next_attempt_at = CASE WHEN r.status = 'pending'
    THEN statement_timestamp() + r.delay * interval '1 second' ELSE d.next_attempt_at END,
  attempts = jsonb_path_query_array(d.attempts || r.entry, '$[last - {LOGGED_ATTEMPTS - 1} to last]')
FROM jsonb_to_recordset(%(results)s) AS r (id uuid, attempt int, status text, response_status int, error text,
  delay float8, entry jsonb)
WHERE d.tenant_id = %(tenant)s AND d.id = r.id AND d.attempt_count = r.attempt AND d.status = 'pending'
"""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """One attempt of a delivery, with the event. `data` is JSON text, or None if the event was dropped."""

    id: UUID
    attempt: int
    attempts_left: int
    event_id: UUID
    event_type: str
    created_at: datetime | None
    data: str | None

    def body(self) -> str:
        """Return the body of the request, the same in each attempt."""
        data = orjson.Fragment(self.data or "null")
        payload = {"type": self.event_type, "timestamp": self.created_at, "data": data}
        return orjson.dumps(payload, option=orjson.OPT_UTC_Z).decode()


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The response to an attempt, or why there is none."""

    delivery: ClaimedDelivery
    status: int | None = None
    error: str = ""
    response: str = ""
    milliseconds: int = 0
    retry_after: float = 0.0

    @property
    def is_gone(self) -> bool:
        """Return whether the receiver says that it wants no more events."""
        return self.status == HTTPStatus.GONE

    @property
    def state(self) -> str:
        if not self.error:
            return DeliveryStatus.SUCCEEDED
        is_final = self.delivery.data is None or self.is_gone
        return DeliveryStatus.DEAD if is_final or not self.delivery.attempts_left else DeliveryStatus.PENDING

    def delay(self) -> float:
        """Return the seconds until the next attempt, with up to 10 % of jitter."""
        if not self.delivery.attempts_left:
            return 0.0
        step = len(RETRY_DELAYS) - self.delivery.attempts_left
        seconds = max(RETRY_DELAYS[max(step, 0)], min(self.retry_after, MAX_DELAY))
        return seconds * random.uniform(1, 1.1)  # noqa: S311

    def as_row(self) -> dict[str, Any]:
        """Return the parameters of `RECORD_SQL`."""
        entry = {
            "at": timezone.now().isoformat(),
            "status": self.status,
            "milliseconds": self.milliseconds,
            "error": self.error,
            "response": self.response,
        }
        return {
            "id": str(self.delivery.id),
            "attempt": self.delivery.attempt,
            "status": str(self.state),
            "response_status": self.status,
            "error": self.error,
            "delay": self.delay(),
            "entry": entry,
        }


def deliver_pending(tenant_id: UUID, endpoint_id: UUID, *, seconds: float = JOB_SECONDS) -> int:
    """Send the due deliveries of an endpoint for at most about `seconds`, and return the number of attempts.

    Call it outside any scope: no transaction is open while requests are sent. It stops early when no request of a batch
    got a response.
    """
    until, sent = time.monotonic() + seconds, 0
    with asyncio.Runner() as runner:
        client = runner.run(_open_client())
        try:
            while time.monotonic() < until:
                with tenant_scope(tenant_id, actor=ACTOR):
                    url, secrets, batch = claim_deliveries(endpoint_id)
                if not batch:
                    break
                results = runner.run(_send_batch(client, url, secrets, batch))
                with tenant_scope(tenant_id, actor=ACTOR):
                    record_results(results)
                    if any(result.is_gone for result in results):
                        disable_endpoint(endpoint_id, url=url)
                sent += len(results)
                if all(result.status is None for result in results):
                    break
        finally:
            runner.run(client.aclose())
    return sent


def claim_deliveries(
    endpoint_id: UUID, *, limit: int = BATCH_SIZE
) -> tuple[str, list[str], list[ClaimedDelivery]]:
    """Claim due deliveries of an enabled endpoint; return its URL, its secrets and the claimed attempts."""
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id, is_enabled=True).first()
    if endpoint is None:
        return "", [], []
    parameters: dict[str, Any] = {
        "tenant": require_tenant_id(),
        "endpoint": endpoint_id,
        "limit": limit,
        "seconds": CLAIM_SECONDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_SQL, parameters)
        claimed = [ClaimedDelivery(*row) for row in cursor.fetchall()]
    return endpoint.url, signing_secrets(endpoint), sorted(claimed, key=lambda each: each.id)


def record_results(results: Iterable[AttemptResult]) -> None:
    """Store the results of attempts. Requires a tenant scope."""
    rows = Jsonb([result.as_row() for result in results])
    with connection.cursor() as cursor:
        cursor.execute(RECORD_SQL, {"tenant": require_tenant_id(), "results": rows})  # type: ignore[dict-item]


def disable_endpoint(endpoint_id: UUID, *, url: str) -> None:
    """Disable an endpoint whose receiver is gone, unless its URL changed meanwhile. Requires a tenant scope."""
    WebhookEndpoint.objects.filter(pk=endpoint_id, url=url, is_enabled=True).update(is_enabled=False)


async def _open_client() -> "AsyncClient":
    return guarded_client(settings.FETCH_NETWORKS, keepalive=CONCURRENCY, timeout=ATTEMPT_SECONDS)


async def _send_batch(
    client: "AsyncClient", url: str, secrets: list[str], batch: list[ClaimedDelivery]
) -> list[AttemptResult]:
    places = asyncio.Semaphore(CONCURRENCY)

    async def send(delivery: ClaimedDelivery) -> AttemptResult:
        async with places:
            return await send_delivery(client, url, secrets, delivery)

    return list(await asyncio.gather(*map(send, batch)))


async def send_delivery(
    client: "AsyncClient", url: str, secrets: list[str], delivery: ClaimedDelivery
) -> AttemptResult:
    """Send one request. It follows no redirect and reads only the start of the response."""
    import httpx2

    if delivery.data is None:
        return AttemptResult(delivery, error="The event has expired.")
    body, began, response = delivery.body(), time.perf_counter(), None
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Conclave-Webhooks/1",
        "Accept-Encoding": "identity",
        **signature_headers(secrets, str(delivery.event_id), body),
    }
    try:
        async with asyncio.timeout(ATTEMPT_SECONDS):
            client.cookies.clear()
            request = client.build_request("POST", url, content=body.encode(), headers=headers)
            response = await client.send(request, stream=True, follow_redirects=False)
        text = await _read_start(response)
    except TimeoutError:
        error = "The endpoint did not respond in time."
    except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, OSError):
        # The same message for forbidden and unreachable addresses, so that it does not reveal the internal network.
        # httpx2 does not wrap `ssl.SSLError` after the handshake.
        error = "The endpoint cannot be reached."
    else:
        wait = parse_retry_after(response.headers.get("Retry-After", "")) or 0.0
        return AttemptResult(delivery, response.status_code, _refusal(response), text, _elapsed(began), wait)
    finally:
        if response is not None:
            with suppress(OSError, httpx2.HTTPError):
                await response.aclose()
    return AttemptResult(delivery, error=error, milliseconds=_elapsed(began))


def _elapsed(began: float) -> int:
    """Return the milliseconds since `began`, a value of `time.perf_counter`."""
    return int((time.perf_counter() - began) * 1000)


def _refusal(response: "Response") -> str:
    """Return why a response is not a success, or an empty string."""
    if response.is_success:
        return ""
    if 300 <= response.status_code < 400:
        return f"The endpoint redirects (HTTP {response.status_code}). Enter its final URL."
    if response.status_code == HTTPStatus.GONE:
        return "The endpoint is gone (HTTP 410). It was disabled."
    return f"The endpoint answered with HTTP {response.status_code}."


async def _read_start(response: "Response") -> str:
    """Return the start of the body. The status counts, so a body that is slow or broken is cut."""
    import httpx2

    read = b""
    try:
        async with asyncio.timeout(RESPONSE_SECONDS):
            async for piece in response.aiter_raw(MAX_RESPONSE_BYTES):
                read += piece
                if len(read) > MAX_RESPONSE_BYTES:
                    break
    except (OSError, httpx2.HTTPError):
        pass
    return read[:MAX_RESPONSE_BYTES].decode("utf-8", "replace").replace("\x00", "")
