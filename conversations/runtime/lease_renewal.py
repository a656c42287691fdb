"""A thread per process that renews leases and stores the text of running answers.

The thread has one connection for all turns, so a turn needs none during a request to a model.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections

from config.db.connections import release_pooled_connections
from config.tenancy.scope import tenant_scope
from conversations.models import StreamEvent
from conversations.runtime.stream_buffer import StreamBuffer
from conversations.services.leases import Lease, held_tokens, renew

# Minimum interval between writes of text; readers in this process do not wait for them.
STORE_SECONDS = 0.1
ACTOR = "system:stream"
logger = logging.getLogger(__name__)


class LeaseRenewer:
    """Renews the leases of this process and stores its running answers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._leases: dict[UUID, tuple[Lease, float]] = {}
        self._live: dict[UUID, StreamBuffer] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def renewing(self, lease: Lease) -> Iterator[None]:
        """Renew `lease` during the block. May be nested."""
        with self._changed:
            outer = self._leases.get(lease.token)
            self._leases[lease.token] = outer or (lease, time.monotonic() + self._interval())
            self._start()
        try:
            yield
        finally:
            if outer is None:
                with self._changed:
                    self._leases.pop(lease.token, None)

    @contextmanager
    def publishing(self, live: StreamBuffer) -> Iterator[None]:
        """Register `live` for readers during the block."""
        answer_id = live.lease.message_id
        with self._changed:
            self._live[answer_id] = live
        try:
            yield
        finally:
            with self._changed:
                if self._live.get(answer_id) is live:
                    del self._live[answer_id]

    def get_buffer(self, answer_id: UUID) -> StreamBuffer | None:
        """Return the buffer of an answer that this process is generating."""
        return self._live.get(answer_id)

    def _interval(self) -> float:
        return settings.ANSWER_LEASE_SECONDS / 3

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, daemon=True, name="lease-renewal")
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._leases:
                    connections.close_all()
                    self._changed.wait_for(lambda: self._leases)
            # A connection held between ticks would be one fewer for the threads that answer.
            release_pooled_connections()
            time.sleep(STORE_SECONDS)
            try:
                self.tick()
            except Exception:
                # The database may be unavailable for a while; the next tick retries.
                logger.warning("leases or texts could not be stored", exc_info=True)
                connections.close_all()
                time.sleep(1)

    def tick(self) -> None:
        """Renew the leases that are due and store new text."""
        with self._changed:
            now = time.monotonic()
            due = [lease for lease, moment in self._leases.values() if moment <= now]
            for lease in due:
                self._leases[lease.token] = (lease, now + self._interval())
            unstored = [live for live in self._live.values() if live.is_unstored]
        for tenant_id, leases in _group_by_tenant(due, lambda lease: lease.tenant_id):
            with tenant_scope(tenant_id, actor=ACTOR):
                renew(leases)
        for tenant_id, lives in _group_by_tenant(unstored, lambda live: live.lease.tenant_id):
            _store_text(tenant_id, lives)


def _store_text(tenant_id: UUID, lives: list[StreamBuffer]) -> None:
    """Store the new text of these answers, which belong to one tenant."""
    free = [live for live in lives if live.storing.acquire(blocking=False)]
    try:
        with tenant_scope(tenant_id, actor=ACTOR):
            tokens = held_tokens([live.lease for live in free])
            pieces = [(live, live.piece()) for live in free if live.lease.token in tokens]
            StreamEvent.objects.bulk_create([piece for _, piece in pieces if piece])
        for live, piece in pieces:
            if piece:
                live.mark_stored(piece)
    finally:
        for live in free:
            live.storing.release()


def _group_by_tenant(things: Iterable[Any], key: Callable[[Any], UUID]) -> list[tuple[UUID, list[Any]]]:
    return [(tenant, list(group)) for tenant, group in groupby(sorted(things, key=key), key)]


lease_renewer = LeaseRenewer()
