"""Firing of schedules: misfires, overlaps, clocks that race, and triggers that must not fire."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from config.db.ids import uuid7_floor
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.roles import as_platform
from tenants.models import Tenant
from workflows.models import TriggerFiring, Workflow, WorkflowExecution, WorkflowTrigger
from workflows.services import schedules
from workflows.services.firings import KEPT_FOR, expire_firings
from workflows.services.schedules import MAX_QUEUED, fire_due_triggers, fire_schedule
from workflows.tests.factories import TriggerFiringFactory, WorkflowExecutionFactory, WorkflowTriggerFactory
from workflows.tests.runs import publish, transform

pytestmark = pytest.mark.engine
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def add_schedule(tenant, *, at=NOON, **config):
    """An hourly schedule that is due at `at`."""
    with tenant_scope(tenant, actor="system:test"):
        return WorkflowTriggerFactory(
            workflow=publish(transform("a", "${ trigger }"), output={"trigger": "${ trigger }"}),
            trigger_type="scheduled",
            config={"cron": "@hourly", **config},
            secret=None,
            next_fire_at=at,
        )


def fire(trigger, now=NOON):
    return fire_schedule(trigger.tenant_id, trigger.pk, now=now)


def load(trigger):
    """Return the trigger, its firings and its runs, oldest first."""
    with tenant_scope(trigger.tenant_id, actor="system:test"):
        firings = list(TriggerFiring.objects.order_by("id").values_list("status", "scheduled_for", "missed"))
        runs = list(WorkflowExecution.objects.order_by("id"))
        return WorkflowTrigger.objects.get(pk=trigger.pk), firings, runs


def finish(trigger, status="completed"):
    with tenant_scope(trigger.tenant_id, actor="system:test"):
        WorkflowExecution.objects.update(status=status)


def test_due_trigger_starts_a_run_with_its_input(tenant):
    trigger = add_schedule(tenant, input={"time": "${ trigger.scheduled_for }"})
    started = fire(trigger), fire(trigger)
    after, firings, (run,) = load(trigger)

    assert started == (1, 0)
    assert firings == [("started", NOON, 0)]
    assert (run.trigger_id, run.trigger_type) == (trigger.pk, "scheduled")
    assert run.trigger_data == {"scheduled_for": NOON.isoformat(), "missed": 0}
    assert run.input_data == {"time": NOON.isoformat()}
    assert after.next_fire_at == NOON + timedelta(hours=1)
    assert after.last_fired_at is not None


def test_next_time_follows_the_scheduled_time_and_not_the_clock(tenant):
    trigger = add_schedule(tenant)
    fire(trigger, NOON + timedelta(seconds=47))

    assert load(trigger)[0].next_fire_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("misfire", "expected"), [("skip", []), ("once", [(12, 3)]), ("all", [(9, 0), (10, 0), (11, 0), (12, 0)])]
)
def test_missed_times(tenant, misfire, expected):
    trigger = add_schedule(tenant, at=NOON.replace(hour=9), misfire=misfire)
    fire(trigger, NOON + timedelta(minutes=30))
    after, firings, runs = load(trigger)

    assert [(time.hour, missed) for _, time, missed in firings] == expected
    assert len(runs) == len(expected)
    assert after.next_fire_at == NOON.replace(hour=13)


@pytest.mark.parametrize(
    ("overlap", "statuses", "runs"),
    [
        ("allow", ["started", "started"], ["running", "running"]),
        ("skip", ["started", "skipped"], ["running"]),
        ("queue", ["started", "queued"], ["running"]),
        ("cancel_running", ["started", "started"], ["cancelled", "running"]),
    ],
)
def test_time_during_an_unfinished_run(tenant, overlap, statuses, runs):
    trigger = add_schedule(tenant, overlap=overlap)
    for hour in range(2):
        fire(trigger, NOON + timedelta(hours=hour))
    _, firings, started = load(trigger)

    assert [status for status, *_ in firings] == statuses
    assert [run.status for run in started] == runs


def test_queued_times_start_in_order_when_the_run_before_has_ended(tenant):
    trigger = add_schedule(tenant, overlap="queue")
    for hour in range(3):
        fire(trigger, NOON + timedelta(hours=hour))
    finish(trigger)
    now = NOON + timedelta(hours=2, minutes=1)
    started = [fire(trigger, now), fire(trigger, now)]
    _, firings, runs = load(trigger)

    assert started == [1, 0]
    assert [status for status, *_ in firings] == ["started", "started", "queued"]
    assert runs[1].trigger_data["scheduled_for"] == (NOON + timedelta(hours=1)).isoformat()


def test_queue_is_bounded(tenant):
    trigger = add_schedule(tenant, overlap="queue")
    fire(trigger)
    with tenant_scope(tenant, actor="system:test"):
        for hour in range(MAX_QUEUED):
            TriggerFiringFactory(trigger=trigger, status="queued", scheduled_for=NOON + timedelta(hours=hour))
    fire(trigger, NOON + timedelta(hours=1))

    assert load(trigger)[1][-1][0] == "skipped"


def test_run_that_cannot_start_is_recorded_and_the_schedule_goes_on(tenant):
    trigger = add_schedule(tenant, input={"x": "${ trigger.nothing }"})
    fire(trigger)
    after, firings, runs = load(trigger)

    assert [status for status, *_ in firings] == ["failed"]
    assert runs == []
    assert after.next_fire_at == NOON + timedelta(hours=1)


def test_expression_that_no_longer_fires_is_recorded_once(tenant):
    trigger = add_schedule(tenant)
    with tenant_scope(tenant, actor="system:test"):
        WorkflowTrigger.objects.update(config={"cron": "99 99 * * *"})
    fire(trigger)
    after, firings, runs = load(trigger)

    assert (after.next_fire_at, [status for status, *_ in firings], runs) == (None, ["failed"], [])


def test_trigger_that_raises_does_not_stop_others(tenant, monkeypatch):
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    broken, works = (add_schedule(tenant, at=hour) for _ in range(2))
    with tenant_scope(tenant, actor="system:test"):
        WorkflowTrigger.objects.filter(pk=broken.pk).update(config={"cron": "@hourly", "timezone": "Nowhere"})
    monkeypatch.setattr(
        schedules, "find_due_triggers", lambda: [(tenant.pk, each.pk) for each in (broken, works)]
    )

    assert fire_due_triggers() == 1
    assert [run.trigger_id for run in load(works)[2]] == [works.pk]


@pytest.mark.parametrize("stopped", ["disabled", "paused", "archived", "deleted"])
def test_stopped_trigger_does_not_fire(tenant, stopped):
    trigger = add_schedule(tenant)
    with tenant_scope(tenant, actor="system:test"):
        if stopped == "disabled":
            WorkflowTrigger.objects.update(is_enabled=False)
        elif stopped == "deleted":
            Workflow.objects.get().soft_delete()
        else:
            Workflow.objects.update(status=stopped)
    fire(trigger)

    assert load(trigger)[1:] == ([], [])


def test_times_in_a_pause_of_the_workflow_are_not_missed(tenant):
    trigger = add_schedule(tenant)
    with tenant_scope(tenant, actor="system:test"):
        Workflow.objects.update(status="paused")
    fire(trigger, NOON + timedelta(hours=5))
    with tenant_scope(tenant, actor="system:test"):
        Workflow.objects.update(status="active")
    fire(trigger, NOON + timedelta(hours=6))
    _, firings, runs = load(trigger)

    assert firings == [("started", NOON + timedelta(hours=6), 0)]
    assert len(runs) == 1


def test_old_firings_expire(tenant):
    trigger = add_schedule(tenant)
    with tenant_scope(tenant, actor="system:test"):
        old = timezone.now() - KEPT_FOR - timedelta(days=1)
        TriggerFiringFactory(trigger=trigger, id=uuid7_floor(old))
        TriggerFiringFactory(trigger=trigger, id=uuid7_floor(old + timedelta(hours=1)), status="queued")
        kept = TriggerFiringFactory(trigger=trigger)
    expired = expire_firings()

    with tenant_scope(tenant, actor="system:test"):
        assert set(TriggerFiring.objects.values_list("pk", flat=True)) >= {kept.pk}
        assert (expired, TriggerFiring.objects.count()) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_worker_finds_due_triggers_of_active_tenants(transactional_db, second_connection, monkeypatch):
    tenants = [factory_for("tenants.Tenant")() for _ in range(3)]
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    due, suspended = (add_schedule(each, at=now) for each in (tenants[0], tenants[2]))
    later = now + timedelta(hours=2)
    add_schedule(tenants[1], at=later)
    waiting, disabled, running = (add_schedule(tenants[1], at=later, overlap="queue") for _ in range(3))
    with tenant_scope(tenants[1], actor="system:test"):
        for trigger in (waiting, disabled, running):
            TriggerFiringFactory(trigger=trigger, status="queued", scheduled_for=now)
        WorkflowExecutionFactory(trigger=running, workflow=running.workflow)
        WorkflowTrigger.objects.filter(pk=disabled.pk).update(is_enabled=False)
    with as_platform():
        Tenant.objects.filter(pk=suspended.tenant_id).update(status="suspended")
    found = second_connection("conclave_worker").execute(schedules.DUE_SQL.replace("%s", "100")).fetchall()
    monkeypatch.setattr(schedules, "find_due_triggers", lambda: found)

    assert sorted(found) == sorted((each.tenant_id, each.pk) for each in (due, waiting))
    assert (fire_due_triggers(), fire_due_triggers()) == (2, 0)
    assert [run.trigger_id for run in load(due)[2]] == [due.pk]


@pytest.mark.django_db(transaction=True)
def test_racing_clocks_fire_each_time_once(transactional_db):
    tenant = factory_for("tenants.Tenant")()
    now = timezone.now().replace(microsecond=0)
    triggers = [
        add_schedule(tenant, at=now - timedelta(seconds=20), cron="* * * * * *", misfire="all")
        for _ in range(2)
    ]
    barrier = threading.Barrier(4)

    def clock():
        barrier.wait()
        for second in range(5):
            for trigger in triggers:
                fire(trigger, now + timedelta(seconds=second))
        connection.close()

    threads = [threading.Thread(target=clock) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for trigger in triggers:
        fire(trigger, now + timedelta(seconds=4))
    with tenant_scope(tenant, actor="system:test"):
        runs = list(WorkflowExecution.objects.values_list("trigger_id", "trigger_data__scheduled_for"))

    times = [(now + timedelta(seconds=each)).isoformat() for each in range(-20, 5)]
    assert sorted(runs) == sorted((trigger.pk, time) for trigger in triggers for time in times)
