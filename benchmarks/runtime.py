"""Platform overhead of chat calls: CPU, token latency, concurrent streams and audited messages.

The model is a local server with OpenAI's API; its cost is not measured.
"""

import http.client
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg

from agents.testing import FakeOpenAI, ScriptedReply
from config.postgres.logins import OWNER

from .baseline import INSERT
from .installation import PLAIN, House, connection_to
from .meter import Cost, Side, backends_of, cpu_of, measure, median_cost
from .requests import Ask
from .servers import Server, product, repeated

PATH = "/v1/chat/completions"
ANSWER = "High water is at noon, and the ferry leaves an hour before it."
LONG_ANSWER = " ".join(f"word{number}" for number in range(60))
CONTENT = "What keeps the rows of two tenants apart? " * 5


class TimedModel(FakeOpenAI):
    """Model server that records when the first chunk of each stream leaves it, on the monotonic clock."""

    def __init__(self, *script: ScriptedReply) -> None:
        super().__init__(*script)
        self.sent: list[float] = []

    def begins(self) -> None:
        self.sent.append(time.perf_counter())


def create_agent(house: House, base_url: str, slug: str) -> None:
    """Create an agent that uses the model server at `base_url`."""
    from agents.models import Agent, Integration
    from config.tenancy.scope import tenant_scope

    with tenant_scope(house.tenant_id, user=house.user_id, actor="system:bench"):
        account = Integration(
            name=f"Fake {slug}",
            platform="openai-compatible",
            base_url=base_url,
            credentials={"api_key": "none"},
        )
        account.save()
        Agent(
            name=slug,
            slug=slug,
            created_by_id=house.user_id,
            model_provider="openai-compatible",
            model_name="m",
            integration=account,
        ).save()


def _headers(house: House) -> dict[str, str]:
    return {"Authorization": f"Bearer {house.api_key}", "Content-Type": "application/json"}


def _body(slug: str, *, stream: bool) -> bytes:
    said = [{"role": "user", "content": "When is high water?"}]
    return orjson.dumps({"model": slug, "messages": said, "stream": stream})


def ask_for_chat(house: House, slug: str) -> Ask:
    """Return requests to the agent `slug`."""
    headers, body = _headers(house), _body(slug, stream=False)
    return lambda _: ("POST", PATH, headers, body)


@contextmanager
def _watched() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**connection_to(OWNER), autocommit=True) as watcher:
        yield watcher


def chat_call(house: House, *, rounds: int, count: int) -> Cost:
    """Return the median CPU of one plain chat call in the web process and in PostgreSQL."""
    with (
        FakeOpenAI(ScriptedReply(text=ANSWER)) as model,
        _watched() as watcher,
        product(house, "chat") as server,
    ):
        create_agent(house, model.base_url, "chat-call")
        run = repeated(server, 200, ask_for_chat(house, "chat-call"))
        side = Side("chat", run, lambda: {"app": server.workers, "database": backends_of(watcher, "chat")})
        run(30)
        costs = [measure(side, count) for _ in range(rounds)]
    return median_cost(costs)


def first_token_ms(house: House, *, count: int) -> list[float]:
    """Return the milliseconds from the model's first chunk to the client's, over one connection."""
    found = []
    reply = ScriptedReply(text=LONG_ANSWER, pace=0.05)
    with TimedModel(reply) as model, product(house, "token", WEB_THREADS="2") as server:
        create_agent(house, model.base_url, "first-token")
        for number in range(count + 5):
            stream = _Stream(server.port, _headers(house), _body("first-token", stream=True))
            stream.run()
            if number >= 5:
                found.append((stream.first - model.sent[-1]) * 1000)
    return found


@dataclass
class Streams:
    """Result of concurrent streams: complete ones, seconds alone and together, connections."""

    whole: int
    alone: float
    together: float
    connections: int
    cpu: float


def many_streams(house: House, *, count: int) -> Streams:
    """Run `count` streams in one process; the model sends a chunk every half second."""
    reply = ScriptedReply(text=LONG_ANSWER, pace=0.5)
    places = {"STREAMS_PER_PROCESS": str(count), "STREAMS_PER_TENANT": str(count)}
    with FakeOpenAI(reply) as model, _watched() as watcher, product(house, "streams", **places) as server:
        create_agent(house, model.base_url, "many-streams")
        body = _body("many-streams", stream=True)
        _Stream(server.port, _headers(house), body).run()
        alone = _Stream(server.port, _headers(house), body)
        alone.run()
        streams = [_Stream(server.port, _headers(house), body) for _ in range(count)]
        threads = [threading.Thread(target=stream.run) for stream in streams]
        before, began = _cpu(server), time.perf_counter()
        for thread in threads:
            thread.start()
        seen = []
        while any(thread.is_alive() for thread in threads):
            seen.append(len(backends_of(watcher, "streams")))
            time.sleep(0.5)
        took = time.perf_counter() - began
        spent = _cpu(server) - before
    whole = sum(stream.text == LONG_ANSWER for stream in streams)
    # Halfway: all streams wait for the model.
    return Streams(whole, alone.took, took, seen[len(seen) // 2], spent)


def _cpu(server: Server) -> float:
    return sum(cpu_of(pid) for pid in server.workers)


class _Stream:
    """One streamed answer over a separate connection."""

    def __init__(self, port: int, headers: dict[str, str], body: bytes) -> None:
        self.port, self.headers, self.body = port, headers, body
        self.first = self.took = 0.0
        self.text = ""

    def run(self) -> None:
        """Read the stream to its end.

        Raises:
            RuntimeError: when it is refused.
        """
        began = time.perf_counter()
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        client.request("POST", PATH, body=self.body, headers=self.headers)
        answer = client.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {answer.read()[:300]!r}")
        for line in answer:
            if line.startswith(b"data: {"):
                self._take(orjson.loads(line[6:]))
        client.close()
        self.took = time.perf_counter() - began

    def _take(self, chunk: dict[str, Any]) -> None:
        for choice in chunk["choices"]:
            if piece := choice["delta"].get("content"):
                self.first = self.first or time.perf_counter()
                self.text += piece


def append_message(house: House, *, rounds: int, count: int) -> tuple[float, float, float]:
    """Return messages per second with audit and by bare INSERT, and the median ratio of neighbouring rounds."""
    from config.tenancy.scope import tenant_scope
    from conversations.services.conversations import record_message

    ids = house.conversation_ids

    def ours(times: int) -> float:
        began = time.perf_counter()
        for number in range(times):
            with tenant_scope(house.tenant_id, user=house.user_id, actor="system:bench"):
                record_message(ids[number % len(ids)], role="user", content=CONTENT, user_id=house.user_id)
        return times / (time.perf_counter() - began)

    with psycopg.connect(**connection_to(OWNER, PLAIN), autocommit=True) as connection:
        places = iter(range(10_000, 10_000_000))

        def bare(times: int) -> float:
            began = time.perf_counter()
            for number in range(times):
                row = [house.tenant_id, ids[number % len(ids)], next(places), CONTENT, house.user_id]
                with connection.transaction():
                    connection.execute(INSERT, row).fetchone()
            return times / (time.perf_counter() - began)

        ours(50)
        bare(50)
        pairs = [(ours(count), bare(count)) for _ in range(rounds)]
    ratio = statistics.median(other / one for one, other in pairs)
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs), ratio
