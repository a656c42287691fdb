"""The clock of the workers, and the jobs that it and the queue run."""

import threading
import time

import pytest
from django.utils import timezone

from config import clock
from config.tenancy.scope import tenant_scope
from workflows import tasks
from workflows.models import StepExecution, WorkflowLane
from workflows.runtime import clock as workflow_clock
from workflows.testing import run_lanes
from workflows.tests.runs import reread

called = threading.Event()


@pytest.fixture
def found(tenant, monkeypatch):
    """Let the clock find the tenant, for which it needs the login of the worker."""
    for name in ("list_due_tenants", "list_lost_tenants"):
        monkeypatch.setattr(workflow_clock, name, lambda: [tenant.pk])


def fail():
    """Fail, as while the database restarts."""
    raise ConnectionError


def note():
    """Note the call."""
    called.set()


def test_clock_goes_on_after_an_error(settings, monkeypatch):
    called.clear()
    settings.WORKER_CLOCK = [f"{__name__}.fail", f"{__name__}.note"]
    monkeypatch.setattr(clock, "INTERVAL_SECONDS", 0.01)
    with clock.run_clock():
        assert called.wait(5)
    assert "clock" not in {thread.name for thread in threading.enumerate()}


def test_tick_wakes_due_steps_and_frees_lost_lanes(start, tenant, found, monkeypatch):
    monkeypatch.setattr(workflow_clock, "_repaired", float("-inf"))
    run = start({"id": "pause", "kind": "delay", "seconds": 60})
    with tenant_scope(tenant, actor="system:test"):
        StepExecution.objects.filter(execution=run).update(wake_at=timezone.now())
        lane = WorkflowLane.objects.order_by("-lane")[0]
        WorkflowLane.objects.filter(pk=lane.pk).update(status="running", job=2**40)
    workflow_clock.tick()
    run_lanes(tenant)
    assert reread(run).status == "completed"
    with tenant_scope(tenant, actor="system:test"):
        assert WorkflowLane.objects.get(pk=lane.pk).status == "idle"


def test_failure_of_one_tenant_does_not_stop_the_clock_for_others(start, tenant, monkeypatch):
    """The scope of a tenant that does not exist cannot be opened."""
    monkeypatch.setattr(workflow_clock, "list_due_tenants", lambda: [None, tenant.pk])
    run = start({"id": "pause", "kind": "delay", "seconds": 60})
    with tenant_scope(tenant, actor="system:test"):
        StepExecution.objects.filter(execution=run).update(wake_at=timezone.now())
    monkeypatch.setattr(workflow_clock, "_repaired", time.monotonic())
    workflow_clock.tick()
    run_lanes(tenant)
    assert reread(run).status == "completed"


def test_tick_ends_overdue_runs(start, tenant, found):
    run = start({"id": "pause", "kind": "delay", "seconds": 60})
    with tenant_scope(tenant, actor="system:test"):
        type(run).objects.filter(pk=run.pk).update(status="running", deadline_at=timezone.now())
    workflow_clock.tick()
    assert (reread(run).status, reread(run).error_message) == ("failed", "The run exceeded its time limit.")


def test_wake_job_ignores_steps_that_do_not_wait(start, tenant):
    run = start({"id": "once", "kind": "transform", "value": 1})
    with tenant_scope(tenant, actor="system:test"):
        step = StepExecution.objects.get(execution=run)
    tasks.wake_step.func.__wrapped__(str(tenant.pk), str(step.pk))
    assert reread(run).status == "completed"


@pytest.mark.parametrize(
    ("job", "service"),
    [
        (tasks.embed_waiting_rows, "similarity.list_stale_tenants"),
        (tasks.expire_insights, "learning.expire_insights"),
        (tasks.expire_firings, "firings.expire_firings"),
        (tasks.settle_approvals, "approval_deadlines.settle_due_approvals"),
    ],
)
def test_periodic_jobs_call_their_service(job, service, monkeypatch):
    calls = []
    monkeypatch.setattr(f"workflows.services.{service}", lambda: calls.append(service) or [])
    job.func.__wrapped__(0)
    assert calls == [service]
