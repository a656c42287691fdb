"""Answer streams: every event exactly once across reconnects."""

import http.client
import json
import random
import threading
import time

import pytest

from agents.testing import FakeOpenAI, ScriptedReply, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from config.testing.web_server import run_web_server
from conversations.models import AnswerLease, StreamEvent
from conversations.runtime.citations import CitationRenumberer, renumber_citations
from conversations.runtime.stream_buffer import (
    AnswerDelta,
    AnswerReset,
    StreamBuffer,
    StreamPosition,
    events_since,
)
from conversations.services.leases import Lease
from conversations.tests.factories import ConversationFactory, MessageFactory
from knowledge.services.search import FoundPassage
from knowledge.tests.waiting import wait_until

URL = "/api/v1/conversations/"
CUTS = 50
LONG = " ".join(f"word{number}" for number in range(900))


def passage(number):
    return FoundPassage(None, None, "T", "t.md", "t.md", f"Text {number}.", "T", None, 0, 0.5)


@pytest.mark.parametrize("seed", range(20))
def test_citations_do_not_depend_on_fragments(seed):
    chance = random.Random(seed)
    marks = ["[1]", "[2]", " [7]", "row[1]", "[12", "  ", "\n\n", "word", "(x)[2]", "[1][2]", "[1234]", " "]
    text = "".join(chance.choices(marks, k=40))
    renumberer, shown, at = CitationRenumberer([passage(1), passage(2)]), "", 0
    while at < len(text):
        step = chance.randint(1, 5)
        shown += renumberer.feed(text[at : at + step])
        at += step
    assert shown + renumberer.flush() == renumber_citations(text, [passage(1), passage(2)])[0]


def test_reader_receives_reset():
    live = StreamBuffer(Lease(None, None, None), None)
    live.begin()
    live.append("Let me look.")
    events, _ = live.read(StreamPosition(), 0)
    live.begin()
    assert live.read(events[-1].place, 0) == ([], False)
    live.append("At noon.")
    assert live.read(events[-1].place, 0)[0] == [
        AnswerReset(StreamPosition(2, 0)),
        AnswerDelta("At noon.", StreamPosition(2, 8)),
    ]
    assert live.read(StreamPosition(2, 3), 0)[0] == [AnswerDelta("noon.", StreamPosition(2, 8))]


@pytest.mark.parametrize("text", ["", "x", "1", "1.x", "1.2.3", "-1.2", "²" + ".1", "9" * 30 + ".1"])
def test_invalid_position_is_rejected(text):
    with pytest.raises(ValueError, match="not a stream position"):
        StreamPosition.parse(text)
    assert events_since(StreamPosition(3, 2), 3, "ab") == []


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.fixture
def completed_answer(client, tenant):
    """A completed answer in a conversation of the user."""
    with tenant_scope(tenant, user=client.key.user):
        conversation = ConversationFactory(user=client.key.user)
        return MessageFactory(conversation=conversation, role="assistant", content="High water is at noon.")


def events_of(text):
    """Parse complete stream events into dictionaries."""
    parts = [part for part in text.split("\n\n")[:-1] if part and not part.startswith(":")]
    return [dict(line.split(": ", 1) for line in part.split("\n")) for part in parts]


