"""Races of the engine: last predecessors of joins, steps that become ready while lanes end, and clocks."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from config.postgres.logins import WORKER
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.processes import terminate_after
from config.testing.web_server import BASE_DIR, build_environment
from knowledge.tests.waiting import wait_until
from workflows.models import StepExecution, TriggerFiring, WorkflowExecution, WorkflowTrigger
from workflows.runtime.attempts import run_attempt
from workflows.runtime.lanes import run_lane
from workflows.runtime.run_state import load_runs
from workflows.runtime.step_bodies import Wait
from workflows.runtime.time_slice import TimeSlice
from workflows.services.commits import Attempt, resume_step
from workflows.services.runs import start_run
from workflows.testing import run_lanes
from workflows.tests.factories import WorkflowTriggerFactory
from workflows.tests.runs import count_open, publish, request, reread, states, transform

pytestmark = [pytest.mark.engine, pytest.mark.unmeasured]
THREADS, STEPS, PAIRS = 20, 200, 100
ENQUEUERS, LANE_WORKERS = 4, 4
TAKE_JOB = """
DELETE FROM procrastinate_jobs WHERE id = (SELECT id FROM procrastinate_jobs WHERE queue_name = 'workflows'
  ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, (args ->> 'lane')::integer
"""
ASLEEP = """
SELECT EXISTS (SELECT FROM workflows_stepexecution WHERE status = 'ready')
  AND NOT EXISTS (SELECT FROM workflows_workflowlane WHERE status <> 'idle')
"""


@pytest.fixture
def tenant(transactional_db):
    return factory_for("tenants.Tenant")()


def run_threads(*functions):
    """Run the functions in threads that close their connections, and raise their first error."""

    def run(function):
        try:
            function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        for future in [pool.submit(run, function) for function in functions]:
            future.result()


def claim(tenant, run):
    """Claim the ready steps of a run, as lanes that run them at the same time do."""
    with tenant_scope(tenant, actor="system:test"):
        ready = StepExecution.objects.filter(execution=run, status="ready").order_by("id")
        found = [
            Attempt(tenant.pk, run.pk, row.pk, row.step_id, row.kind, 1, row.idempotency_key) for row in ready
        ]
        ready.update(status="running", claim=1, lane_job=1)
    return found


def finish(tenant, attempt):
    """Run a claimed step in a lane of this thread."""
    with tenant_scope(tenant, actor="system:test"):
        runs = load_runs(tenant.pk, [attempt])
    run_attempt(runs[attempt.execution_id], attempt, TimeSlice(None))


def test_joins_of_two_hundred_concurrent_steps_start_once(tenant):
    names = [f"s{n}" for n in range(STEPS)]
    half = STEPS // 2
    with tenant_scope(tenant, actor="system:test"):
        steps = [transform(name, 1, needs=[]) for name in names]
        joins = [{"id": f"join-{n}", "kind": "join", "needs": names[n::2]} for n in range(2)]
        end = {"id": "end", "kind": "join", "needs": ["join-0", "join-1"]}
        run = start_run(publish(*steps, *joins, end))
    assert [len(join["needs"]) for join in joins] == [half, half]
    claimed, barrier = claim(tenant, run), threading.Barrier(THREADS, timeout=60)

    def work(place):
        for attempt in claimed[place::THREADS]:
            barrier.wait()
            finish(tenant, attempt)

    run_threads(*(lambda place=place: work(place) for place in range(THREADS)))
    run_lanes(tenant)

    assert (reread(run).status, reread(run).steps_completed) == ("completed", STEPS + 3)
    with tenant_scope(tenant, actor="system:test"):
        assert StepExecution.objects.filter(execution=run, kind="join").count() == 3


def test_no_join_is_lost_when_both_predecessors_end_at_the_same_time(tenant):
    with tenant_scope(tenant, actor="system:test"):
        branches = [transform(name, 1, needs=[]) for name in "ab"]
        workflow = publish(*branches, {"id": "both", "kind": "join", "needs": ["a", "b"]})
        runs = [start_run(workflow) for _ in range(PAIRS)]
    pairs, barrier = [claim(tenant, run) for run in runs], threading.Barrier(2, timeout=60)

    def work(place):
        for pair in pairs:
            barrier.wait()
            finish(tenant, pair[place])

    run_threads(lambda: work(0), lambda: work(1))
    assert [states(run)["both"] for run in runs] == ["ready"] * PAIRS


@pytest.mark.parametrize(
    "number", [200, pytest.param(10_000, marks=[pytest.mark.endurance, pytest.mark.slow])]
)
def test_no_wake_up_is_lost_when_lanes_end_meanwhile(tenant, second_connection, http, number):
    """Each thread wakes its step again as soon as it waits, so that the lanes end and are queued all the time.

    Nothing repairs the lanes. In no snapshot is a step ready while all lanes are idle.
    """
    http.run = lambda: Wait(None, "again")
    with tenant_scope(tenant, actor="system:test"):
        workflow = publish(request())
        runs = [start_run(workflow) for _ in range(ENQUEUERS)]
    steps = [get_step(tenant, run) for run in runs]
    stopped, samples = threading.Event(), []

    def enqueue(step_id):
        for _ in range(number // ENQUEUERS):
            wait_until(lambda: wake(tenant, step_id), patience=30, pause=0.001)

    def enqueue_all():
        try:
            run_threads(*(lambda step=step: enqueue(step) for step in steps))
            wait_until(lambda: count_waiting(tenant) == ENQUEUERS, patience=30)
        finally:
            stopped.set()

    def watch():
        while not stopped.wait(0.005):
            samples.append(is_asleep(tenant))

    queues = [second_connection(WORKER) for _ in range(LANE_WORKERS)]
    workers = [lambda queue=queue: work_lanes(tenant, queue, stopped) for queue in queues]
    run_threads(enqueue_all, watch, *workers)

    with tenant_scope(tenant, actor="system:test"):
        claims = StepExecution.objects.values_list("claim", flat=True)
        assert sum(claims) == number + ENQUEUERS
    assert len(samples) > number / 100
    assert not any(samples)


def get_step(tenant, run):
    with tenant_scope(tenant, actor="system:test"):
        return StepExecution.objects.get(execution=run).pk


def wake(tenant, step_id):
    with tenant_scope(tenant, actor="system:test"):
        return resume_step(tenant.pk, step_id, None)


def count_waiting(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return StepExecution.objects.filter(status="waiting").count()


def is_asleep(tenant):
    with tenant_scope(tenant, actor="system:test"), connection.cursor() as cursor:
        cursor.execute(ASLEEP)
        return cursor.fetchone()[0]


def work_lanes(tenant, queue, stopped):
    """Run queued lanes as a worker does: each job once."""
    while not stopped.is_set():
        if row := queue.execute(TAKE_JOB).fetchone():
            job, lane = row
            run_lane(tenant.pk, lane, job)
        else:
            time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [12, pytest.param(300, marks=pytest.mark.endurance)])
def test_two_workers_fire_each_second_once(tenant, seconds):
    with tenant_scope(tenant, actor="system:test"):
        trigger = WorkflowTriggerFactory(
            workflow=publish(transform("a", "${ trigger.scheduled_for }")),
            trigger_type="scheduled",
            config={"cron": "* * * * * *", "misfire": "all", "overlap": "allow"},
            secret=None,
            next_fire_at=None,
        )
    command = [sys.executable, str(BASE_DIR / "manage.py"), "worker"]
    with ExitStack() as stack:
        for _ in range(2):
            worker = subprocess.Popen(command, env=build_environment(), cwd=BASE_DIR)
            stack.enter_context(terminate_after(worker))
        time.sleep(5)
        first = timezone.now().replace(microsecond=0) + timedelta(seconds=1)
        change(trigger, next_fire_at=first)
        wait_until(
            lambda: count_firings(tenant) >= seconds, progress=lambda: count_firings(tenant), pause=0.5
        )
        change(trigger, is_enabled=False)
        wait_until(lambda: not count_open(tenant), progress=lambda: count_open(tenant), pause=0.5)
    with tenant_scope(tenant, actor="system:test"):
        firings = TriggerFiring.objects.order_by("scheduled_for").values_list("scheduled_for", "status")
        runs = WorkflowExecution.objects.values_list("trigger_data__scheduled_for", "status")
        times = [first + timedelta(seconds=n) for n in range(len(firings))]
        assert list(firings) == [(each, "started") for each in times]
        assert sorted(runs) == [(each.isoformat(), "completed") for each in times]
        assert len(times) >= seconds


def change(trigger, **fields):
    with tenant_scope(trigger.tenant_id, actor="system:test"):
        WorkflowTrigger.objects.filter(pk=trigger.pk).update(**fields)


def count_firings(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return TriggerFiring.objects.count()
