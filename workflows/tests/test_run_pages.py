"""Console page of a run."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents.tests.factories import LlmUsageFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from workflows.admin.run_pages import BAR_WIDTH, build_run_page, build_timeline, draw_definition
from workflows.choices import ENDED_RUNS
from workflows.models import StepExecution, WorkflowExecution
from workflows.services.waiting_steps import StepLink
from workflows.tests.approval_steps import ask, read
from workflows.tests.factories import MOMENT, StepExecutionFactory, WorkflowExecutionFactory, WorkflowFactory
from workflows.tests.runs import reread

DEFINITION = {
    "steps": [
        {"id": "draft", "kind": "transform", "value": 1},
        {"id": "check", "kind": "approval", "prompt": "Publish?"},
    ]
}


def open_page(client, run, **query):
    return client.get(reverse("admin:workflows_workflowexecution_change", args=[run.pk]), query)


def test_the_page_shows_graph_and_timeline(tenant, member, admin_client):
    with tenant_scope(tenant, user=member.user):
        run = WorkflowExecutionFactory(workflow=WorkflowFactory(definition=DEFINITION))
        StepExecutionFactory(
            execution=run,
            step_id="draft",
            status="failed",
            started_at=run.started_at,
            error_message="<b>No</b>",
            output_data={"text": "<script>"},
        )
    text = open_page(admin_client, run).content.decode()

    assert "transform: failed" in text
    assert "&lt;b&gt;No&lt;/b&gt;" in text
    assert "<b>No" not in text
    assert "&lt;script&gt;" in text


def test_the_page_takes_the_same_queries_for_many_steps(tenant, member, admin_client):
    with tenant_scope(tenant, user=member.user):
        run = WorkflowExecutionFactory(workflow=WorkflowFactory(definition=DEFINITION))
        StepExecutionFactory(execution=run)
    counts = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as queries:
            assert open_page(admin_client, run).status_code == 200
        counts.append(len(queries))
        with tenant_scope(tenant, user=member.user):
            StepExecutionFactory.create_batch(5, execution=run)

    assert counts[1] == counts[2] <= 20


def test_runs_of_other_tenants_are_not_shown(other_tenant, admin_client):
    with tenant_scope(other_tenant, user=add_member(other_tenant).user):
        run = WorkflowExecutionFactory()

    assert open_page(admin_client, run).status_code == 404


def test_bars_share_the_time_of_the_run():
    run = WorkflowExecution(started_at=MOMENT, completed_at=MOMENT + timedelta(seconds=10))
    first = StepExecution(started_at=MOMENT, completed_at=MOMENT + timedelta(seconds=5))
    second = StepExecution(started_at=MOMENT + timedelta(seconds=5), completed_at=run.completed_at)
    rows = build_timeline(run, [first, second, StepExecution()], MOMENT)

    assert [row.seconds for row in rows] == [5, 5, None]
    assert [(row.left, row.width) for row in rows[:2]] == [(0, BAR_WIDTH / 2), (BAR_WIDTH / 2, BAR_WIDTH / 2)]


def test_an_invalid_definition_has_no_graph():
    assert draw_definition({"steps": [{"id": "a", "kind": "nonsense"}]}, title="Graph") == ""
    assert draw_definition({}, title="Graph") == ""


def make_usage(run, step, **fields):
    """Record two calls of the conversation of an attempt, or of an item of a map."""
    place = {"step_id": step.step_id, "item": step.item, "attempt": step.attempt, **fields}
    link = StepLink(run.pk, step.pk, **place)
    calls = {"flow_id": run.pk, "conversation_id": link.conversation_id}
    costs = {
        "prompt_tokens": 1000,
        "completion_tokens": 200,
        "prompt_cost": "0.01",
        "completion_cost": "0.002",
    }
    LlmUsageFactory.create_batch(2, **calls, **costs)


def test_usage_is_summed_by_run_and_step(tenant, member, admin_client):
    with tenant_scope(tenant, user=member.user):
        run = WorkflowExecutionFactory(workflow=WorkflowFactory(definition=DEFINITION))
        draft = StepExecutionFactory(execution=run, step_id="draft", kind="agent")
        again = StepExecutionFactory(execution=run, step_id="draft", kind="agent", attempt=2)
        whole = StepExecutionFactory(execution=run, step_id="each", kind="map")
        helper = StepExecutionFactory(execution=run, step_id="each", kind="map", item=0)
        make_usage(run, draft)
        make_usage(run, again)
        for item in range(3):
            make_usage(run, helper, step_id="score", item=item)
        # A call of another run, and one without a conversation.
        LlmUsageFactory(prompt_tokens=1)
        LlmUsageFactory(flow_id=run.pk, prompt_tokens=1, completion_tokens=0, cost_known=False)
        page = build_run_page(run)

    found = {row.step.pk: (row.usage.tokens, str(row.usage.cost)) for row in page.rows if row.usage}
    assert found == {
        draft.pk: (2400, "0.024000"),
        again.pk: (2400, "0.024000"),
        whole.pk: (7200, "0.072000"),
    }
    assert page.usage.tokens == 12_001
    assert not page.usage.is_complete
    text = open_page(admin_client, run).content.decode()
    assert "12,001 tokens" in text
    assert "$0.0240" in text


def test_usage_needs_permission(tenant, member):
    with tenant_scope(tenant, user=member.user):
        run = WorkflowExecutionFactory(workflow=WorkflowFactory(definition=DEFINITION))
        make_usage(run, StepExecutionFactory(execution=run))
    viewer = Client()
    viewer.force_login(add_member(tenant, "viewer").user)

    text = open_page(viewer, run).content.decode()
    assert "Timeline" in text
    assert "2,400" not in text


def test_the_page_follows_the_run_until_it_ends(tenant, member, admin_client):
    approval = ask(tenant, member)
    with tenant_scope(tenant, user=member.user):
        run = WorkflowExecution.objects.get(steps=approval.step_id)
    text = open_page(admin_client, run).content.decode()
    version = re.search(r'hx-get="\?seen=([\w-]+)" hx-trigger="every 2s"', text)[1]

    assert open_page(admin_client, run, seen=version).status_code == 204
    control(admin_client, run, "pause")
    changed = open_page(admin_client, run, seen=version)
    assert changed.status_code == 200
    assert "seen=paused-" in changed.content.decode()
    control(admin_client, run, "cancel")
    ended = open_page(admin_client, run, seen=version)
    assert ended.status_code == 200
    assert "hx-trigger" not in ended.content.decode().split('id="run"')[1].split("<form")[0]


def test_unchanged_runs_of_other_tenants_are_not_shown(other_tenant, admin_client):
    with tenant_scope(other_tenant, user=add_member(other_tenant).user):
        run = WorkflowExecutionFactory(status="running", completed_at=None)
        version = build_run_page(run).version

    assert open_page(admin_client, run, seen=version).status_code == 404


def control(client, run, name, method="post"):
    address = f"/console/workflows/workflowexecution/{run.pk}/{name}/"
    return getattr(client, method)(address)


def test_a_run_is_paused_resumed_cancelled_and_redriven(tenant, member, admin_client):
    approval = ask(tenant, member)
    with tenant_scope(tenant, user=member.user):
        run = WorkflowExecution.objects.get(steps=approval.step_id)
    asked = control(admin_client, run, "pause", "get")
    assert "Pause the run?" in asked.content.decode()
    assert reread(run).status == "waiting"
    found = []
    for name in ("pause", "resume", "cancel", "redrive"):
        assert control(admin_client, run, name).status_code == 302
        found.append(reread(run).status)

    assert found[0] == "paused"
    assert found[2] == "cancelled"
    assert found[3] == "running"
    assert read(approval).status == "cancelled"


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        ("pending", ["cancel"]),
        ("running", ["cancel", "pause"]),
        ("waiting", ["cancel", "pause"]),
        ("paused", ["cancel", "resume"]),
        ("compensating", ["cancel"]),
        ("completed", []),
        ("failed", ["redrive"]),
    ],
)
def test_buttons_are_those_that_the_state_allows(tenant, member, admin_client, status, buttons):
    with tenant_scope(tenant, user=member.user):
        ended = MOMENT if status in ENDED_RUNS else None
        run = WorkflowExecutionFactory(status=status, completed_at=ended)
    found = [
        name
        for name in ("cancel", "pause", "resume", "redrive")
        if control(admin_client, run, name, "get").status_code == 200
    ]
    assert found == buttons


def test_buttons_need_permission_and_a_fitting_state(tenant, member, admin_client):
    with tenant_scope(tenant, user=member.user):
        run = WorkflowExecution.objects.get(steps=ask(tenant, member).step_id)
    viewer = Client()
    viewer.force_login(add_member(tenant, "viewer").user)

    assert control(viewer, run, "cancel").status_code == 403
    assert control(admin_client, run, "resume").status_code == 403
    assert control(admin_client, run, "redrive").status_code == 403
    text = open_page(admin_client, run).content.decode()
    assert [f"{run.pk}/{name}/" in text for name in ("cancel", "resume", "redrive")] == [True, False, False]
