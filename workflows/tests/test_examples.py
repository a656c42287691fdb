"""The examples of `docs/workflows/`, run by the engine against local services."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from mcp.server.mcpserver import MCPServer

from agents.choices import HTTP_SERVICE
from agents.models import McpServer
from agents.testing import call_tool, say
from agents.tests.factories import AgentFactory, IntegrationFactory, McpServerConfigFactory
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from conversations.meetings.runner import run_meeting
from conversations.models import AnswerLease
from knowledge.tests.factories import CollectionFactory
from tenants.services.outbox import publish as publish_event
from workflows.choices import ApprovalStatus, Decision
from workflows.models import Approval, MapItem, StepExecution, WorkflowExecution
from workflows.runtime.bodies.control_flow import make_event_type
from workflows.runtime.event_delivery import deliver_events
from workflows.services.publishing import publish
from workflows.services.runs import start_run
from workflows.services.waiting_steps import wake_step
from workflows.services.workflow_files import import_workflow
from workflows.testing import run_lanes, skip_waits
from workflows.tests.approval_steps import answer
from workflows.tests.days.mcp_server import run_mcp_server
from workflows.tests.runs import reread, states
from workflows.tests.step_contexts import ServedReply
from workflows.tests.test_agent_steps import model
from workflows.tests.test_http_steps import allow, service

__all__ = ["allow", "model", "service"]
pytestmark = pytest.mark.engine
EXAMPLES = Path(settings.BASE_DIR) / "docs/workflows"


@pytest.fixture
def store(tenant, member):
    """Return a function that imports and publishes an example."""

    def run(name, *, host="", url=""):
        text = (EXAMPLES / f"{name}.yaml").read_text()
        if host:
            assert f"https://{host}" in text
            text = text.replace(f"https://{host}", url)
        with tenant_scope(tenant, user=member.user):
            workflow, _ = import_workflow(text, slug=name)
            publish(workflow)
        return workflow

    return run


@pytest.fixture
def begin(tenant, member):
    """Return a function that starts a run and runs its lanes."""

    def run(workflow, input_data=None, **options):
        with tenant_scope(tenant, user=member.user):
            row = start_run(workflow, input_data=input_data, user_id=member.user_id, **options)
        run_lanes(tenant)
        return reread(row)

    return run


@pytest.fixture
def make_agents(tenant, member, model):
    """Return a function that creates agents whose model follows a script."""

    def run(*slugs, script):
        server = model(*script)
        with tenant_scope(tenant, user=member.user):
            account = IntegrationFactory(base_url=server.base_url)
            for slug in slugs:
                AgentFactory(
                    slug=slug, integration=account, model_provider="openai-compatible", model_name="m"
                )
        return server

    return run


@pytest.fixture
def connect(tenant, member, service, allow):
    """Return a function that starts an HTTP service with an integration."""

    def run(name, *script):
        started = service(*script)
        with tenant_scope(tenant, user=member.user):
            IntegrationFactory(name=name, platform=HTTP_SERVICE, base_url=started.url)
        return started

    return run


def end(run):
    return run.error_message, run.status, run.output_data


def test_route_request_runs_the_chosen_branch_only(store, begin, make_agents):
    make_agents(
        "support",
        "writer",
        script=[call_tool("final_result", category="question", urgency=2), say("At noon.")],
    )

    run = begin(store("route-request"), {"text": "When is high water?"})

    assert end(run) == ("", "completed", {"branch": "answer"})
    assert states(run) == {
        "classify": "completed",
        "route": "completed",
        "answer": "completed",
        "escalate": "skipped",
        "file": "skipped",
        "end": "completed",
    }


def test_nightly_digest_joins_its_branches(tenant, member, store, begin, make_agents):
    server = make_agents("writer", script=[say("Nothing changed.")])
    with tenant_scope(tenant, user=member.user):
        CollectionFactory(slug="handbook")

    run = begin(store("nightly-digest"))

    assert end(run) == ("", "completed", {"text": "Nothing changed."})
    assert "Write a digest for" in server.requests[0].body["messages"][-1]["content"]


def test_onboard_customer_waits_for_one_run_and_not_for_the_other(tenant, member, store, begin, make_agents):
    script = [call_tool("final_result", category="other", urgency=1), say("Digest."), say("Welcome.")]
    make_agents("support", "writer", script=script)
    with tenant_scope(tenant, user=member.user):
        CollectionFactory(slug="handbook")
    store("route-request"), store("nightly-digest")

    run = begin(store("onboard-customer"), {"customer": "Ada", "start": "2026-01-01T00:00:00Z"})

    assert (run.error_message, run.status) == ("", "completed")
    assert run.output_data["branch"] == "file"
    with tenant_scope(tenant, user=member.user):
        runs = WorkflowExecution.objects.exclude(pk=run.pk)
        assert sorted(runs.values_list("workflow__slug", "status")) == [
            ("nightly-digest", "completed"),
            ("route-request", "completed"),
        ]


@pytest.mark.parametrize("paid", [True, False])
def test_wait_for_payment_ends_with_the_event_or_its_timeout(paid, tenant, store, begin):
    run = begin(store("wait-for-payment"), {"invoice": "R1"})
    assert states(run) == {"announce": "completed", "payment": "waiting"}

    if paid:
        with tenant_scope(tenant, actor="system:test"):
            events = [
                make_event_type("invoice.paid").model_validate({"invoice": name}) for name in ("R0", "R1")
            ]
            deliver_events(tenant.pk, publish_event(*events), ["invoice.paid"] * 2)
        run_lanes(tenant)
        skip_waits(tenant)
    else:
        skip_waits(tenant)
        with tenant_scope(tenant, actor="system:test"):
            StepExecution.objects.update(started_at=timezone.now() - timedelta(days=15))
        skip_waits(tenant)
        # The delay of no seconds.
        skip_waits(tenant)

    run = reread(run)
    assert end(run) == ("", "completed", {"paid": paid})
    assert states(run)["remind"] == ("skipped" if paid else "completed")


def test_order_saga_ships(store, begin, connect):
    shop = connect("shop", ServedReply(body=b'{"id": 7}'))
    workflow = store("order-saga", host="shop.example.com", url=shop.url)

    run = begin(workflow, {"order": "A1", "amount": 5})

    assert end(run) == ("", "completed", {"shipment": {"id": 7}})
    assert [(each.method, each.path) for each in shop.requests] == [
        ("POST", "/api/reservations"),
        ("POST", "/api/charges"),
        ("POST", "/api/shipments"),
    ]


def test_order_saga_reverses_its_effects(store, begin, connect):
    refused = ServedReply(status=400)
    shop = connect("shop", ServedReply(), ServedReply(), refused, ServedReply())
    workflow = store("order-saga", host="shop.example.com", url=shop.url)

    run = begin(workflow, {"order": "A1", "amount": 5})

    assert run.status == "failed"
    assert run.error_message.startswith("Step ship: ")
    assert [(each.method, each.path) for each in shop.requests][3:] == [
        ("POST", "/api/refunds"),
        ("DELETE", "/api/reservations/A1"),
    ]
    assert states(run)["report"] == "completed"


def test_publish_report_posts_what_an_editor_approved(member, store, begin, make_agents, connect):
    make_agents("writer", script=[say("The tide turns.")])
    cms = connect("cms", ServedReply(status=201, body=b'{"id": 3}'))
    workflow = store("publish-report", host="cms.example.com", url=cms.url)

    run = begin(workflow, {"topic": "tides"})
    assert states(run) == {"draft": "completed", "check": "waiting"}
    run = decide_next(run, member, values={"title": "Tides"})

    assert end(run) == ("", "completed", {"post": {"id": 3}})
    assert json.loads(cms.requests[0].body) == {"title": "Tides", "text": "The tide turns."}


@pytest.mark.parametrize("decision", Decision.values)
def test_answer_ticket_sends_approved_answers_only(
    decision, tenant, member, store, begin, make_agents, connect
):
    make_agents("support", script=[say("At noon.")])
    helpdesk = connect("helpdesk")
    with tenant_scope(tenant, user=member.user):
        CollectionFactory(slug="handbook")
    workflow = store("answer-ticket", host="helpdesk.example.com", url=helpdesk.url)
    ticket = {"id": 7, "subject": "Tides", "text": "When is high water?"}

    run = begin(workflow, trigger_type="webhook", trigger_data={"body": ticket})
    run = decide_next(run, member, decision)

    sent = [{"ticket": 7, "text": "At noon."}] if decision == Decision.APPROVED else []
    assert end(run) == ("", "completed", {"sent": bool(sent)})
    assert [json.loads(each.body) for each in helpdesk.requests] == sent


def test_convert_prices_tolerates_failures_of_items(store, begin):
    run = begin(store("convert-prices"), {"prices": ["1.5"] * 98 + ["n/a", "2"], "rate": 1.1})

    assert end(run) == ("", "completed", {"summary": {"converted": 99, "failed": 1}})
    with tenant_scope(run.tenant_id, actor="system:test"):
        outputs = MapItem.objects.order_by("position").values_list("output_data", flat=True)
        assert [outputs[0], outputs[99]] == [{"convert": 1.65}, {"convert": 2.2}]


def test_convert_prices_fails_with_more_failures(store, begin):
    run = begin(store("convert-prices"), {"prices": ["1", "n/a"], "rate": 2})

    assert (run.status, states(run)) == ("failed", {"each": "failed"})
    assert run.error_message.startswith("Step each: ")


@pytest.mark.parametrize(("value", "conditions"), [(5, None), (500_000, {"limit": 3})])
def test_review_contract_asks_for_conditions_of_large_ones(
    value, conditions, member, store, begin, make_agents
):
    script = [say("Analyst: Who is liable?"), say("We are."), say("None."), say("A large risk.")]
    server = make_agents("reviewer", "analyst", script=script)

    run = begin(store("review-contract"), {"text": "We deliver.", "value": value})
    assert states(run) == {"meeting": "waiting"}
    run = hold_meeting(run)
    if conditions:
        assert states(run)["details"] == "waiting"
        run = decide_next(run, member, values=conditions)

    assert end(run) == ("", "completed", {"summary": "A large risk.", "conditions": conditions})
    assert states(run)["details"] == ("completed" if conditions else "skipped")
    assert len(server.requests) == 4


def hold_meeting(run):
    """Hold the meeting that the run waits for, and wake its step, as the jobs do."""
    with tenant_scope(run.tenant_id, actor="system:test"):
        lease = AnswerLease.objects.get(kind="meeting")
        step = StepExecution.objects.get(execution=run, status="waiting")
    assert run_meeting(run.tenant_id, lease.message_id)
    with tenant_scope(run.tenant_id, actor="system:test"):
        assert wake_step(run.tenant_id, step.pk)
    run_lanes(run.tenant_id)
    return reread(run)


@pytest.fixture
def tracker(tenant, member):
    """Return a function that starts an MCP server with a tool, and returns its calls."""

    def connect(url):
        with tenant_scope(tenant, user=member.user):
            server = McpServerConfigFactory(config={}, env={}, resource_limits={"timeout": 20}).mcp_server
        tools = [{"name": "create_issue", "inputSchema": {"required": ["title"]}}]
        with as_platform():
            rows = McpServer.objects.filter(pk=server.pk)
            rows.update(slug="tracker", server_type="http", command=url, tool_definitions=tools)

    calls, issues = [], MCPServer("tracker")

    @issues.tool()
    def create_issue(title: str) -> dict:
        """Create an issue."""
        calls.append(title)
        if "Fire" in title:
            raise ValueError("the tracker burns")
        return {"number": 7}

    with run_mcp_server(issues) as url:
        connect(url)
        yield calls


def test_report_incident_creates_an_issue(tracker, store, begin):
    run = begin(store("report-incident"), {"title": "Flood"})

    assert (run.error_message, run.status) == ("", "completed")
    assert json.loads(run.output_data["issue"]) == {"number": 7}
    assert states(run) == {"issue": "completed", "by_hand": "skipped", "result": "completed"}
    assert tracker == ["Flood"]


def test_report_incident_asks_a_person_if_the_tracker_fails(tenant, member, tracker, store, begin):
    run = begin(store("report-incident"), {"title": "Fire"})
    skip_waits(tenant)
    assert states(run) == {"issue": "failed", "by_hand": "waiting"}
    run = decide_next(run, member, values={"number": 12})

    assert end(run) == ("", "completed", {"issue": {"number": 12}})
    assert set(tracker) == {"Fire"}


def decide_next(run, person, decision=Decision.APPROVED, **fields):
    """Answer the approval that the run waits for, and run its lanes."""
    with tenant_scope(run.tenant_id, user=person.user_id):
        approval = Approval.objects.get(step__execution=run, status=ApprovalStatus.PENDING)
    answer(approval, person, decision, **fields)
    run_lanes(run.tenant_id)
    return reread(run)
