"""Workers killed while they run workflows: every run ends, and every step and item is committed once."""

import random
import subprocess
import sys

import pytest
from django.db.models import Count

from config.postgres.logins import WORKER
from config.tenancy.scope import tenant_scope
from config.testing.processes import terminate_after
from config.testing.web_server import BASE_DIR, build_environment
from knowledge.tests.crashes import crash_workers
from knowledge.tests.waiting import wait_until
from tenants.models import OutboxEvent
from tenants.tests.factories import TenantFactory
from workflows.models import MapItem, StepExecution, Workflow, WorkflowEvent, WorkflowExecution
from workflows.services.runs import start_run
from workflows.tests.kills import SWEEP
from workflows.tests.runs import publish, transform

TENANTS, RUNS, ITEMS = 3, 8, 20
DICE = random.Random(20_261_130)
CALLS = (
    "workflows.runtime.lanes:claim_steps",
    "workflows.runtime.attempts:commit_step",
    "workflows.runtime.attempts:park_step",
    "workflows.runtime.map_helpers:work_range",
)
POINTS = [f"{moment} {call} {DICE.randint(4, 9)}" for call in CALLS for moment in ("before", "after")]
STEPS = (
    *(transform(name, "${ input.n }", needs=[]) for name in "abc"),
    {"id": "all", "kind": "join", "needs": ["a", "b", "c"]},
    {
        "id": "each",
        "kind": "map",
        "items": list(range(ITEMS)),
        "steps": [transform("n", "${ item }")],
        "item_batch": 5,
    },
    {"id": "pause", "kind": "delay", "seconds": 0.2},
    transform("end", "${ steps.each.output.succeeded }"),
)


def start_all():
    tenants = [TenantFactory() for _ in range(TENANTS)]
    for tenant in tenants:
        with tenant_scope(tenant, actor="system:test"):
            workflow = publish(*STEPS, output={"n": "${ steps.end.output }"})
            for n in range(RUNS):
                start_run(workflow, input_data={"n": n})
    return tenants


def count_ended(tenants):
    ended = 0
    for tenant in tenants:
        with tenant_scope(tenant, actor="system:test"):
            ended += WorkflowExecution.objects.exclude(completed_at=None).count()
    return ended


@pytest.mark.engine
@pytest.mark.unmeasured
@pytest.mark.slow
def test_every_step_is_committed_once_although_workers_are_killed(transactional_db, second_connection):
    tenants = start_all()
    queue = second_connection(WORKER)
    with crash_workers() as work:
        kills = 0
        for point in DICE.sample(POINTS, len(POINTS)):
            kills += work(point) == -9
            queue.execute(SWEEP)
    assert kills >= 6
    command = [sys.executable, str(BASE_DIR / "manage.py"), "worker"]
    last = subprocess.Popen(command, env=build_environment(), cwd=BASE_DIR)
    with terminate_after(last):
        wait_until(
            lambda: count_ended(tenants) == TENANTS * RUNS or last.poll() is not None,
            progress=lambda: count_ended(tenants),
            patience=240,
            pause=0.2,
        )
        assert last.poll() is None, "the worker exited early"
    for tenant in tenants:
        with tenant_scope(tenant, actor="system:test"):
            check_tenant()


def check_tenant():
    """Check that nothing is missing and nothing is counted twice."""
    found = WorkflowExecution.objects.values_list("status", "steps_completed", "output_data")
    assert [*found] == [("completed", len(STEPS), {"n": ITEMS})] * RUNS
    completed = StepExecution.objects.filter(status="completed", item=-1)
    counts = completed.values("execution", "step_id").annotate(n=Count("id"))
    assert sorted(row["n"] for row in counts) == [1] * (RUNS * len(STEPS))
    items = MapItem.objects.values_list("step", "position")
    assert len(items) == len(set(items)) == RUNS * ITEMS
    for run in WorkflowExecution.objects.all():
        events = WorkflowEvent.objects.filter(execution=run).order_by("sequence_number")
        assert [event.sequence_number for event in events] == list(range(1, run.event_count + 1))
    row = Workflow.objects.get()
    assert (row.run_count, row.success_count, row.error_count) == (RUNS, RUNS, 0)
    assert OutboxEvent.objects.filter(type="run.completed").count() == RUNS
