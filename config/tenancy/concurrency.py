"""Limits of requests in progress, per process and tenant."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Self
from uuid import UUID

from django.conf import settings

from config.api.exceptions import Problem
from config.observability import metrics


class ConcurrencyLimitError(Problem):
    """The maximum number of such requests is in progress.

    It applies to the process, the tenant or the reader.
    """

    status_code = 429
    wait = 5


class ConcurrencyLimit:
    """Limit of requests of one kind in progress in this process.

    Args:
        code: the error code beyond the limit, with its message.
        per_process: name of the setting with the limit of the process.
        per_tenant: name of the setting with the limit of each tenant.
        per_reader: name of the setting with the limit of each `reader`.
        on_change: called with 1 and -1 when a request starts and ends.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        per_process: str,
        per_tenant: str,
        per_reader: str = "",
        on_change: Callable[[int], None] | None = None,
    ) -> None:
        self.code, self.message, self._on_change = code, message, on_change
        self.settings = {"process": per_process, "tenant": per_tenant, "reader": per_reader}
        self._lock = threading.Lock()
        self._open: Counter[tuple[str, Hashable]] = Counter()

    def acquire(self, tenant_id: UUID, *, reader: Hashable = None) -> "Place":
        """Return a place, which the caller releases.

        Args:
            reader: counted separately in addition, such as a user and the answer that they read.

        Raises:
            ConcurrencyLimitError: a limit is reached.
        """
        keys: list[tuple[str, Hashable]] = [("process", ""), ("tenant", tenant_id)]
        if reader is not None:
            keys.append(("reader", reader))
        with self._lock:
            if any(self._open[key] >= getattr(settings, self.settings[key[0]]) for key in keys):
                metrics.record_refused_request(429)
                raise ConcurrencyLimitError(self.message, self.code)
            self._open.update(keys)
        self._report(1)
        return Place(self, keys)

    def release(self, keys: list[tuple[str, Hashable]]) -> None:
        """Free the place with these keys."""
        with self._lock:
            self._open.subtract(keys)
            for key in keys:
                if not self._open[key]:
                    del self._open[key]
        self._report(-1)

    def _report(self, by: int) -> None:
        if self._on_change:
            self._on_change(by)


class Place:
    """A place of a `ConcurrencyLimit`, free after the block or after `release`."""

    def __init__(self, limit: ConcurrencyLimit, keys: list[tuple[str, Hashable]]) -> None:
        self._limit, self._keys = limit, keys
        self._lock = threading.Lock()

    def release(self) -> None:
        """Free the place, once."""
        with self._lock:
            keys, self._keys = self._keys, []
        if keys:
            self._limit.release(keys)

    def transfer(self) -> "Place":
        """Return the place to a new owner, which releases it instead of this block."""
        with self._lock:
            keys, self._keys = self._keys, []
        return Place(self._limit, keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
