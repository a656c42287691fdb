"""Runs that start one another by steps, agents, events and answers are limited together."""

from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError

from config.tenancy.scope import tenant_scope
from conversations.tests.factories import ConversationFactory
from tenants.services import relay
from tenants.services.relay import relay_events
from workflows.models import StepExecution, TriggerFiring, WorkflowExecution
from workflows.services.nesting import MAX_DEPTH, STARTED_BY, check_depth, find_run_of_event, find_starter
from workflows.services.runs import start_run
from workflows.services.waiting_steps import StepLink
from workflows.testing import run_lanes
from workflows.tests.factories import StepExecutionFactory, WorkflowExecutionFactory, WorkflowTriggerFactory
from workflows.tests.runs import publish

pytestmark = pytest.mark.engine


@pytest.fixture
def scope(tenant, member):
    with tenant_scope(tenant, user=member.user) as opened:
        yield opened


def make_conversation(run):
    """Return the conversation in which a step of this run asks its agent."""
    step = StepExecutionFactory(execution=run)
    link = StepLink(run.pk, step.pk, step.step_id, -1, 1)
    return ConversationFactory(id=link.conversation_id, metadata=link.render())


def start_by_step(run):
    return {"parent_step": StepExecutionFactory(execution=run)}


def start_by_agent(run):
    return {"trigger_data": {STARTED_BY: str(run.pk)}}


def start_by_event(run):
    return {"trigger_data": {"event": {"type": "ticket.closed", "data": {"run_id": str(run.pk)}}}}


def start_by_answer(run):
    data = {"conversation_id": str(make_conversation(run).pk)}
    return {"trigger_data": {"event": {"type": "answer.completed", "data": data}}}


STARTS = (start_by_step, start_by_agent, start_by_event, start_by_answer)


@pytest.mark.parametrize("start", STARTS)
def test_starter_of_a_run_is_found(scope, start):
    first = WorkflowExecutionFactory()
    assert find_starter(WorkflowExecutionFactory(**start(first)).pk) == first.pk
    assert find_starter(first.pk) is None


def test_chain_of_different_starts_is_limited(scope):
    run = WorkflowExecutionFactory()
    for place in range(MAX_DEPTH - 1):
        run = WorkflowExecutionFactory(**STARTS[place % len(STARTS)](run))
    check_depth(run.pk)
    run = WorkflowExecutionFactory(**start_by_answer(run))
    with pytest.raises(ValidationError, match="at most 10 levels"):
        check_depth(run.pk)


@pytest.mark.parametrize(
    "data",
    [
        None,
        1,
        {},
        {"run_id": 5},
        {"run_id": "x"},
        {"conversation_id": None},
        {"conversation_id": str(uuid4())},
    ],
)
def test_event_of_no_run_has_none(scope, data):
    assert find_run_of_event({"data": data}) is None


def test_metadata_that_people_wrote_names_no_run(scope):
    run = WorkflowExecutionFactory()
    conversation = ConversationFactory(metadata=make_conversation(run).metadata)
    assert find_run_of_event({"data": {"conversation_id": str(conversation.pk)}}) is None


def test_runs_that_emit_the_event_that_starts_them_end(tenant, monkeypatch):
    monkeypatch.setattr(relay, "RELAYABLE", "true")
    with tenant_scope(tenant, actor="system:test"):
        # A run ID of the author does not hide that of the run.
        echo = {"id": "echo", "kind": "emit", "event": "ping.sent", "data": {"run_id": "none"}}
        workflow = publish(echo)
        WorkflowTriggerFactory(
            workflow=workflow, trigger_type="event", config={"event": "ping.sent"}, secret=None
        )
        start_run(workflow)
    for _ in range(MAX_DEPTH + 5):
        run_lanes(tenant)
        relay_events(tenant.pk)

    with tenant_scope(tenant, actor="system:test"):
        assert WorkflowExecution.objects.count() == MAX_DEPTH + 1
        assert StepExecution.objects.filter(status="completed").count() == MAX_DEPTH + 1
        failed = TriggerFiring.objects.get(status="failed")
        assert "at most 10 levels" in failed.error
