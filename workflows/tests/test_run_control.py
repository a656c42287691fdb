"""Cancel, pause, resume and redrive of runs, compensation, and limits of runs."""

import pytest
from django.core.exceptions import ValidationError

from config.tenancy.scope import tenant_scope
from workflows.models import Workflow, WorkflowExecution
from workflows.runtime import step_bodies
from workflows.runtime.clock import tick_tenant
from workflows.runtime.step_bodies import StepCancelledError, StepError, StepResult
from workflows.services.runs import cancel_run, pause_run, redrive_run, resume_run, start_run
from workflows.testing import run_lanes, skip_waits
from workflows.tests.runs import attempts, publish, request, reread, states, transform

pytestmark = pytest.mark.engine
PAUSE = {"id": "pause", "kind": "delay", "seconds": 3600}


def call(function, run, **options):
    """Call a service function with the ID of the run, in its scope."""
    with tenant_scope(run.tenant_id, actor="system:test"):
        return function(run.pk, **options)


def statistics(run):
    with tenant_scope(run.tenant_id, actor="system:test"):
        row = Workflow.objects.get(pk=run.workflow_id)
    return row.run_count, row.success_count, row.error_count


def test_cancel_ends_the_run_and_its_waiting_steps_once(start, tenant):
    run = start(transform("a", 1), PAUSE, transform("b", 2))

    assert call(cancel_run, run)
    assert not call(cancel_run, run)
    skip_waits(tenant)

    assert reread(run).status == "cancelled"
    assert states(run) == {"a": "completed", "pause": "cancelled"}
    assert statistics(run) == (1, 0, 0)


def test_cancel_reaches_a_body_under_way_whose_result_is_dropped(start, http, tenant, monkeypatch):
    monkeypatch.setattr("workflows.runtime.body_calls.CHECK_SECONDS", 0)

    def body(context):
        context.check_cancelled()
        with context.scope():
            cancel_run(context.execution_id)
        with pytest.raises(StepCancelledError):
            context.check_cancelled()
        return StepResult({"late": True})

    monkeypatch.setitem(step_bodies._bodies, "http", body)
    run = start(request(), transform("after", 1))
    (attempt,) = attempts(run, "call")

    assert run.status == "cancelled"
    assert (attempt.status, attempt.error_code, attempt.output_data) == ("failed", "interrupted", None)
    assert states(run) == {"call": "failed"}


def test_cancel_ends_the_run_that_a_step_waits_for(start, tenant, member):
    with tenant_scope(tenant, user=member.user):
        publish(PAUSE, slug="slow")
    run = start({"id": "child", "kind": "workflow", "workflow": "slow"})
    call(cancel_run, run)

    with tenant_scope(tenant, actor="system:test"):
        statuses = WorkflowExecution.objects.values_list("status", flat=True)
        assert list(statuses) == ["cancelled", "cancelled"]


def test_paused_run_starts_no_step_until_it_is_resumed(start, tenant):
    run = start(PAUSE, transform("after", 1))
    assert call(pause_run, run)
    assert not call(pause_run, run)
    skip_waits(tenant)
    assert (reread(run).status, states(run)) == ("paused", {"pause": "pending"})

    assert call(resume_run, run)
    assert not call(resume_run, run)
    run_lanes(tenant)
    assert (reread(run).status, states(run)) == ("completed", {"pause": "completed", "after": "completed"})


def test_step_under_way_ends_while_the_run_is_paused(start, tenant, http, monkeypatch):
    def body(context):
        with context.scope():
            pause_run(context.execution_id)
        return StepResult(1)

    monkeypatch.setitem(step_bodies._bodies, "http", body)
    run = start(request(), transform("after", "${ steps.call.output }"))
    assert (run.status, states(run)) == ("paused", {"call": "completed", "after": "pending"})

    call(resume_run, run)
    run_lanes(tenant)
    assert reread(run).status == "completed"


@pytest.mark.parametrize("again", [False, True])
def test_redrive_starts_at_the_failed_step(start, tenant, http, again):
    http.results += [StepResult(1), StepError("broken", "Broken.", retryable=False), StepResult(3)]
    run = start(
        request(),
        request(id="second"),
        request(id="third"),
        transform("beside", 4, needs=[]),
        output={"n": "${ steps.third.output }"},
    )
    assert statistics(run) == (1, 0, 1)
    http.results[:] = [StepResult(2), StepResult(3)]
    call(redrive_run, run, again=again)
    run_lanes(tenant)

    run = reread(run)
    assert (run.status, run.output_data, run.redrive_count) == ("completed", {"n": 3}, 1)
    assert (run.steps_completed, run.error_message) == (4, "")
    assert [context.step_id for context in http.contexts] == ["call", "second", "second", "third"]
    assert (http.contexts[1].idempotency_key == http.contexts[2].idempotency_key) is not again
    assert statistics(run) == (1, 1, 0)


