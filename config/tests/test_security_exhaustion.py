"""Attacks that occupy the web server: unfinished bodies and heads, and many requests of one client."""

import contextlib
import time

import pytest

from config.testing.raw_http import RawConnection, open_unfinished_bodies
from config.testing.web_server import is_responding, run_web_server

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
THREADS = 4
# Time within which the health endpoint must answer during an attack.
SECONDS = 3
WEBHOOK = ("POST /webhooks/stripe HTTP/1.1", "Stripe-Signature: t=1,v1=0")
CHAT = "POST /api/v1/conversations/ HTTP/1.1"
PER_CLIENT = 32


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), run_web_server(WEB_THREADS=str(THREADS)) as running:
        yield running


@pytest.fixture
def bearer(api_key):
    return f"Authorization: Bearer {api_key().secret}"


@contextlib.contextmanager
def closing_all(connections):
    """Close the connections after the block."""
    try:
        yield connections
    finally:
        for each in connections:
            each.socket.close()


def is_unavailable(server):
    return not is_responding(f"{server.url}/healthz", SECONDS)


def open_unfinished_heads(port, count):
    """Open connections that never complete their headers."""
    found = [RawConnection(port) for _ in range(count)]
    for each in found:
        each.socket.sendall(b"GET /api/v1/agents/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    return found


def count_refused(connections):
    """Return how many of the connections were answered before their body was complete."""
    refused = 0
    for each in connections:
        each.socket.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            refused += each.socket.recv(12).startswith(b"HTTP/1.1 429")
    return refused


@pytest.mark.security("exhaustion")
def test_unfinished_webhooks_leave_the_server_available(server, attacks):
    with closing_all(open_unfinished_bodies(server.port, 45, *WEBHOOK)):
        attacks.attempt("health check unanswered", succeeded=is_unavailable(server))
        attacks.attempt("readiness unanswered", succeeded=not is_responding(f"{server.url}/readyz", 5))


@pytest.mark.security("exhaustion")
def test_unfinished_bodies_of_one_key_are_limited(server, attacks, bearer, api_client):
    with closing_all(open_unfinished_bodies(server.port, 60, CHAT, bearer)) as opened:
        attacks.attempt("health check unanswered", succeeded=is_unavailable(server))
        time.sleep(0.5)
        accepted = len(opened) - count_refused(opened)
        attacks.attempt("more bodies than the limit", succeeded=accepted > PER_CLIENT)
        # A request of another client is served meanwhile.
        with RawConnection(server.port) as other:
            secret = api_client().key.secret
            other.send("GET /api/v1/agents/ HTTP/1.1", f"Authorization: Bearer {secret}")
            attacks.attempt("other client not served", succeeded=other.read_response().status != 200)


@pytest.mark.security("exhaustion")
def test_unfinished_heads_leave_the_server_available(server, attacks):
    with closing_all(open_unfinished_heads(server.port, 300)):
        attacks.attempt(succeeded=is_unavailable(server))


@pytest.mark.security("exhaustion", mutation=True)
def test_bodies_read_in_threads_make_the_server_unavailable(attacks, transactional_db):
    with (
        run_web_server(module="config.testing.wsgi_server", WEB_THREADS=str(THREADS)) as server,
        closing_all(open_unfinished_bodies(server.port, 45, *WEBHOOK)),
    ):
        time.sleep(0.5)
        attacks.attempt(succeeded=is_unavailable(server))


@pytest.mark.security("exhaustion", mutation=True)
def test_bodies_are_accepted_without_the_limit(attacks, bearer):
    with (
        run_web_server(WEB_THREADS=str(THREADS), UNFINISHED_BODIES_PER_CLIENT="1000") as server,
        closing_all(open_unfinished_bodies(server.port, 60, CHAT, bearer)) as opened,
    ):
        time.sleep(0.5)
        attacks.attempt(succeeded=len(opened) - count_refused(opened) > PER_CLIENT)
