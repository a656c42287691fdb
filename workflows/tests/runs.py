"""Helpers for tests of runs."""

from config.tenancy.scope import tenant_scope
from workflows.models import StepExecution, WorkflowExecution
from workflows.tests.factories import WorkflowFactory, WorkflowVersionFactory


def transform(name, value=1, **members):
    """A step that computes a value."""
    return {"id": name, "kind": "transform", "value": value, **members}


def request(**members):
    """A step that sends a request."""
    return {"id": "call", "kind": "http", "url": "https://example.com", **members}


def publish(*steps, slug=None, **members):
    """A workflow with a published version of these steps."""
    definition = {"schema": "conclave.workflow/1", "steps": list(steps), **members}
    workflow = WorkflowFactory(definition=definition, **({"slug": slug} if slug else {}))
    WorkflowVersionFactory(
        workflow=workflow, snapshot={"definition": definition, "config": {}, "timeout": 3600}
    )
    return workflow


def reread(run):
    """Read the run again."""
    with tenant_scope(run.tenant_id, actor="system:test"):
        return type(run).objects.get(pk=run.pk)


def states(run):
    """Return the status of the latest attempt of each step."""
    with tenant_scope(run.tenant_id, actor="system:test"):
        steps = StepExecution.objects.filter(execution=run, item=-1).order_by("attempt")
        return dict(steps.values_list("step_id", "status"))


def attempts(run, step_id):
    """Return the attempts of a step, oldest first."""
    with tenant_scope(run.tenant_id, actor="system:test"):
        return list(StepExecution.objects.filter(execution=run, step_id=step_id).order_by("attempt"))


def list_runs(tenant, **filters):
    """Return the runs of a tenant, oldest first."""
    with tenant_scope(tenant, actor="system:test"):
        return list(WorkflowExecution.objects.filter(**filters).order_by("id"))


def count_open(tenant):
    """Return the number of the tenant's runs that have not ended."""
    return len(list_runs(tenant, completed_at=None))