def follow(client, message, last=""):
    headers = {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
    return client.get(f"{URL}{message.conversation_id}/messages/{message.pk}/stream/", headers=headers)


def test_finished_answer_is_streamed_from_any_position(client, completed_answer):
    whole = events_of(b"".join(follow(client, completed_answer).streaming_content).decode())
    assert [event["event"] for event in whole] == ["message.started", "message.delta", "message.completed"]
    rest = events_of(b"".join(follow(client, completed_answer, "0.5").streaming_content).decode())
    assert [json.loads(event["data"]).get("text") for event in rest] == ["water is at noon.", None]
    assert follow(client, completed_answer, whole[-1]["id"]).status_code == 204


def test_resumed_stream_of_a_deleted_answer_names_it(client, completed_answer, tenant):
    response = follow(client, completed_answer, "0.5")
    with tenant_scope(tenant, user=client.key.user):
        type(completed_answer).objects.filter(pk=completed_answer.pk).delete()
    (event,) = events_of(b"".join(response.streaming_content).decode())
    data = json.loads(event["data"])
    assert (event["event"], data["code"], data["message"]) == (
        "message.failed",
        "deleted",
        str(completed_answer.pk),
    )
    assert data["conversation"] == str(completed_answer.conversation_id)


def test_stream_requires_access(api_client, client, completed_answer):
    assert follow(api_client(), completed_answer).status_code == 404
    assert follow(client, completed_answer).status_code == 200
    assert follow(client, completed_answer, "nonsense").json()["code"] == "bad_event_id"


class StreamReader:
    """A client that reconnects after the last complete event."""

    def __init__(self, port, secret):
        self.port, self.events, self.chance = port, [], random.Random(5)
        self.headers = {"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"}

    def read(self, method, path, body=None, *, limit=None):
        """Read up to `limit` bytes of the stream."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = dict(self.headers)
        if self.events:
            headers["Last-Event-ID"] = self.events[-1]["id"]
        line.request(method, path, body, headers | {"Content-Type": "application/json"})
        answer, text = line.getresponse(), b""
        while limit is None or len(text) < limit:
            piece = answer.read1(40)
            if not piece:
                break
            text += piece
        line.close()
        self.events += events_of(text.decode())
        return answer.status


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    """A web server with many threads and two database connections."""
    with (
        django_db_blocker.unblock(),
        run_web_server(WEB_THREADS="40", DATABASE_POOL="2", PGAPPNAME="streams") as server,
    ):
        yield server


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_reconnecting_reader_gets_every_event_once(client, tenant, server):
    with FakeOpenAI(ScriptedReply(text=LONG, pace=0.05)) as model:
        with tenant_scope(tenant, user=client.key.user):
            integration = IntegrationFactory(base_url=model.base_url)
            agent = AgentFactory(integration=integration, model_provider="openai-compatible", model_name="m")
            conversation = ConversationFactory(user=client.key.user, agent=agent)
        reader = StreamReader(server.port, client.key.secret)
        path = f"{URL}{conversation.pk}/messages/"
        reader.read("POST", path, json.dumps({"content": "Tell me."}), limit=700)
        answer = json.loads(reader.events[0]["data"])["message"]
        for _ in range(CUTS):
            reader.read("GET", f"{path}{answer}/stream/", limit=reader.chance.randint(50, 900))
        assert reader.read("GET", f"{path}{answer}/stream/") == 200
        assert reader.read("GET", f"{path}{answer}/stream/") == 204
        served_again = follow_stored(client, path, answer)
    kinds, ids = [event["event"] for event in reader.events], [event["id"] for event in reader.events]
    text = "".join(json.loads(event["data"])["text"] for event in reader.events[1:-1])
    assert (kinds[0], set(kinds[1:-1]), kinds[-1]) == (
        "message.started",
        {"message.delta"},
        "message.completed",
    )
    assert json.loads(reader.events[-1]["data"])["content"] == text == served_again == LONG
    assert len(set(ids)) == len(ids) > CUTS / 2
    with tenant_scope(tenant):
        assert 10 < StreamEvent.objects.filter(answer_id=answer).count() <= 10 * 20
        assert not AnswerLease.objects.exists()


def follow_stored(client, path, answer):
    """Read the finished stream in another process."""
    response = client.get(f"{path}{answer}/stream/", headers={"accept": "text/event-stream"})
    events = events_of(b"".join(response.streaming_content).decode())
    return "".join(json.loads(event["data"])["text"] for event in events[1:-1])


class HeldEndpoint(FakeOpenAI):
    """Answers no request before `released` is set."""

    def __init__(self, *script):
        super().__init__(*script)
        self.released = threading.Event()

    def take(self, request):
        reply = super().take(request)
        self.released.wait(60)
        return reply


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_waiting_stream_holds_no_connection(client, tenant, server, second_connection):
    with HeldEndpoint(say("At noon.")) as model:
        with tenant_scope(tenant, user=client.key.user):
            integration = IntegrationFactory(base_url=model.base_url)
            agent = AgentFactory(integration=integration, model_provider="openai-compatible", model_name="m")
            paths = [
                f"{URL}{ConversationFactory(user=client.key.user, agent=agent).pk}/messages/"
                for _ in range(8)
            ]
        lines = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=60) for _ in paths]
        headers = StreamReader(server.port, client.key.secret).headers | {"Content-Type": "application/json"}
        for line, path in zip(lines, paths, strict=True):
            line.request("POST", path, json.dumps({"content": "Tell me."}), headers)
        started = [line.getresponse() for line in lines]
        wait_until(lambda: len(model.requests) == len(paths), progress=lambda: len(model.requests))
        time.sleep(0.5)
        held = count_connections(second_connection())
        model.released.set()
        assert all("message.completed" in answer.read().decode() for answer in started)
    # As many streams as the process allows: most could not start if each waiting stream held a connection.
    assert held <= 2


def count_connections(connection):
    """Count the connections of the test's web server."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'streams'"
    return connection.execute(sql).fetchone()[0]
