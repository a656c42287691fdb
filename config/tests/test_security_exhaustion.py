"""Attacks that occupy the web server by unfinished or many requests."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from rest_framework.exceptions import APIException

from agents.testing import FakeOpenAI, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.serving.errors import ServerBusy
from config.serving.threads import FairThreadPool
from config.tenancy.scope import tenant_scope
from config.testing.raw_http import RawConnection, open_unfinished_bodies
from config.testing.web_server import is_responding, run_web_server

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
THREADS = 4
# Time within which the health endpoint must answer during an attack.
SECONDS = 3
WEBHOOK = ("POST /webhooks/stripe HTTP/1.1", "Stripe-Signature: t=1,v1=0")
CHAT = "POST /api/v1/conversations/ HTTP/1.1"
PER_CLIENT = 32
MODEL_REQUESTS, FOLLOWERS = 3, 2
# The agent library is not loaded in the background, so that response times do not depend on it.
VARIABLES = {"WEB_THREADS": str(THREADS), "CONCLAVE_WARM_UP": "0"}
LIMITS = {"MODEL_REQUESTS_PER_TENANT": str(MODEL_REQUESTS), "STREAMS_PER_READER": str(FOLLOWERS)}
LIFTED = dict.fromkeys(
    (
        "MODEL_REQUESTS_PER_PROCESS",
        "MODEL_REQUESTS_PER_TENANT",
        "STREAMS_PER_READER",
        "UNFINISHED_BODIES_PER_CLIENT",
    ),
    "1000",
)


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), run_web_server(**VARIABLES, **LIMITS) as running:
        yield running


@pytest.fixture(scope="module")
def unlimited_server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), run_web_server(**VARIABLES, **LIFTED) as running:
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
        run_web_server(module="config.testing.wsgi_server", **VARIABLES) as server,
        closing_all(open_unfinished_bodies(server.port, 45, *WEBHOOK)),
    ):
        time.sleep(0.5)
        attacks.attempt(succeeded=is_unavailable(server))


@pytest.mark.security("exhaustion", mutation=True)
def test_bodies_are_accepted_without_the_limit(unlimited_server, attacks, bearer):
    with closing_all(open_unfinished_bodies(unlimited_server.port, 60, CHAT, bearer)) as opened:
        time.sleep(0.5)
        attacks.attempt(succeeded=len(opened) - count_refused(opened) > PER_CLIENT)


class HeldModel(FakeOpenAI):
    """A model that answers when `released` is set."""

    def __init__(self):
        super().__init__(say("At noon."))
        self.released = threading.Event()

    def take(self, request):
        reply = super().take(request)
        self.released.wait(30)
        return reply


@pytest.fixture
def held_model(tenant):
    """A held model and its agent `guide` in `tenant`."""
    with HeldModel() as model:
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(base_url=model.base_url)
            common = {"model_provider": "openai-compatible", "model_name": "m"}
            AgentFactory(slug="guide", integration=account, **common)
        yield model
        model.released.set()


def chat_at_once(server, model, secret, count, *, meanwhile=lambda: 0):
    """Send chats until all wait or are refused, and return the responses.

    The model is released when all wait.
    """
    body = {"agent": "guide", "message": "When is high water?"}
    headers = {"Authorization": f"Bearer {secret}"}
    url = f"{server.url}/api/v1/conversations/"
    refused = []

    def send(_):
        response = requests.post(url, json=body, headers=headers, timeout=60)
        if response.status_code == 429:
            refused.append(response)
        return response

    with ThreadPoolExecutor(count) as pool:
        sent = [pool.submit(send, number) for number in range(count)]
        end = time.monotonic() + 20
        while len(model.requests) + len(refused) < count and time.monotonic() < end:
            time.sleep(0.05)
        waiting, slow = len(model.requests), meanwhile()
        model.released.set()
        return waiting, slow, [each.result() for each in sent]


def time_list(server, secret):
    """Return the seconds that a list takes."""
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {secret}"}
    assert requests.get(f"{server.url}/api/v1/agents/", headers=headers, timeout=30).status_code == 200
    return time.monotonic() - began


@pytest.mark.security("exhaustion")
def test_chats_of_a_tenant_are_limited(server, attacks, held_model, api_key, other_tenant):
    neighbour = api_key(tenant=other_tenant).secret
    waiting, seconds, responses = chat_at_once(
        server, held_model, api_key().secret, 60, meanwhile=lambda: time_list(server, neighbour)
    )
    attacks.attempt("more requests than the limit reach the model", succeeded=waiting > MODEL_REQUESTS)
    attacks.attempt("a neighbour's list is delayed", succeeded=seconds > SECONDS)
    refused = [each for each in responses if each.status_code == 429]
    assert len(refused) == 60 - MODEL_REQUESTS
    assert {each.json()["code"] for each in refused} <= {"too_many_model_requests", "too_many_requests"}
    assert all(int(each.headers["Retry-After"]) for each in refused)
    assert {each.status_code for each in responses} == {201, 429}


@pytest.mark.security("exhaustion", mutation=True)
def test_chats_reach_the_model_without_the_limit(unlimited_server, attacks, held_model, api_key):
    waiting, _, _ = chat_at_once(unlimited_server, held_model, api_key().secret, 20)
    attacks.attempt(succeeded=waiting > MODEL_REQUESTS)


def count_followers(server, model, secret, count):
    """Follow a streamed answer `count` times and return followers and statuses."""
    headers = {"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"}
    with requests.Session() as session:
        session.headers.update(headers)
        url = f"{server.url}/api/v1/conversations/"
        conversation = session.post(
            url, json={"agent": "guide"}, timeout=20, headers={"Accept": "*/*"}
        ).json()
        path = f"{url}{conversation['id']}/messages/"
        first = session.post(path, json={"content": "When is high water?"}, stream=True, timeout=30)
        lines = first.iter_lines()
        answer = (
            next(line for line in lines if line.startswith(b"data:")).split(b'"message":"')[1][:36].decode()
        )
        opened = [session.get(f"{path}{answer}/stream/", stream=True, timeout=30) for _ in range(count)]
        model.released.set()
        assert any(b"message.completed" in line for line in lines)
        return [each.status_code for each in opened]


@pytest.mark.security("exhaustion")
def test_followers_of_an_answer_are_limited(server, attacks, held_model, api_key):
    statuses = count_followers(server, held_model, api_key().secret, 8)
    attacks.attempt(succeeded=statuses.count(200) > FOLLOWERS)
    assert set(statuses) == {200, 429}


@pytest.mark.security("exhaustion", mutation=True)
def test_followers_are_accepted_without_the_limit(unlimited_server, attacks, held_model, api_key):
    statuses = count_followers(unlimited_server, held_model, api_key().secret, 8)
    attacks.attempt(succeeded=statuses.count(200) > FOLLOWERS)


def wait_with_invented_keys(pool, attacks):
    """Occupy the pool, queue calls of one address with a new key each, and attempt to exclude another address."""
    occupied, release = threading.Event(), threading.Event()

    def occupy():
        occupied.set()
        release.wait()

    pool.submit("first", "192.0.2.3", occupy)
    assert occupied.wait(10)
    try:
        for number in range(pool.waiting):
            with contextlib.suppress(APIException):
                pool.submit(f"key {number}", "192.0.2.1", release.wait)
        try:
            pool.submit("honest", "192.0.2.2", release.wait)
        except ServerBusy:
            attacks.attempt(succeeded=True)
        else:
            attacks.attempt(succeeded=False)
    finally:
        release.set()


@pytest.mark.security("exhaustion")
def test_invented_keys_of_an_address_leave_room_for_others(attacks):
    wait_with_invented_keys(FairThreadPool(1, waiting=8, name="test"), attacks)


@pytest.mark.security("exhaustion", mutation=True)
def test_invented_keys_take_all_turns_without_the_limit(attacks):
    pool = FairThreadPool(1, waiting=8, name="test")
    pool.waiting_per_address = pool.waiting
    wait_with_invented_keys(pool, attacks)