def test_redrive_gives_a_step_its_attempts_again(start, tenant, http):
    http.results += [StepError("busy", "Busy.")] * 3
    run = start(request(retry={"maximum_attempts": 2}))
    skip_waits(tenant)
    assert reread(run).status == "failed"
    http.results += [StepResult(1)]
    call(redrive_run, run)
    run_lanes(tenant)
    skip_waits(tenant)

    assert [row.status for row in attempts(run, "call")] == ["failed", "failed", "failed", "completed"]


def test_only_failed_and_cancelled_runs_are_redriven(start):
    with pytest.raises(ValidationError, match="Only failed and cancelled runs"):
        call(redrive_run, start(transform("a", 1)))
    with pytest.raises(ValidationError, match="Only failed and cancelled runs"):
        call(redrive_run, start(PAUSE))


def test_compensations_run_in_reverse_order_of_completion(start, tenant, http):
    http.results += [StepResult({"id": n}) for n in (1, 2)]
    http.results += [StepError("broken", "Broken.", retryable=False), StepResult(), StepResult()]

    def undo(name):
        return {"kind": "http", "url": "https://example.com", "body": f"${{ steps.{name}.output.id }}"}

    run = start(
        request(compensate=undo("call")),
        request(id="second", compensate=undo("second")),
        request(id="third", compensate=undo("third")),
        on_failure=[transform("notify", "${ steps.call.output.id }")],
    )

    assert (run.status, run.error_message) == ("failed", "Step third: Broken.")
    undone = [(context.step_id, context.config["body"]) for context in http.contexts[3:]]
    assert undone == [("~second", 2), ("~call", 1)]
    assert states(run)["notify"] == "completed"
    assert statistics(run) == (1, 0, 1)
    with pytest.raises(ValidationError, match="was compensated"):
        call(redrive_run, run)


def test_failed_compensation_does_not_stop_the_others(start, http):
    broken = StepError("broken", "Broken.", retryable=False)
    http.results += [StepResult(), StepResult(), broken, broken, StepResult()]
    undo = {"kind": "http", "url": "https://example.com"}
    run = start(request(compensate=undo), request(id="second", compensate=undo), request(id="third"))

    assert run.status == "failed"
    assert states(run) == {
        "call": "completed",
        "second": "completed",
        "third": "failed",
        "~second": "failed",
        "~call": "completed",
    }


@pytest.fixture
def start_more(tenant, member):
    """Start runs of one workflow whose runs exclude each other by `input.key`."""

    def run(on_limit, *keys):
        limit = {"key": "${ input.key }", "limit": 1, "on_limit": on_limit}
        with tenant_scope(tenant, user=member.user):
            workflow = publish(PAUSE, concurrency=limit)
            found = [start_run(workflow, input_data={"key": key}) for key in keys]
        run_lanes(tenant)
        return found

    return run


def test_runs_over_the_limit_wait_for_the_end_of_another(start_more, tenant):
    first, second, third, other = start_more("queue", "a", "a", "a", "b")
    assert [reread(run).status for run in (first, second, third, other)] == [
        "waiting",
        "pending",
        "pending",
        "waiting",
    ]

    call(cancel_run, first)
    run_lanes(tenant)
    assert [reread(run).status for run in (second, third)] == ["waiting", "pending"]
    tick_tenant(tenant.pk)
    skip_waits(tenant)
    skip_waits(tenant)
    assert [reread(run).status for run in (second, third, other)] == ["completed"] * 3


def test_cancelling_a_run_that_has_not_started_starts_no_other(start_more, tenant):
    first, second, third = start_more("queue", "a", "a", "a")
    call(cancel_run, second)
    run_lanes(tenant)
    assert [reread(run).status for run in (first, second, third)] == ["waiting", "cancelled", "pending"]


def test_runs_over_the_limit_are_skipped_or_cancel_the_others(start_more):
    first, second = start_more("skip", "a", "a")
    assert [reread(run).status for run in (first, second)] == ["waiting", "cancelled"]
    assert states(second) == {}

    first, second = start_more("cancel_running", "a", "a")
    assert [reread(run).status for run in (first, second)] == ["cancelled", "waiting"]


def test_steps_of_a_higher_priority_start_first(tenant, member, http):
    http.results += [StepResult()] * 3
    with tenant_scope(tenant, user=member.user):
        workflow = publish(request())
        runs = [start_run(workflow, priority=priority) for priority in (0, 5, -5)]
    run_lanes(tenant)

    assert [context.execution_id for context in http.contexts] == [runs[1].pk, runs[0].pk, runs[2].pk]
