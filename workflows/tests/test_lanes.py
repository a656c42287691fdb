"""Lanes under faults: lost workers, late results, foreign jobs and races."""

import threading
import time

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.roles import as_platform
from tenants.models import Tenant
from workflows.models import StepExecution, Workflow, WorkflowExecution, WorkflowLane
from workflows.runtime import lanes
from workflows.runtime.lanes import run_lane
from workflows.runtime.step_bodies import StepResult
from workflows.services.lanes import kick
from workflows.services.runs import start_run
from workflows.services.wakeups import repair_lanes
from workflows.testing import run_lanes, skip_waits
from workflows.tests.runs import attempts, count_open, publish, request, reread, states, transform

pytestmark = pytest.mark.engine


class WorkerKilledError(BaseException):
    """The end of a worker's process."""


@pytest.fixture
def begin(tenant, member):
    """Start a run of these steps without running its lanes."""

    def run(*steps, **members):
        with tenant_scope(tenant, user=member.user):
            return start_run(publish(*steps, **members))

    return run


def get_lane(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return WorkflowLane.objects.get(status="queued")


def test_result_of_a_step_that_another_worker_took_over_is_dropped(begin, tenant, http):
    def lose():
        """Lose the claim while the body runs."""
        with tenant_scope(tenant, actor="system:test"):
            StepExecution.objects.filter(step_id="call").update(status="ready", lane_job=None, takeovers=1)
            kick(tenant.pk)
        return StepResult("late")

    def run_next():
        return bodies.pop(0)()

    bodies = [lose, lambda: StepResult("good")]
    run = begin(request(), output={"result": "${ steps.call.output }"})
    http.run = run_next
    run_lanes(tenant)

    run = reread(run)
    assert (run.output_data, run.steps_completed) == ({"result": "good"}, 1)
    assert [row.claim for row in attempts(run, "call")] == [2]


def test_job_whose_lane_has_another_job_does_nothing(begin, tenant):
    run = begin(transform("a", 1))
    lane = get_lane(tenant)
    run_lane(tenant.pk, lane.lane, lane.job - 1)
    assert states(run) == {"a": "ready"}

    run_lanes(tenant)
    assert reread(run).status == "completed"


def test_job_that_is_started_again_takes_over_its_steps(begin, tenant, http):
    def die():
        raise WorkerKilledError

    run = begin(request(), transform("after", 1))
    lane = get_lane(tenant)
    http.run = die
    with pytest.raises(WorkerKilledError):
        run_lane(tenant.pk, lane.lane, lane.job)
    assert states(run) == {"call": "running"}

    http.run, http.results[:] = None, [StepResult()]
    run_lane(tenant.pk, lane.lane, lane.job)
    run_lanes(tenant)
    assert reread(run).status == "completed"
    assert len({context.idempotency_key for context in http.contexts}) == 1


def test_step_that_takes_its_worker_down_fails_after_five_claims(begin, tenant, http):
    def die():
        raise WorkerKilledError

    run = begin(request())
    lane = get_lane(tenant)
    http.run = die
    for _ in range(5):
        with pytest.raises(WorkerKilledError):
            run_lane(tenant.pk, lane.lane, lane.job)
    run_lane(tenant.pk, lane.lane, lane.job)

    assert reread(run).error_message == "Step call: Step call took its worker down 5 times."
    assert len(http.contexts) == 5


def test_step_beside_one_that_takes_its_worker_down_is_not_blamed(begin, tenant, http):
    """Both are lost for the second time; then the worker runs the step that takes it down, and the other one waits."""
    runs = [begin(request(retry={"maximum_attempts": 1})) for _ in range(2)]
    with tenant_scope(tenant, actor="system:test"):
        StepExecution.objects.update(takeovers=1, claim=2, status="running", lane_job=None)
        places = list(WorkflowLane.objects.filter(status="queued").order_by("lane"))
        for run, lane in zip(runs, places, strict=True):
            StepExecution.objects.filter(execution=run).update(lane_job=lane.job)

    def die():
        run_lane(tenant.pk, places[1].lane, places[1].job)
        raise WorkerKilledError

    http.run = die
    for _ in range(3):
        with pytest.raises(WorkerKilledError):
            run_lane(tenant.pk, places[0].lane, places[0].job)
    http.run, http.results[:] = None, [StepResult()]
    run_lane(tenant.pk, places[0].lane, places[0].job)
    skip_waits(tenant)

    assert [reread(run).status for run in runs] == ["failed", "completed"]
    assert [context.execution_id for context in http.contexts] == [runs[0].pk] * 3 + [runs[1].pk]
    assert ([row.claim for row in attempts(runs[1], "call")], http.contexts[-1].waited) == ([3], False)


def test_step_without_an_idempotency_key_is_not_repeated(begin, tenant, http):
    def die():
        raise WorkerKilledError

    run = begin(request(idempotency="none", retry={"maximum_attempts": 3}))
    lane = get_lane(tenant)
    http.run = die
    with pytest.raises(WorkerKilledError):
        run_lane(tenant.pk, lane.lane, lane.job)
    run_lane(tenant.pk, lane.lane, lane.job)

    assert [row.error_code for row in attempts(run, "call")] == ["unknown_outcome"]
    assert reread(run).status == "failed"


def test_lane_and_step_of_a_job_that_is_gone_are_freed(begin, tenant):
    run = begin(transform("a", 1), transform("b", 2))
    with tenant_scope(tenant, actor="system:test"):
        WorkflowLane.objects.filter(status="queued").update(status="running", job=0)
        StepExecution.objects.update(status="running", lane_job=0, claim=1)
        assert repair_lanes(tenant.pk) == 1
        assert repair_lanes(tenant.pk) == 0
    run_lanes(tenant)

    assert reread(run).status == "completed"
    assert [row.claim for row in attempts(run, "a")] == [2]


def test_ready_step_without_a_lane_gets_one(begin, tenant):
    run = begin(transform("a", 1))
    with tenant_scope(tenant, actor="system:test"):
        WorkflowLane.objects.update(status="idle", job=None)
    assert run_lanes(tenant) == 0
    with tenant_scope(tenant, actor="system:test"):
        repair_lanes(tenant.pk)
    run_lanes(tenant)

    assert reread(run).status == "completed"


def test_steps_of_a_suspended_tenant_wait(begin, tenant):
    run = begin(transform("a", 1))
    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(status="suspended")
    run_lanes(tenant)
    assert states(run) == {"a": "ready"}

    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(status="active")
    with tenant_scope(tenant, actor="system:test"):
        repair_lanes(tenant.pk)
    run_lanes(tenant)
    assert reread(run).status == "completed"


def test_round_trips_of_steps_and_joins(begin, tenant, monkeypatch):
    """BEGIN, scope, one statement and COMMIT; the scope is not among the captured queries."""
    trips = []
    original = lanes.run_attempt

    def count(run, attempt, time_slice):
        with CaptureQueriesContext(connection) as queries:
            chained = original(run, attempt, time_slice)
        trips.append((attempt.step_id, len(queries) + 1))
        return chained

    monkeypatch.setattr(lanes, "run_attempt", count)
    begin(
        transform("a", 1),
        transform("b", 2),
        transform("c", 3, needs=["a"]),
        {"id": "d", "kind": "join", "needs": ["b", "c"]},
        transform("e", 4),
        transform("f", 5),
    )
    run_lanes(tenant)

    counted = dict(trips)
    assert set(counted) == set("abcdef")
    assert {counted[name] for name in "abde"} == {4}
    assert counted["c"] <= 8


def work(tenant_id, stopped, taken, lock):
    """Run queued lanes as a worker does: each job once."""
    try:
        while not stopped.is_set():
            with lock, tenant_scope(tenant_id, actor="system:test"):
                queued = WorkflowLane.objects.filter(status="queued").exclude(job__in=taken).order_by("job")
                row = queued.values_list("tenant_id", "lane", "job").first()
                if row:
                    taken.add(row[2])
            if row:
                run_lane(*row)
            else:
                time.sleep(0.002)
    finally:
        connections.close_all()


def start_runs(tenant_id, workflow, number):
    try:
        for _ in range(number):
            with tenant_scope(tenant_id, actor="system:test"):
                start_run(workflow)
    finally:
        connections.close_all()


def test_no_join_and_no_wake_up_is_lost_under_concurrent_workers(transactional_db):
    """Lanes race for joins and end while other threads start runs; nothing repairs them."""
    tenant = factory_for("tenants.Tenant")()
    branches = [transform(f"b{n}", n, needs=[]) for n in range(6)]
    join = {"id": "all", "kind": "join", "needs": [step["id"] for step in branches]}
    with tenant_scope(tenant, actor="system:test"):
        workflow = publish(*branches, join, transform("end", "${ steps.all.output.b5 }"))
    stopped, taken, lock = threading.Event(), set(), threading.Lock()
    workers = [threading.Thread(target=work, args=(tenant.pk, stopped, taken, lock)) for _ in range(4)]
    starters = [threading.Thread(target=start_runs, args=(tenant.pk, workflow, 10)) for _ in range(3)]
    for thread in (*workers, *starters):
        thread.start()
    for thread in starters:
        thread.join()
    until = time.monotonic() + 60
    while count_open(tenant) and time.monotonic() < until:
        time.sleep(0.02)
    stopped.set()
    for thread in workers:
        thread.join()

    with tenant_scope(tenant, actor="system:test"):
        assert set(WorkflowExecution.objects.values_list("status", "steps_completed")) == {("completed", 8)}
        assert StepExecution.objects.filter(step_id="all", status="completed").count() == 30
        assert StepExecution.objects.count() == 240
        row = Workflow.objects.get(pk=workflow.pk)
        assert (row.run_count, row.success_count, row.error_count) == (30, 30, 0)
