"""Two web processes: the death of one, and a reload, do not interrupt the service."""

import os
import signal
import sys
import threading
import time

import pytest

from config.testing.processes import list_web_workers
from config.testing.raw_http import RawConnection
from config.testing.web_server import run_web_server
from knowledge.tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]
CLIENTS = 3


class Readers:
    """Threads that read a list, each request on a new connection, and record the outcomes."""

    def __init__(self, port, secret):
        self.port, self.secret, self.outcomes = port, secret, []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._read) for _ in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    @property
    def lost(self):
        return [outcome for outcome in self.outcomes if outcome != 200]

    def _read(self):
        while not self.stopped.is_set():
            try:
                with RawConnection(self.port) as opened:
                    opened.send("GET /api/v1/agents/ HTTP/1.1", f"Authorization: Bearer {self.secret}")
                    self.outcomes.append(opened.read_response().status)
            except OSError as error:
                self.outcomes.append(repr(error))
            time.sleep(0.05)

    def wait_for_more(self, count):
        wanted = len(self.outcomes) + count
        wait_until(lambda: len(self.outcomes) >= wanted, progress=lambda: len(self.outcomes))


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    variables = {"WEB_WORKERS": "2", "CONCLAVE_WARM_UP": "0"}
    with django_db_blocker.unblock(), run_web_server(**variables) as running:
        yield running


@pytest.fixture
def secret(api_key):
    """The secret of a key that no rate limit stops, however long a reload takes."""
    return api_key(rate_limit=1_000_000).secret


def list_workers(server):
    return set(list_web_workers(server.process.pid))


def test_requests_are_answered_after_a_worker_is_killed(server, secret):
    wait_until(lambda: len(list_workers(server)) == 2, progress=lambda: list_workers(server))
    killed = min(list_workers(server))
    with Readers(server.port, secret) as readers:
        readers.wait_for_more(30)
        os.kill(killed, signal.SIGKILL)
        readers.wait_for_more(60)
        wait_until(lambda: len(list_workers(server) - {killed}) == 2, progress=lambda: list_workers(server))
        readers.wait_for_more(30)
    # Each client can lose the request that it has in progress in the killed worker.
    assert len(readers.lost) <= CLIENTS, readers.lost


def test_service_is_available_during_a_reload(server, secret):
    wait_until(lambda: len(list_workers(server)) == 2, progress=lambda: list_workers(server))
    old = list_workers(server)
    with Readers(server.port, secret) as readers:
        readers.wait_for_more(10)
        os.kill(server.process.pid, signal.SIGHUP)
        least, most = [], []

        def is_reloaded():
            # Workers end and start while they are listed. Those in both lists run at the same time.
            first, second = list_workers(server), list_workers(server)
            least.append(len(first | second))
            most.append(len(first & second))
            return second.isdisjoint(old)

        wait_until(is_reloaded, progress=lambda: list_workers(server))
        readers.wait_for_more(20)
    assert min(least) >= 2
    assert max(most) == 3
    # An old worker may close a connection that it has accepted before the request arrives.
    assert len(readers.lost) <= CLIENTS, readers.lost
    assert not [outcome for outcome in readers.lost if "Refused" in str(outcome)]
