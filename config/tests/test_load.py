"""A tenant that occupies the server with slow chats, streams and unfinished bodies does not stop another."""

import asyncio
import json
import sys
import threading
import time
from dataclasses import dataclass

import pytest

from agents.testing import FakeOpenAI, ScriptedReply
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from config.testing.latency import measure_latency
from config.testing.raw_http import open_unfinished_bodies
from config.testing.web_server import run_web_server
from conversations.tests.factories import ConversationFactory

CHATS, STREAMS, BODIES = 200, 60, 100
MODEL_SECONDS, LOAD_SECONDS = 1.5, 12
ROWS, QUIET_SECONDS = 50, 4
# Maximum seconds of the list's p99 and of the health check. The list's p99 is printed as a multiple of its quiet value,
# too: on two cores, which the load, the model and the database share, it was 4 to 14 times.
LIST_SECONDS, HEALTH_SECONDS = 1, 1
HEALTH = "/healthz"
LIST = f"/api/v1/conversations/?limit={ROWS}"


class Load:
    """The chats and streams of one tenant on an event loop in a thread; each is repeated until it succeeds."""

    def __init__(self, port, secret):
        self.port, self.secret = port, secret
        self.answers, self.lost = [], []
        self.end = time.monotonic() + LOAD_SECONDS
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()

    async def _run(self):
        chat = ("/api/v1/conversations/", {"agent": "guide", "message": "When is high water?"})
        question = [{"role": "user", "content": "When is high water?"}]
        stream = ("/v1/chat/completions", {"model": "guide", "messages": question, "stream": True})
        await asyncio.gather(*[self._repeat(*each) for each in [chat] * CHATS + [stream] * STREAMS])

    async def _repeat(self, path, body):
        while time.monotonic() < self.end:
            try:
                status, wait = await self._send(path, json.dumps(body))
            except (OSError, asyncio.IncompleteReadError, IndexError) as error:
                self.lost.append(repr(error))
                return
            self.answers.append((status, wait))
            if status != 429:
                return
            await asyncio.sleep(float(wait or 1))

    async def _send(self, path, body):
        """Send a request, read the whole response, and return its status and `Retry-After`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self.secret}",
            "Content-Type: application/json",
            "Connection: close",
            f"Content-Length: {len(body)}",
        ]
        writer.write("\r\n".join([*lines, "", body]).encode())
        response = (await reader.read()).decode()
        writer.close()
        head = response.partition("\r\n\r\n")[0].lower()
        wait = [
            line.partition(":")[2].strip() for line in head.split("\r\n") if line.startswith("retry-after")
        ]
        return int(head.split(" ")[1]), wait[0] if wait else None


@pytest.fixture
def neighbour(api_key, other_tenant):
    """A key of a tenant with a full page of conversations."""
    key = api_key(tenant=other_tenant, rate_limit=1_000_000)
    with tenant_scope(other_tenant, user=key.user):
        ConversationFactory.create_batch(ROWS, user=key.user)
    return key.secret


@pytest.fixture
def slow_agent(tenant):
    """An agent of `tenant` whose model is slow."""
    with FakeOpenAI(ScriptedReply(text="At noon.", delay=MODEL_SECONDS, pace=0.3)) as model:
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(base_url=model.base_url)
            common = {"model_provider": "openai-compatible", "model_name": "m"}
            AgentFactory(slug="guide", integration=account, **common)
        yield model


def measure_round(server, neighbour, secret, other_secret):
    """Measure the neighbour's list while the server is quiet, and then while it is loaded."""
    quiet = measure_latency(server.url, [LIST], neighbour, seconds=QUIET_SECONDS)
    # Bodies count for the key, so those of another key leave this one its chats.
    chat = ("POST /api/v1/conversations/ HTTP/1.1", f"Authorization: Bearer {other_secret}")
    bodies = open_unfinished_bodies(server.port, BODIES, *chat)
    with Load(server.port, secret) as load:
        loaded = measure_latency(server.url, [LIST, HEALTH], neighbour, seconds=LOAD_SECONDS)
    for each in bodies:
        each.socket.close()
    return Round(quiet.percentile(LIST), loaded.percentile(LIST), max(loaded.durations[HEALTH]), load)


@dataclass(frozen=True)
class Round:
    """Seconds of the slowest requests, and the load."""

    quiet: float
    loaded: float
    health: float
    load: Load

    @property
    def answers(self):
        return [status for status, _ in self.load.answers if status != 429]

    def __str__(self):
        return (
            f"quiet p99 {self.quiet * 1000:.0f} ms, loaded p99 {self.loaded * 1000:.0f} ms"
            f" ({self.loaded / self.quiet:.1f} times),"
            f" health {self.health * 1000:.0f} ms, {len(self.load.answers) - len(self.answers)} refusals,"
            f" {len(self.answers)} answers, {len(self.load.lost)} lost"
        )


def check_answers(attacks, found):
    attacks.attempt("the health check is slow", succeeded=found.health >= HEALTH_SECONDS)
    attacks.attempt("a request is lost", succeeded=bool(found.load.lost))
    assert {status for status, _ in found.load.answers} <= {200, 201, 429}
    assert all(wait for status, wait in found.load.answers if status == 429)
    # The server answers meanwhile, instead of refusing everything.
    assert len(found.answers) > CHATS // 4


@pytest.mark.slow
@pytest.mark.unmeasured
@pytest.mark.load
@pytest.mark.django_db(transaction=True)
@pytest.mark.security("exhaustion")
def test_load_of_a_tenant_does_not_stop_another(attacks, api_key, neighbour, slow_agent):
    secrets = [api_key(rate_limit=1_000_000).secret for _ in range(2)]
    with run_web_server(WEB_WORKERS="2") as server:
        time.sleep(5)  # The workers load the agent library in the background.
        measure_latency(server.url, [LIST], neighbour, seconds=1)
        found = measure_round(server, neighbour, *secrets)
    print(found, file=sys.stderr)
    check_answers(attacks, found)
    attacks.attempt(f"a neighbour's list is slow: {found}", succeeded=found.loaded >= LIST_SECONDS)
