"""A pool of threads that serves clients in turn."""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any

from config.db.connections import release_pooled_connections
from config.serving.errors import ServerBusy, TooManyWaiting

IDLE_SECONDS = 30
# Clients share the pool for this time after the requests of two clients followed each other.
SHARED_SECONDS = 1.0
# One client may run a part of the jobs: one of 8 while others send requests, one of 2 otherwise.
SHARED_PARTS, ALONE_PARTS = 8, 2


@dataclass(eq=False, slots=True)
class Job:
    """A call that waits for a thread or runs in one."""

    client: str
    address: str
    call: Callable[[], Any]
    pool: "FairThreadPool"
    future: Future[Any] = field(default_factory=Future)
    thread: int = 0
    has_place: bool = False

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        self.thread = threading.get_ident()
        _current_job.set(self)
        try:
            result = self.call()
        except BaseException as error:  # noqa: BLE001 - the event loop handles it
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


_current_job: ContextVar[Job | None] = ContextVar("conclave_current_job", default=None)


@contextmanager
def outside_pool() -> Iterator[None]:
    """Free the place of the current job during the block, and wait for a place at its end.

    The block waits for another service. Connections return to their pool: jobs that hold places may wait for them.
    The thread is added to those of the pool, so the caller limits how many are in such a block.
    """
    job = _current_job.get()
    # Threads that a job starts inherit its context, but do not occupy its place.
    if job is None or job.thread != threading.get_ident() or not job.has_place:
        yield
        return
    release_pooled_connections()
    job.pool.leave(job)
    try:
        yield
    finally:
        job.pool.enter(job)


@contextmanager
def inside_pool() -> Iterator[None]:
    """Wait for a place in the pool, and occupy it during the block.

    Has no effect outside a job and in a job that has a place. In a thread that a job started, the place counts for
    the client of the job.
    """
    job = _current_job.get()
    if job is None:
        yield
        return
    if job.thread != threading.get_ident():
        job = Job(job.client, job.address, job.call, job.pool, thread=threading.get_ident())
        _current_job.set(job)
    if job.has_place:
        yield
        return
    job.pool.enter(job)
    try:
        yield
    finally:
        release_pooled_connections()
        job.pool.leave(job)


class FairThreadPool:
    """Pool of daemon threads that serves clients in turn.

    Threads start on demand.

    Args:
        threads: jobs that run at a time. One client runs at most half of them, and an eighth while there are others.
        waiting: jobs that wait, in total; one client may have a quarter of them, and one address half.
    """

    def __init__(self, threads: int, *, waiting: int, name: str) -> None:
        self.threads, self.waiting, self.name = threads, waiting, name
        self.waiting_per_client = max(1, waiting // 4)
        # Clients that present different keys share the limit of their address, which may be a proxy's.
        self.waiting_per_address = max(1, waiting // 2)
        self._changed = threading.Condition()
        self._queues: OrderedDict[str, deque[Job]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._returning: list[tuple[Job, threading.Event]] = []
        self._active = self._idle = self._queued = 0
        self._last_client, self._alternated = "", -SHARED_SECONDS

    def submit(self, client: str, address: str, call: Callable[[], Any]) -> Future[Any]:
        """Return the future of a call, which runs in an empty context.

        Raises:
            TooManyWaiting: too many jobs of the client or its address wait.
            ServerBusy: too many jobs wait.
        """
        with self._changed:
            is_over = self._waiting[address] >= self.waiting_per_address
            if is_over or len(self._queues.get(client, ())) >= self.waiting_per_client:
                raise TooManyWaiting
            if self._queued >= self.waiting:
                raise ServerBusy
            if client != self._last_client:
                if self._last_client:
                    self._alternated = time.monotonic()
                self._last_client = client
            job = Job(client, address, call, self)
            self._queues.setdefault(client, deque()).append(job)
            self._waiting[address] += 1
            self._queued += 1
            self._wake()
        return job.future

    def leave(self, job: Job) -> None:
        """Free the place of a running job."""
        with self._changed:
            self._uncount(job)
            self._wake()

    def enter(self, job: Job) -> None:
        """Wait for a place for a running job. It precedes the jobs that have not started."""
        allowed = threading.Event()
        with self._changed:
            self._returning.append((job, allowed))
            self._wake()
        while not allowed.wait(SHARED_SECONDS):
            with self._changed:
                self._wake()

    def _has_share(self, client: str) -> bool:
        """Return whether a client may run another job."""
        # The threads share one interpreter: eight jobs of one client would delay each statement of another.
        is_shared = time.monotonic() - self._alternated < SHARED_SECONDS
        return self._running[client] < max(1, self.threads // (SHARED_PARTS if is_shared else ALONE_PARTS))

    def _count(self, job: Job) -> None:
        job.has_place = True
        self._active += 1
        self._running[job.client] += 1

    def _uncount(self, job: Job) -> None:
        job.has_place = False
        self._active -= 1
        self._running[job.client] -= 1
        if not self._running[job.client]:
            del self._running[job.client]

    def _wake(self) -> None:
        """Give free places to returning jobs, and let a thread take the next job."""
        for job, allowed in list(self._returning):
            if self._active < self.threads and self._has_share(job.client):
                self._returning.remove((job, allowed))
                self._count(job)
                allowed.set()
        if not self._queued or self._active >= self.threads:
            return
        if self._idle:
            self._changed.notify()
        else:
            self._idle += 1
            threading.Thread(target=self._run, daemon=True, name=self.name).start()

    def _take(self) -> Job | None:
        """Return the next job that may run, or None."""
        if self._active >= self.threads:
            return None
        for client, queue in self._queues.items():
            if self._has_share(client):
                job = queue.popleft()
                self._queued -= 1
                self._waiting[job.address] -= 1
                if not self._waiting[job.address]:
                    del self._waiting[job.address]
                if queue:
                    self._queues.move_to_end(client)
                else:
                    del self._queues[client]
                self._count(job)
                return job
        return None

    def _run(self) -> None:
        while True:
            with self._changed:
                while (job := self._take()) is None:
                    # The share of a client grows with time, which notifies nobody.
                    seconds = SHARED_SECONDS if self._queued else IDLE_SECONDS
                    if not self._changed.wait(seconds) and not self._queued:
                        self._idle -= 1
                        return
                self._idle -= 1
                # Another job may be able to run, too.
                self._wake()
            try:
                Context().run(job.run)
            finally:
                with self._changed:
                    self._uncount(job)
                    self._idle += 1
                    self._wake()
            del job
