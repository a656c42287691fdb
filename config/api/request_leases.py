"""The limits on API requests of tenants, checked in memory.

A statement for each request would cost more than many requests. A process leases requests from the counts of the
tenant (`tenants.request_limits`) and takes them from memory. An unused lease is returned after a few seconds, and when
the process exits. A killed process loses its lease: the requests count as used.
"""

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from config.db.prepared import run_prepared

from .credentials import Rate
from .exceptions import Problem

logger = logging.getLogger(__name__)
MOST = 100
# A full limit is asked again after this time: it may have been raised, or another process may have returned a lease.
REFUSED_SECONDS = 1.0
LEASE_SQL = """
SELECT granted, limited_by, ceiling, used, plan, resets_at, moment FROM conclave_lease_requests(%s, %s, %s, %s)
"""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class RequestLimitError(Problem):
    """The tenant has used the API requests of its plan or quota."""

    status_code = 429
    default_code = "limit_exceeded"
    rate: Rate | None = None
    wait: int | None = None


class LeaseTerms(NamedTuple):
    """Answer of the database: the requests granted (None: no limit), and the tightest limit."""

    granted: int | None = None
    limited_by: str = ""
    limit: int = 0
    used: int = 0
    plan: str | None = None
    resets_at: datetime | None = None
    moment: datetime = LONG_AGO

    @property
    def seconds_left(self) -> float:
        """Return the seconds from the answer to the end of the period."""
        return (self.resets_at - self.moment).total_seconds() if self.resets_at else float("inf")


NO_TERMS = LeaseTerms()


@dataclass
class RequestLease:
    """The lease of a tenant in this process."""

    terms: LeaseTerms = NO_TERMS
    left: int = 0
    began: float = 0.0
    until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self, tenant_id: UUID) -> None:
        """Return what is left and lease again."""
        given_back, self.left = self.left, 0
        row = run_prepared(LEASE_SQL, [tenant_id, given_back, self.terms.moment, MOST], proved=False)[0]
        self.terms = LeaseTerms(*row)
        self.left = self.terms.granted or 0
        self.began = time.monotonic()
        seconds = REFUSED_SECONDS if self.terms.granted == 0 else settings.REQUEST_LEASE_SECONDS
        self.until = self.began + min(seconds, self.terms.seconds_left)

    def give_back(self, tenant_id: UUID) -> None:
        """Return what is left."""
        if self.left:
            run_prepared(LEASE_SQL, [tenant_id, self.left, self.terms.moment, 0], proved=False)
        self.left, self.until = 0, 0.0

    def rate(self) -> Rate:
        """Return the state of the tightest limit."""
        terms = self.terms
        reset = int(min(terms.seconds_left - (time.monotonic() - self.began), 10**9))
        return Rate(terms.used - self.left, terms.limit, max(reset, 0))

    def refusal(self) -> RequestLimitError:
        """Return the error for a request beyond the limit."""
        terms = self.terms
        span = {"day": "of this day", "month": "of this month"}.get(terms.limited_by, "")
        error = RequestLimitError(
            f"The organisation has used its {terms.limit} API requests {span}".rstrip() + ".",
            resource="requests",
            limit=terms.limit,
            used=terms.used,
            plan=terms.plan,
            resets_at=terms.resets_at and terms.resets_at.isoformat(),
        )
        error.rate = self.rate()
        error.wait = error.rate.reset if terms.resets_at else None
        return error


class RequestLeases:
    """The leases of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[UUID, RequestLease] = {}

    def take(self, tenant_id: UUID) -> Rate | None:
        """Count a request and return the state of the tightest limit, or None without one.

        Raises:
            RequestLimitError: the limit is reached.
        """
        with self._lock:
            lease = self._leases.setdefault(tenant_id, RequestLease())
        with lease.lock:
            expired = time.monotonic() >= lease.until
            if expired or (lease.left <= 0 and lease.terms.granted):
                lease.renew(tenant_id)
            if lease.terms.granted is None:
                return None
            if lease.left <= 0:
                raise lease.refusal()
            lease.left -= 1
            return lease.rate()

    def release(self, *, everything: bool = False) -> None:
        """Return the unused leases that expired, or all of them."""
        if not self.has_unused():
            return
        with self._lock:
            leases = list(self._leases.items())
        try:
            # Requests wait for the locks of their leases, so wait for a connection before.
            connection.ensure_connection()
            for tenant_id, lease in leases:
                with lease.lock:
                    if everything or time.monotonic() >= lease.until:
                        lease.give_back(tenant_id)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("unused leases of requests wait for the database: %s", error)
            # The next call connects again.
            connection.close()

    def has_unused(self) -> bool:
        """Return whether a lease has requests left."""
        with self._lock:
            return any(lease.left for lease in self._leases.values())


leases = RequestLeases()


def take_request(tenant_id: UUID) -> Rate | None:
    """Count a request against the limits of its tenant.

    Raises:
        RequestLimitError: a limit is reached.
    """
    return leases.take(tenant_id) if settings.REQUEST_LEASE_SECONDS > 0 else None
