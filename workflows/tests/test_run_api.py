"""Start of runs by the API: input, versions, waiting, repetition, batches and permissions."""

import pytest

from config.tenancy.scope import tenant_scope
from workflows.models import WorkflowExecution
from workflows.services import run_events
from workflows.testing import run_lanes
from workflows.tests.factories import WorkflowFactory
from workflows.tests.runs import publish, transform

pytestmark = pytest.mark.engine
SCHEMA = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}},
    "additionalProperties": False,
}


@pytest.fixture
def client(api_client):
    made = api_client("user")
    with tenant_scope(made.key.tenant_id, user=made.key.user):
        made.workflow = publish(
            transform("a", "${ input.n + 1 }"),
            slug="count",
            input=SCHEMA,
            output={"n": "${ steps.a.output }"},
        )
    return made


def run(client, body=None, name="count", action="run/", **headers):
    return client.post(
        f"/api/v1/workflows/{name}/{action}", body or {}, content_type="application/json", headers=headers
    )


def list_runs(client):
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        return list(WorkflowExecution.objects.order_by("id"))


@pytest.fixture
def working(client, monkeypatch):
    """Run the lanes of the tenant while a request waits."""

    def work(seconds):
        run_lanes(client.key.tenant_id)

    monkeypatch.setattr(run_events.time, "sleep", work)


@pytest.mark.parametrize("named_by", ["slug", "id"])
def test_run_is_started(client, named_by):
    name = "count" if named_by == "slug" else str(client.workflow.pk)
    response = run(client, {"input": {"n": 1}}, name)
    (started,) = list_runs(client)

    assert (response.status_code, response.json()["id"]) == (202, str(started.pk))
    assert response["Location"] == f"/api/v1/workflow-executions/{started.pk}/"
    assert (started.input_data, started.user_id) == ({"n": 1}, client.key.user_id)
    assert client.get(response["Location"]).json()["status"] == "running"


def test_finished_run_is_returned_within_the_time(client, working):
    response = run(client, {"input": {"n": 1}}, action="run/?wait=5")

    assert (response.status_code, response.json()["status"]) == (200, "completed")
    assert response.json()["output_data"] == {"n": 2}


def test_unfinished_run_is_returned_at_the_end_of_the_time(client):
    response = run(client, {"input": {"n": 1}}, action="run/?wait=0.2")

    assert (response.status_code, response.json()["status"]) == (202, "running")


def test_request_does_not_wait_without_a_place(client, working, settings):
    settings.MODEL_REQUESTS_PER_TENANT = 0
    response = run(client, {"input": {"n": 1}}, action="run/?wait=5")

    assert (response.status_code, response.json()["status"]) == (202, "running")


@pytest.mark.parametrize("wait", ["61", "-1", "nan", "soon", "inf"])
def test_time_to_wait_is_bounded(client, wait):
    response = run(client, {"input": {"n": 1}}, action=f"run/?wait={wait}")

    assert (response.status_code, response.json()["code"]) == (400, "invalid_wait")
    assert list_runs(client) == []


