"""Runs of linear and forked workflows."""

import pytest
from django.core.exceptions import ValidationError

from config.tenancy.scope import tenant_scope
from tenants.models import OutboxEvent
from workflows.models import Workflow, WorkflowEvent, WorkflowExecution
from workflows.services.runs import start_run
from workflows.tests.factories import WorkflowFactory
from workflows.tests.runs import publish, states, transform

pytestmark = pytest.mark.engine


def test_linear_run(start):
    run = start(
        transform("first", "${ input.n }"),
        transform("second", {"sum": "${ steps.first.output + 1 }"}),
        output={"sum": "${ steps.second.output.sum }"},
        input_data={"n": 41},
    )

    assert (run.error_message, run.status, run.output_data, run.steps_completed) == (
        "",
        "completed",
        {"sum": 42},
        2,
    )
    assert states(run) == {"first": "completed", "second": "completed"}
    assert run.completed_at >= run.started_at


def test_fork_and_join(start):
    run = start(
        transform("a", 1),
        transform("b", 2, needs=[]),
        {"id": "both", "kind": "join", "needs": ["a", "b"]},
        output={"both": "${ steps.both.output }"},
    )

    assert run.output_data == {"both": {"a": 1, "b": 2}}


def test_false_condition_skips_the_step_and_the_step_behind_it(start):
    run = start(
        transform("a", 1, when="input.go"),
        transform("b", 2),
        transform("c", 3, needs=[]),
        transform("d", 4, needs=["b", "c"]),
        input_data={"go": False},
    )

    assert run.status == "completed"
    assert states(run) == {"a": "skipped", "b": "skipped", "c": "completed", "d": "completed"}


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (0, {"review": "skipped", "report": "completed", "stop": "skipped"}),
        (5, {"review": "completed", "report": "completed", "stop": "skipped"}),
        (50, {"review": "skipped", "report": "skipped", "stop": "completed"}),
    ],
)
def test_switch_skips_the_steps_that_it_does_not_choose(start, n, expected):
    cases = [{"when": "input.n == 0", "goto": "report"}, {"when": "input.n < 10", "goto": "review"}]
    run = start(
        {"id": "verdict", "kind": "switch", "cases": cases, "default": "stop"},
        transform("review", 1, needs=["verdict"]),
        transform("report", 2, needs=["verdict", "review"], join="none_failed"),
        transform("stop", 3, needs=["verdict"]),
        input_data={"n": n},
    )

    assert states(run) == {"verdict": "completed", **expected}


def test_failed_expression_fails_the_run_and_names_the_step(start):
    run = start(transform("ratio", "${ 1 / input.n }"), transform("after", 1), input_data={"n": 0})

    assert run.status == "failed"
    assert run.error_message.startswith("Step ratio: ")
    assert states(run) == {"ratio": "failed"}


def test_on_error_continue_goes_on_with_the_error(start):
    run = start(
        transform("ratio", "${ 1 / input.n }", on_error="continue"),
        transform("after", "${ steps.ratio.error.code }"),
        output={"code": "${ steps.after.output }"},
        input_data={"n": 0},
    )

    assert (run.status, run.output_data) == ("completed", {"code": "expression_failed"})


@pytest.mark.parametrize(("n", "expected"), [(0, "failed"), (1, "completed")])
def test_on_error_goto_runs_the_handler_only_after_an_error(start, n, expected):
    run = start(
        transform("ratio", "${ 1 / input.n }", on_error="goto:handler"),
        transform("handler", 1, needs=["ratio"]),
        transform("after", 2, needs=["ratio"]),
        input_data={"n": n},
    )

    chosen = (
        {"handler": "completed", "after": "skipped"}
        if n == 0
        else {"handler": "skipped", "after": "completed"}
    )
    assert states(run) == {"ratio": expected, **chosen}


def test_join_any_runs_after_the_first_completed_step(start):
    run = start(
        transform("a", 1, when="false"),
        transform("b", 2, needs=[]),
        transform("c", 3, needs=["a", "b"], join="any"),
        transform("d", 4, needs=["a"], join="any"),
    )

    assert states(run) == {"a": "skipped", "b": "completed", "c": "completed", "d": "skipped"}


def test_events_are_numbered_and_published(start, tenant):
    run = start(transform("a", 1), transform("b", 2))

    with tenant_scope(tenant, actor="system:test"):
        events = list(
            WorkflowEvent.objects.filter(execution=run)
            .order_by("sequence_number")
            .values_list("sequence_number", "kind", "data__step_id")
        )
        published = OutboxEvent.objects.get(type="run.completed").data
    assert events == [
        (1, "run.started", None),
        (2, "step.completed", "a"),
        (3, "step.completed", "b"),
        (4, "run.completed", None),
    ]
    assert published["run_id"] == str(run.pk)
    assert published["workflow_id"] == str(run.workflow_id)


def test_statistics_of_the_workflow(start, tenant):
    good = start(transform("a", 1))
    bad = start(transform("a", "${ 1 / 0 }"))
    partial = start(transform("a", "${ 1 / 0 }", on_error="continue"))

    with tenant_scope(tenant, actor="system:test"):
        rows = {
            row.pk: (row.run_count, row.success_count, row.error_count, row.last_run_status)
            for row in Workflow.objects.all()
        }
    assert rows[good.workflow_id] == (1, 1, 0, "success")
    assert rows[bad.workflow_id] == (1, 0, 1, "failed")
    assert rows[partial.workflow_id] == (1, 1, 0, "partial")


def test_emitted_events_are_published_and_reserved_names_refused(start, tenant):
    emit = {"id": "emit", "kind": "emit", "event": "ticket.closed", "data": {"issue": "${ input.issue }"}}
    run = start(emit, input_data={"issue": 7})
    forged = start(emit | {"event": "security.alert"}, input_data={"issue": 7})

    assert run.status == "completed"
    assert forged.error_message == "Step emit: Only Conclave publishes security.alert events."
    with tenant_scope(tenant, actor="system:test"):
        assert OutboxEvent.objects.get(type="ticket.closed").data == {"issue": 7, "run_id": str(run.pk)}
        assert not OutboxEvent.objects.filter(type="security.alert").exists()


def test_start_refuses_invalid_input_and_unpublished_workflows(tenant, member):
    schema = {"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}}
    with tenant_scope(tenant, user=member.user):
        workflow = publish(transform("a", 1), input=schema)
        with pytest.raises(ValidationError, match="topic: 7 is not of type 'string'"):
            start_run(workflow, input_data={"topic": 7})
        with pytest.raises(ValidationError, match="Publish the workflow first"):
            start_run(WorkflowFactory())
        workflow.status = "paused"
        with pytest.raises(ValidationError, match="Only active workflows can start"):
            start_run(workflow, input_data={"topic": "tides"})
        assert not WorkflowExecution.objects.exists()
