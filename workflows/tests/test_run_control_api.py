"""Cancel, pause, resume and redrive by the API, with their permissions."""

import pytest

from config.tenancy.scope import tenant_scope
from workflows.models import WorkflowExecution
from workflows.services.runs import start_run
from workflows.testing import run_lanes
from workflows.tests.runs import publish, transform

pytestmark = pytest.mark.engine
ACTIONS = ["cancel", "pause", "resume", "redrive"]


@pytest.fixture
def client(api_client):
    """A client of a user with a run that has not begun."""
    made = api_client("user")
    with tenant_scope(made.key.tenant_id, user=made.key.user):
        workflow = publish(transform("a", "${ input.n }"), transform("b", 2))
        made.run = start_run(workflow, input_data={"n": 1}, user_id=made.key.user_id)
    return made


def control(client, action, run, body=None):
    url = f"/api/v1/workflow-executions/{run.pk}/{action}/"
    return client.post(url, body or {}, content_type="application/json")


def status(run):
    with tenant_scope(run.tenant_id, actor="system:test"):
        return WorkflowExecution.objects.get(pk=run.pk).status


def test_paused_run_waits_until_it_is_resumed(client):
    paused = control(client, "pause", client.run)
    run_lanes(client.key.tenant_id)
    waiting = status(client.run)
    resumed = control(client, "resume", client.run)
    run_lanes(client.key.tenant_id)

    assert (paused.status_code, paused.json()["status"], waiting) == (200, "paused", "paused")
    assert (resumed.status_code, resumed.json()["status"]) == (200, "running")
    assert status(client.run) == "completed"


def test_cancelled_run_ends(client):
    response = control(client, "cancel", client.run)
    run_lanes(client.key.tenant_id)

    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert status(client.run) == "cancelled"


def test_failed_run_is_redriven(client):
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        workflow = publish(transform("a", "${ input.missing }"))
        run = start_run(workflow, input_data={}, user_id=client.key.user_id)
    run_lanes(client.key.tenant_id)
    failed = status(run)
    response = control(client, "redrive", run, {"again": True})

    assert failed == "failed"
    assert (response.status_code, response.json()["status"]) == (200, "running")


@pytest.mark.parametrize("action", ACTIONS)
def test_action_on_a_completed_run_is_a_conflict(client, action):
    run_lanes(client.key.tenant_id)
    response = control(client, action, client.run)

    assert (response.status_code, response.json()["code"]) == (409, "wrong_run_state")
    assert status(client.run) == "completed"


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("role", "expected"), [("viewer", 403), ("user", 403), ("analyst", 200)])
def test_only_writers_control_the_runs_of_others(client, api_client, action, role, expected):
    colleague = api_client(role, tenant=client.key.tenant)
    response = control(colleague, action, client.run)

    assert response.status_code == (409 if expected == 200 and action in ("resume", "redrive") else expected)
    if expected == 403:
        assert status(client.run) == "running"


@pytest.mark.security("foreign run")
@pytest.mark.parametrize("action", ACTIONS)
def test_runs_of_other_tenants_cannot_be_controlled(client, api_client, other_tenant, action, attacks):
    outsider = api_client("admin", tenant=other_tenant)
    response = control(outsider, action, client.run)

    attacks.attempt(action, succeeded=response.status_code != 404 or status(client.run) != "running")
