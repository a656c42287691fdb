"""Counts of API requests, buffered in the process and written as meter events.

A statement per request would cost more than many requests. Requests are counted in memory and written every few
seconds, at the latest when the process exits. A killed process loses the requests of these seconds. Limits do not
depend on these counts but on leases (`config.api.request_leases`).
"""

import logging
import threading
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from multiprocessing import util
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, connections

from config.db.connections import release_pooled_connections
from config.db.errors import get_sqlstate
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope

from .constraint_errors import FOREIGN_KEY
from .credentials import Credential
from .request_leases import leases

logger = logging.getLogger(__name__)
ACTOR = "system:metering"
# Rows that wait while the database cannot be reached. More are dropped, and logged.
MAX_WAITING = 50_000
HOUR_SECONDS = 3600
# The ID makes a repeated write harmless, if the answer to the first one was lost.
WRITE = """
INSERT INTO tenants_meterevent (
  id, tenant_id, metric_type, quantity, events, occurred_at, user_id, key_id, engagement_id, service)
SELECT e.id, %s, 'api_calls', e.count, e.count, e.hour, e.user_id, e.key_id, e.engagement_id, e.service
FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[])
  AS e (id, count, hour, user_id, key_id, engagement_id, service) ON CONFLICT (id) DO NOTHING
"""


class RequestSource(NamedTuple):
    """Source of requests, with their hour in seconds since 1970."""

    tenant_id: UUID
    user_id: UUID
    key_id: UUID | None
    engagement_id: UUID | None
    service: str
    hour: int


class RequestBuffer:
    """Counts of requests that are not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._counts: Counter[RequestSource] = Counter()
        self._waiting: dict[UUID, tuple[RequestSource, int]] = {}
        self._thread: threading.Thread | None = None

    def add(self, source: RequestSource) -> None:
        """Count a request, and start the thread that writes the counts."""
        with self._lock:
            self._counts[source] += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, daemon=True, name="request-counts")
                self._thread.start()

    def flush(self) -> None:
        """Write the counts. What cannot be written waits for the next call."""
        with self._writing:
            with self._lock:
                counts, self._counts = self._counts, Counter()
            self._waiting |= {uuid7(): item for item in counts.items()}
            if (excess := len(self._waiting) - MAX_WAITING) > 0:
                self._drop(list(self._waiting)[:excess], "too many wait for the database")
            by_tenant: dict[UUID, dict[UUID, tuple[RequestSource, int]]] = defaultdict(dict)
            for key, row in self._waiting.items():
                by_tenant[row[0].tenant_id][key] = row
            for tenant_id, rows in by_tenant.items():
                self._write(tenant_id, rows)

    def _write(self, tenant_id: UUID, rows: dict[UUID, tuple[RequestSource, int]]) -> None:
        columns = [
            (
                key,
                count,
                datetime.fromtimestamp(source.hour, UTC),
                source.user_id,
                source.key_id,
                source.engagement_id,
                source.service,
            )
            for key, (source, count) in rows.items()
        ]
        try:
            with tenant_scope(tenant_id, actor=ACTOR), connection.cursor() as cursor:
                cursor.execute(WRITE, [tenant_id, *map(list, zip(*columns, strict=True))])
        except DatabaseError as error:
            if get_sqlstate(error) == FOREIGN_KEY:
                self._drop(rows, "the organisation was deleted")
                return
            logger.warning("request counts wait for the database: %s", error)
        else:
            for key in rows:
                del self._waiting[key]

    def _drop(self, keys: "list[UUID] | dict[UUID, tuple[RequestSource, int]]", reason: str) -> None:
        if lost := sum(self._waiting.pop(key)[1] for key in list(keys)):
            logger.error("%d counted requests are lost: %s", lost, reason)

    def _run(self) -> None:
        """Write until nothing waits."""
        try:
            while True:
                time.sleep(settings.REQUEST_COUNT_SECONDS)
                self.flush()
                leases.release()
                release_pooled_connections()
                with self._lock:
                    if not self._counts and not self._waiting and not leases.has_unused():
                        self._thread = None
                        return
        finally:
            connections.close_all()


_buffer = RequestBuffer()


def count_request(credential: Credential, resource: str) -> None:
    """Count a request of a credential for a resource of the API."""
    if settings.REQUEST_COUNT_SECONDS <= 0:
        return
    key_id = credential.id if credential.kind == "key" else None
    hour = int(time.time()) // HOUR_SECONDS * HOUR_SECONDS
    engagement_id = credential.engagement_id
    _buffer.add(
        RequestSource(credential.tenant_id, credential.user_id, key_id, engagement_id, resource, hour)
    )


def flush_request_counts() -> None:
    """Write the counted requests, and return the unused leases."""
    _buffer.flush()
    leases.release(everything=True)


# Unlike `atexit`, this also runs when a worker process of the server ends.
util.Finalize(None, flush_request_counts, exitpriority=10)
