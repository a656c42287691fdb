"""Time slices of lanes: long alone, short while lanes of other tenants wait."""

import time
from types import SimpleNamespace

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from config.postgres.logins import WORKER
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from workflows import tasks
from workflows.models import WorkflowLane
from workflows.runtime import lanes, time_slice
from workflows.runtime.lanes import run_lane
from workflows.runtime.step_bodies import StepResult
from workflows.runtime.time_slice import MAX_SECONDS, TURN_SECONDS, TimeSlice
from workflows.services import lanes as services_lanes
from workflows.services.lanes import WAITING_SQL
from workflows.services.runs import start_run
from workflows.testing import run_lanes
from workflows.tests.runs import publish, request, states, transform

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(("do_others_wait", "seconds"), [(False, MAX_SECONDS), (True, TURN_SECONDS)])
def test_slice_ends_sooner_if_others_wait(monkeypatch, do_others_wait, seconds):
    now = 100.0
    monkeypatch.setattr(time_slice.time, "monotonic", lambda: now)
    made = TimeSlice(1, lambda: do_others_wait)
    now += seconds - 0.01
    assert not made.is_over()
    assert made.get_job() == 1
    now += 0.02
    assert made.is_over()
    assert made.get_job() is None


def test_others_are_looked_for_once_a_turn(monkeypatch):
    now, questions = 100.0, []
    monkeypatch.setattr(time_slice.time, "monotonic", lambda: now)
    made = TimeSlice(1, lambda: questions.append(now))
    for _ in range(40):
        now += MAX_SECONDS / 50
        made.is_over()
    assert len(questions) <= MAX_SECONDS / TURN_SECONDS


@pytest.mark.parametrize("do_others_wait", [False, True])
def test_lane_gives_way_to_others(tenant, member, http, monkeypatch, do_others_wait):
    def wait():
        time.sleep(TURN_SECONDS)
        return StepResult()

    http.run = wait
    monkeypatch.setattr(time_slice, "MAX_SECONDS", 60)
    with tenant_scope(tenant, user=member.user):
        run = start_run(publish(*(request(id=name) for name in "abc")))
        lane = WorkflowLane.objects.get(status="queued")
    run_lane(tenant.pk, lane.lane, lane.job, do_others_wait=lambda: do_others_wait)

    if do_others_wait:
        assert states(run) == {"a": "completed", "b": "ready"}
        run_lanes(tenant)
    assert states(run) == dict.fromkeys("abc", "completed")


def get_job(tenant):
    """Return the first queued lane and the arguments of its job."""
    with tenant_scope(tenant, actor="system:test"):
        lane = WorkflowLane.objects.filter(status="queued").order_by("lane")[0]
        return lane, ProcrastinateJob.objects.get(pk=lane.job).args


def test_lane_that_used_up_a_slice_gives_way_from_then_on(tenant, member, http, monkeypatch):
    monkeypatch.setattr(time_slice, "MAX_SECONDS", 0)
    http.results[:] = [StepResult(), StepResult()]
    with tenant_scope(tenant, user=member.user):
        start_run(publish(request(id="a"), request(id="b")))
    lane, first = get_job(tenant)
    run_lane(tenant.pk, lane.lane, lane.job)
    _, second = get_job(tenant)

    assert (first["again"], second["again"]) == (False, True)
    questions = []
    monkeypatch.setattr(lanes, "run_lane", lambda *args, do_others_wait: questions.append(do_others_wait()))
    monkeypatch.setattr(services_lanes, "has_waiting_lanes", lambda tenant_id: True)
    for arguments in (first, second):
        tasks.run_lane.func(SimpleNamespace(job=SimpleNamespace(id=1)), **arguments)
    assert questions == [False, True]


def test_worker_sees_the_waiting_lanes_of_others_only(transactional_db, second_connection):
    busy, other = (factory_for("tenants.Tenant")() for _ in range(2))
    with tenant_scope(busy, actor="system:test"):
        start_run(publish(transform("a", 1)))
    worker = second_connection(WORKER)

    assert worker.execute(WAITING_SQL, [str(other.pk)]).fetchone() == (True,)
    assert worker.execute(WAITING_SQL, [str(busy.pk)]).fetchone() == (False,)
