"""Event triggers: types, filters, repetitions and chains of runs."""

from uuid import uuid4

import pytest

from config.tenancy.scope import tenant_scope
from tenants.event_types import DocumentIndexedEvent, RunCompletedEvent
from tenants.models import OutboxEvent
from tenants.services import relay
from tenants.services.outbox import publish as publish_event
from tenants.services.relay import relay_events
from workflows.models import TriggerFiring, WorkflowTrigger
from workflows.services import event_triggers
from workflows.services.nesting import MAX_DEPTH
from workflows.testing import run_lanes
from workflows.tests.factories import WorkflowTriggerFactory
from workflows.tests.runs import list_runs, publish, transform

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def rolled_back(monkeypatch):
    """Relay events of the open transaction, since tests do not commit."""
    monkeypatch.setattr(relay, "RELAYABLE", "true")


def add_trigger(tenant, event="document.indexed", **config):
    with tenant_scope(tenant, actor="system:test"):
        return WorkflowTriggerFactory(
            workflow=publish(transform("a", 1)),
            trigger_type="event",
            config={"event": event, **config},
            secret=None,
        )


def emit(tenant, *counts):
    with tenant_scope(tenant, actor="system:test"):
        for count in counts:
            event = DocumentIndexedEvent(document_id=uuid4(), collection_id=uuid4(), chunk_count=count)
            publish_event(event)
    relay_events(tenant.pk)


def test_event_starts_a_run(tenant, other_tenant):
    trigger = add_trigger(tenant, input={"count": "${ trigger.event.data.chunk_count }"})
    add_trigger(tenant, "answer.completed")
    emit(other_tenant, 1)
    emit(tenant, 7)
    (run,) = list_runs(tenant)

    assert (run.trigger_id, run.trigger_type, run.input_data) == (trigger.pk, "event", {"count": 7})
    assert run.trigger_data["event"]["type"] == "document.indexed"
    assert list_runs(other_tenant) == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, [1, 5]),
        ({"chunk_count": 5}, [5]),
        ({"chunk_count": 5, "language": "de"}, []),
        ("event.data.chunk_count > 3", [5]),
        ("event.data.language == 'de'", []),
        ("event.type == 'document.indexed' && event.data.chunk_count == 1", [1]),
    ],
)
def test_filter(tenant, condition, expected):
    add_trigger(tenant, filter=condition, input={"count": "${ trigger.event.data.chunk_count }"})
    emit(tenant, 1, 5)

    assert [run.input_data["count"] for run in list_runs(tenant)] == expected


def test_event_that_is_relayed_again_starts_no_second_run(tenant):
    trigger = add_trigger(tenant)
    emit(tenant, 1)
    with tenant_scope(tenant, actor="system:test"):
        OutboxEvent.objects.update(relayed_at=None)
    relay_events(tenant.pk)

    assert [run.trigger_id for run in list_runs(tenant)] == [trigger.pk]


def test_run_that_cannot_start_is_recorded_and_other_triggers_fire(tenant):
    broken = add_trigger(tenant, input={"x": "${ trigger.nothing }"})
    works = add_trigger(tenant)
    emit(tenant, 1)
    with tenant_scope(tenant, actor="system:test"):
        failed = TriggerFiring.objects.get(trigger=broken)

    assert [run.trigger_id for run in list_runs(tenant)] == [works.pk]
    assert (failed.status, failed.execution_id) == ("failed", None)
    assert failed.error


def test_trigger_that_raises_stops_neither_others_nor_the_relay(tenant, monkeypatch):
    broken, works = add_trigger(tenant), add_trigger(tenant)
    start = event_triggers.start_firing

    def start_firing(trigger, *args):
        if trigger.pk == broken.pk:
            raise RuntimeError("broken")
        return start(trigger, *args)

    monkeypatch.setattr(event_triggers, "start_firing", start_firing)
    emit(tenant, 1)
    with tenant_scope(tenant, actor="system:test"):
        failed = TriggerFiring.objects.get(trigger=broken)
        waiting = OutboxEvent.objects.filter(type="document.indexed", relayed_at=None).count()

    assert [run.trigger_id for run in list_runs(tenant)] == [works.pk]
    assert (failed.status, waiting) == ("failed", 0)


@pytest.mark.parametrize("stopped", ["trigger", "paused", "deleted"])
def test_stopped_trigger_does_not_fire(tenant, stopped):
    trigger = add_trigger(tenant)
    with tenant_scope(tenant, actor="system:test"):
        if stopped == "trigger":
            WorkflowTrigger.objects.update(is_enabled=False)
        elif stopped == "paused":
            type(trigger.workflow).objects.update(status="paused")
        else:
            trigger.workflow.soft_delete()
    emit(tenant, 1)

    assert list_runs(tenant) == []


def test_runs_that_start_one_another_by_events_end(tenant):
    trigger = add_trigger(tenant, "run.completed")
    with tenant_scope(tenant, actor="system:test"):
        publish_event(RunCompletedEvent(run_id=uuid4(), status="completed"))
    for _ in range(MAX_DEPTH + 5):
        relay_events(tenant.pk)
        run_lanes(tenant)

    assert len(list_runs(tenant, trigger=trigger)) == MAX_DEPTH
    with tenant_scope(tenant, actor="system:test"):
        assert TriggerFiring.objects.filter(status="failed").count() == 1
