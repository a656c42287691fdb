"""Places of jobs in the pool of threads while they wait for another service."""

import contextvars
import threading

import pytest

from config.serving import threads
from config.serving.threads import FairThreadPool, inside_pool, outside_pool

SECONDS = 10
CLIENT, OTHER = ("client", "127.0.0.1"), ("other", "127.0.0.2")


class Recorder:
    """Counts the calls that are in `work` at a time, and blocks them until `release`."""

    def __init__(self):
        self.released, self.entered = threading.Event(), threading.Semaphore(0)
        self._lock, self.count, self.most = threading.Lock(), 0, 0

    def work(self):
        with self._lock:
            self.count += 1
            self.most = max(self.most, self.count)
        self.entered.release()
        assert self.released.wait(SECONDS)
        with self._lock:
            self.count -= 1

    def wait_for(self, count):
        for _ in range(count):
            assert self.entered.acquire(timeout=SECONDS)

    @property
    def is_quiet(self):
        """Return whether no further call enters for a moment."""
        return not self.entered.acquire(timeout=0.1)


@pytest.fixture
def pool():
    """Pool of four threads, two of them for a client that is alone."""
    return FairThreadPool(4, waiting=64, name="test")


def test_jobs_outside_leave_their_places_to_others(pool):
    outside, inside = Recorder(), Recorder()

    def wait_outside():
        with outside_pool():
            outside.work()

    jobs = [pool.submit(*CLIENT, wait_outside) for _ in range(6)]
    outside.wait_for(6)
    jobs += [pool.submit(*CLIENT, inside.work)]
    inside.wait_for(1)
    for recorder in (outside, inside):
        recorder.released.set()
    for job in jobs:
        job.result(SECONDS)


def test_returning_jobs_wait_for_places_of_their_client(pool):
    outside, returned = Recorder(), Recorder()

    def wait_and_return():
        with outside_pool():
            outside.work()
        returned.work()

    jobs = [pool.submit(*CLIENT, wait_and_return) for _ in range(6)]
    outside.wait_for(6)
    outside.released.set()
    returned.wait_for(2)
    assert returned.is_quiet
    # Another client has places meanwhile.
    assert pool.submit(*OTHER, lambda: "done").result(SECONDS) == "done"
    returned.released.set()
    for job in jobs:
        job.result(SECONDS)
    assert returned.most == 2


def test_clients_that_share_the_pool_run_one_job_each():
    pool, jobs, running = FairThreadPool(8, waiting=64, name="test"), [], Recorder()
    jobs += [pool.submit(*OTHER, running.work)]
    jobs += [pool.submit(*CLIENT, running.work) for _ in range(4)]
    running.wait_for(2)
    assert running.is_quiet
    # Alone again after a second, the client has half of the places.
    running.wait_for(3)
    running.released.set()
    for job in jobs:
        job.result(SECONDS)
    assert running.most == 5


def test_threads_of_a_job_wait_for_places_of_its_client(pool):
    occupied, started = Recorder(), Recorder()
    started_threads = []

    def start_thread():
        def run():
            with inside_pool(), inside_pool():
                started.work()

        thread = threading.Thread(target=contextvars.copy_context().run, args=(run,))
        started_threads.append(thread)
        thread.start()

    pool.submit(*CLIENT, start_thread).result(SECONDS)
    started.wait_for(1)
    job = pool.submit(*CLIENT, occupied.work)
    occupied.wait_for(1)
    waiting = pool.submit(*CLIENT, start_thread)
    assert started.is_quiet
    occupied.released.set()
    started.released.set()
    job.result(SECONDS)
    waiting.result(SECONDS)
    for thread in started_threads:
        thread.join(SECONDS)
    assert pool.submit(*CLIENT, lambda: "done").result(SECONDS) == "done"


def test_connections_are_released_before_a_place_is_left(pool, monkeypatch):
    released = []
    monkeypatch.setattr(
        threads, "release_pooled_connections", lambda: released.append(pool._running[CLIENT[0]])
    )

    def wait_and_return():
        with outside_pool(), inside_pool():
            pass

    pool.submit(*CLIENT, wait_and_return).result(SECONDS)
    assert released == [1, 1]


def test_blocks_have_no_effect_outside_a_job():
    with inside_pool(), outside_pool():
        pass