@pytest.mark.parametrize("wait", ["", "?wait=5"])
def test_repeated_request_starts_one_run(client, working, wait):
    first, second = (
        run(client, {"input": {"n": 1}}, action=f"run/{wait}", **{"Idempotency-Key": "k"}) for _ in range(2)
    )
    other = run(client, {"input": {"n": 2}}, action=f"run/{wait}", **{"Idempotency-Key": "k"})

    assert first.content == second.content
    assert second["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(list_runs(client)) == 1


def test_invalid_input_starts_no_run_and_frees_the_key(client):
    refused = run(client, {"input": {"n": "1"}}, **{"Idempotency-Key": "k"})
    accepted = run(client, {"input": {"n": 1}}, **{"Idempotency-Key": "k"})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/input")
    assert accepted.status_code == 202
    assert len(list_runs(client)) == 1


@pytest.mark.parametrize("body", [{"input": []}, {"version": 99}, {"other": 1}, {"priority": 1000}])
def test_invalid_body_is_refused(client, body):
    assert run(client, body).status_code == 400


def test_version_is_chosen(client):
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        number = client.workflow.versions.get().version

    assert run(client, {"input": {"n": 1}, "version": number}).status_code == 202


@pytest.mark.parametrize("state", ["paused", "draft"])
def test_workflow_that_cannot_start_is_a_conflict(client, state):
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        WorkflowFactory(slug="other", status="paused" if state == "paused" else "active")
    response = run(client, {}, "other")

    assert (response.status_code, response.json()["code"]) == (409, "workflow_not_ready")


def test_batch_starts_the_valid_inputs(client):
    response = run(client, {"inputs": [{"n": 1}, {"n": "x"}, {"n": 3}]}, action="batch/")
    results = response.json()["results"]

    assert response.status_code == 200
    assert [str(each.pk) for each in list_runs(client)] == [results[0]["run_id"], results[2]["run_id"]]
    assert results[1]["run_id"] is None
    assert "integer" in results[1]["error"]


def test_atomic_batch_starts_all_or_none(client):
    refused = run(client, {"inputs": [{"n": 1}, {"n": "x"}], "atomic": True}, action="batch/")
    before = len(list_runs(client))
    accepted = run(client, {"inputs": [{"n": 1}, {"n": 2}], "atomic": True}, action="batch/")

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/inputs/1")
    assert before == 0
    assert (accepted.status_code, len(list_runs(client))) == (200, 2)


def test_batch_is_bounded(client):
    assert run(client, {"inputs": [{"n": 1}] * 101}, action="batch/").status_code == 400
    assert run(client, {"inputs": []}, action="batch/").status_code == 400


def test_repeated_batch_starts_its_runs_once(client):
    for _ in range(2):
        run(client, {"inputs": [{"n": 1}] * 3}, action="batch/", **{"Idempotency-Key": "k"})

    assert len(list_runs(client)) == 3


@pytest.mark.parametrize("action", ["run/", "batch/"])
def test_viewer_starts_no_run(client, api_client, action):
    viewer = api_client("viewer", tenant=client.key.tenant)
    response = run(
        viewer, {"inputs": [{"n": 1}]} if action == "batch/" else {"input": {"n": 1}}, action=action
    )

    assert response.status_code == 403
    assert list_runs(client) == []


def test_runs_are_filtered(client, working):
    run(client, {"input": {"n": 1}}, action="run/?wait=5")
    run(client, {"input": {"n": 2}})
    done, unfinished = list_runs(client)

    def found(query):
        return [each["id"] for each in client.get(f"/api/v1/workflow-executions/?{query}").json()["results"]]

    assert found("status=completed") == [str(done.pk)]
    assert found("status_in=running,waiting") == [str(unfinished.pk)]
    assert found(f"workflow={client.workflow.pk}&ordering=id") == [str(done.pk), str(unfinished.pk)]
    assert found("trigger_isnull=false") == []
    assert found("started_before=2000-01-01T00:00:00Z") == []
    assert len(found("started_after=2000-01-01T00:00:00Z")) == 2


@pytest.mark.security("foreign run")
def test_runs_of_other_tenants_are_out_of_reach(client, api_client, other_tenant, attacks):
    run(client, {"input": {"n": 1}})
    (started,) = list_runs(client)
    outsider = api_client("admin", tenant=other_tenant)
    with tenant_scope(outsider.key.tenant_id, user=outsider.key.user):
        publish(transform("a", 1), slug="own")
    for path in ("", "events/", "events/stream/"):
        url = f"/api/v1/workflow-executions/{started.pk}/{path}"
        attacks.attempt(path, succeeded=outsider.get(url).status_code != 404)
    steps = outsider.get(f"/api/v1/step-executions/?execution={started.pk}").json()["results"]
    attacks.attempt("steps", succeeded=steps != [])
    attacks.attempt("start", succeeded=run(outsider, {}, str(client.workflow.pk)).status_code != 404)
    attacks.attempt("start by slug", succeeded=run(outsider, {}, "count").status_code != 404)
    body = {"inputs": [{"n": 1}]}
    attacks.attempt(
        "batch", succeeded=run(outsider, body, str(client.workflow.pk), "batch/").status_code != 404
    )
    attacks.attempt("number of runs", succeeded=len(list_runs(client)) != 1)
