"""Events of a run: pages, server-sent events and their continuation."""

import json
from contextlib import contextmanager

import pytest

from config.api.views import ApiView
from config.tenancy.scope import tenant_scope
from workflows.models import WorkflowEvent, WorkflowExecution
from workflows.services import run_events
from workflows.services.runs import start_run
from workflows.testing import run_lanes
from workflows.tests.runs import publish, transform

pytestmark = pytest.mark.engine


@pytest.fixture
def client(api_client):
    """A client with a run of two steps that has not begun."""
    made = api_client("viewer")
    with tenant_scope(made.key.tenant_id, user=made.key.user):
        made.run = start_run(publish(transform("a", 1), transform("b", 2)))
    made.url = f"/api/v1/workflow-executions/{made.run.pk}/events/"
    return made


@pytest.fixture
def finished(client):
    run_lanes(client.key.tenant_id)
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        events = list(WorkflowEvent.objects.order_by("sequence_number"))
    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert events[-1].kind == "run.completed"
    return events


def read(client, last=None):
    """Return kind, ID and data of the events of the stream until it ends."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    response = client.get(f"{client.url}stream/", headers=headers | {"Accept": "text/event-stream"})
    if response.status_code != 200:
        return response.status_code
    text = b"".join(response.streaming_content).decode()
    blocks = [
        dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block
    ]
    return [(block["event"], int(block["id"]), json.loads(block["data"])) for block in blocks]


def test_events_are_paged(client, finished):
    page = client.get(f"{client.url}?limit=2").json()
    rest = client.get(f"{client.url}?after={page['next_after']}").json()
    kinds = [event["kind"] for event in page["results"] + rest["results"]]

    assert len(page["results"]) == page["next_after"] == 2
    assert kinds == [event.kind for event in finished]
    assert rest["next_after"] is None


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=0", "limit=201", "until=3"])
def test_invalid_page_is_refused(client, query):
    assert client.get(f"{client.url}?{query}").status_code == 400


def test_stream_has_all_events_and_ends_with_the_run(client, finished):
    found = read(client)

    assert [(kind, place) for kind, place, _ in found] == [(e.kind, e.sequence_number) for e in finished]
    assert found[0][2].keys() == {"sequence_number", "kind", "data", "created_at"}


def test_stream_continues_after_the_last_event(client, finished):
    last = finished[-2].sequence_number

    assert [place for _, place, _ in read(client, last)] == [last + 1]
    assert read(client, last + 1) == 204


def test_stream_follows_a_run_in_progress(client, monkeypatch):
    monkeypatch.setattr(run_events.time, "sleep", lambda seconds: run_lanes(client.key.tenant_id))

    assert [place for _, place, _ in read(client)] == list(range(1, len(read(client)) + 1))
    assert read(client)[-1][0] == "run.completed"


def test_quiet_stream_is_kept_alive_and_ends_with_its_run(client, monkeypatch):
    monkeypatch.setattr(run_events, "KEEP_ALIVE_SECONDS", 0)
    pauses = []

    def cancel_run(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            with tenant_scope(client.key.tenant_id, user=client.key.user):
                WorkflowExecution.objects.update(status="cancelled")

    monkeypatch.setattr(run_events.time, "sleep", cancel_run)
    response = client.get(f"{client.url}stream/", headers={"Accept": "text/event-stream"})
    lines = list(response.streaming_content)

    assert lines.count(b": keep-alive\n\n") == 2
    assert pauses == sorted(pauses)


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "99999999999"])
def test_unknown_event_id_is_refused(client, last):
    assert read(client, last) == 400


def test_streams_of_a_reader_are_bounded(client, settings):
    settings.STREAMS_PER_READER = 1
    first = client.get(f"{client.url}stream/")
    second = client.get(f"{client.url}stream/")
    for close in first._resource_closers:
        close()
    third = client.get(f"{client.url}stream/")
    for close in third._resource_closers:
        close()

    assert [first.status_code, second.status_code, third.status_code] == [200, 429, 200]


@pytest.mark.security("foreign run", mutation=True)
def test_views_without_the_scope_of_the_credential_show_foreign_runs(
    client, finished, api_client, other_tenant, attacks, monkeypatch
):
    outsider = api_client("admin", tenant=other_tenant)

    @contextmanager
    def open_scope(view, *, read_only=False):
        with tenant_scope(client.key.tenant_id, user=client.key.user) as scope:
            yield scope

    monkeypatch.setattr(ApiView, "scoped", open_scope)

    attacks.attempt(succeeded=outsider.get(client.url).status_code == 200)
