"""Retention: ended runs are deleted after the days of the plan, with their rows and files."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from config.db.partitions import references_to
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from tenants.models import Tenant
from tenants.tests.factories import SubscriptionFactory, SubscriptionPlanFactory
from workflows.models import Approval, MapItem, MapState, StepExecution, WorkflowEvent, WorkflowExecution
from workflows.runtime.step_bodies import StepResult
from workflows.services import retention
from workflows.services.retention import expire_runs
from workflows.services.runs import start_run
from workflows.testing import run_lanes
from workflows.tests.factories import TriggerFiringFactory
from workflows.tests.runs import attempts, publish, request, reread, transform

pytestmark = pytest.mark.engine
PAUSE = {"id": "pause", "kind": "delay", "seconds": 86_400 * 60}


def in_days(days):
    return timezone.now() + timedelta(days=days, minutes=1)


def set_days(tenant, **values):
    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(**values)


def subscribe(tenant, days):
    with as_platform():
        plan = SubscriptionPlanFactory(workflow_retention_days=days)
        SubscriptionFactory(tenant=tenant, plan=plan, status="active", expires_at=None)


def begin(tenant, *steps):
    with tenant_scope(tenant, actor="system:test"):
        run = start_run(publish(*steps))
    run_lanes(tenant)
    return reread(run)


def list_runs(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return set(WorkflowExecution.objects.values_list("pk", flat=True))


def test_ended_runs_are_deleted_after_the_days_of_the_plan(tenant, other_tenant):
    ended, open_run = begin(tenant, transform("a", 1)), begin(tenant, PAUSE)
    other = begin(other_tenant, transform("a", 1))
    subscribe(tenant, 30)

    assert expire_runs(in_days(29)) == 0
    assert expire_runs(in_days(30)) == 1
    assert expire_runs(in_days(3000)) == 0
    assert (list_runs(tenant), list_runs(other_tenant)) == ({open_run.pk}, {other.pk})
    assert (ended.status, reread(open_run).status) == ("completed", "waiting")


def test_everything_of_a_run_is_deleted(tenant, http, settings, tmp_path, django_capture_on_commit_callbacks):
    settings.MEDIA_ROOT = tmp_path
    http.results.append(StepResult(["x" * 1000] * 300))
    each = {"id": "each", "kind": "map", "items": [1, 2], "steps": [transform("a", 1)]}
    ask = {"id": "ask", "kind": "approval", "prompt": "Go on?", "roles": ["admin"], "on_error": "continue"}
    run = begin(tenant, request(), each, ask | {"needs": ["each"], "expires": 1})
    path = attempts(run, "call")[0].storage_path
    with tenant_scope(tenant, actor="system:test"):
        firing = TriggerFiringFactory(execution=run)
        WorkflowExecution.objects.update(status="cancelled", completed_at=timezone.now())
        counts = [
            model.objects.count() for model in (StepExecution, WorkflowEvent, MapState, MapItem, Approval)
        ]
    assert min(counts) > 0
    set_days(tenant, workflow_retention_days=7)
    with django_capture_on_commit_callbacks(execute=True):
        assert expire_runs(in_days(7)) == 1

    assert not default_storage.exists(path)
    with tenant_scope(tenant, actor="system:test"):
        for model in (WorkflowExecution, StepExecution, WorkflowEvent, MapState, MapItem, Approval):
            assert model.objects.count() == 0, model
        firing.refresh_from_db()
    assert firing.execution_id is None


def test_days_of_the_tenant_replace_those_of_the_plan_and_settings_shorten_them(tenant):
    run = begin(tenant, transform("a", 1))
    subscribe(tenant, 10)
    set_days(tenant, workflow_retention_days=90, settings={"workflows": {"retention_days": 400}})
    assert expire_runs(in_days(89)) == 0
    set_days(tenant, settings={"workflows": {"retention_days": "soon"}})
    assert expire_runs(in_days(89)) == 0
    set_days(tenant, settings={"workflows": {"retention_days": 3}})
    assert (expire_runs(in_days(3)), list_runs(tenant)) == (1, set())
    assert run.status == "completed"


def test_run_stays_while_the_run_that_started_it_is_in_progress(tenant):
    with tenant_scope(tenant, actor="system:test"):
        publish(transform("a", 1), slug="child")
    parent = begin(tenant, {"id": "sub", "kind": "workflow", "workflow": "child"}, PAUSE)
    set_days(tenant, workflow_retention_days=1)
    assert len(list_runs(tenant)) == 2
    assert expire_runs(in_days(2)) == 0
    with tenant_scope(tenant, actor="system:test"):
        WorkflowExecution.objects.filter(pk=parent.pk).update(status="cancelled", completed_at=timezone.now())

    assert expire_runs(in_days(2)) == 2


def test_runs_are_deleted_in_portions(tenant, monkeypatch):
    monkeypatch.setattr(retention, "PORTION", 2)
    for _ in range(5):
        begin(tenant, transform("a", 1))
    set_days(tenant, workflow_retention_days=1)

    assert (expire_runs(in_days(1)), list_runs(tenant)) == (5, set())


@pytest.mark.django_db
def test_rows_that_refer_to_runs_do_not_prevent_their_deletion():
    rules = {
        (each.table, each.column): each.rule
        for table in ("workflows_workflowexecution", "workflows_stepexecution")
        for each in references_to(table)
    }

    assert rules
    assert set(rules.values()) <= {"c", "n"}
