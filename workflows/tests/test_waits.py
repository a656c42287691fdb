"""Steps that wait, retries and time limits."""

from datetime import timedelta

import pytest
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from tenants.models import OutboxEvent
from tenants.services.outbox import publish as publish_event
from workflows.models import StepExecution, WorkflowExecution
from workflows.runtime.bodies.control_flow import make_event_type
from workflows.runtime.clock import tick_tenant
from workflows.runtime.event_delivery import deliver_events
from workflows.runtime.step_bodies import StepError, StepResult
from workflows.services.runs import complete_waiting_step, signal_event
from workflows.testing import run_lanes, skip_waits
from workflows.tests.runs import attempts, publish, request, reread, states, transform

pytestmark = pytest.mark.engine
WAIT = {
    "id": "wait",
    "kind": "wait_event",
    "event": "ticket.answered",
    "correlate": "event.data.issue == input.issue",
}


def emit(tenant, issue):
    """Publish an event and deliver it, as the relay does."""
    with tenant_scope(tenant, actor="system:test"):
        event = make_event_type("ticket.answered").model_validate({"issue": issue})
        (event_id,) = publish_event(event)
        return deliver_events(tenant.pk, [event_id], ["ticket.answered"])


def expire(run):
    """Let the time limits of the run's steps be over."""
    with tenant_scope(run.tenant_id, actor="system:test"):
        past = timezone.now() - timedelta(seconds=1)
        StepExecution.objects.filter(execution=run, expires_at__isnull=False).update(expires_at=past)
    tick_tenant(run.tenant_id)
    run_lanes(run.tenant_id)


def test_delay_waits_without_a_job(start, tenant):
    run = start({"id": "pause", "kind": "delay", "seconds": 3600}, transform("after", 1))
    assert (run.status, states(run)) == ("waiting", {"pause": "waiting"})

    tick_tenant(tenant.pk)
    assert states(run) == {"pause": "waiting"}
    skip_waits(tenant)

    run = reread(run)
    assert (run.status, states(run)) == ("completed", {"pause": "completed", "after": "completed"})


def test_waiting_extends_the_time_limit_of_the_run(start, tenant):
    run = start(
        {"id": "pause", "kind": "delay", "seconds": 3600}, {"id": "again", "kind": "delay", "seconds": 3600}
    )
    before = run.deadline_at
    with tenant_scope(tenant, actor="system:test"):
        WorkflowExecution.objects.update(waiting_since=timezone.now() - timedelta(days=3))
    skip_waits(tenant)

    assert timedelta(days=3) <= reread(run).deadline_at - before < timedelta(days=3, minutes=1)


def test_delay_until_a_past_time_does_not_wait(start):
    assert start({"id": "pause", "kind": "delay", "until": "2020-01-01T00:00:00Z"}).status == "completed"
    failed = start({"id": "pause", "kind": "delay", "until": "tomorrow"})

    assert failed.error_message == "Step pause: until: enter a timestamp with a time zone."


def test_event_ends_the_wait_of_the_step_that_it_is_for(start, tenant):
    first = start(WAIT, output={"issue": "${ steps.wait.output.data.issue }"}, input_data={"issue": 1})
    second = start(WAIT, input_data={"issue": 2})

    assert emit(tenant, 1) == 1
    assert emit(tenant, 3) == 0
    run_lanes(tenant)

    assert (reread(first).status, reread(first).output_data) == ("completed", {"issue": 1})
    assert (reread(second).status, states(second)) == ("waiting", {"wait": "waiting"})


def test_event_shortly_before_the_wait_is_found(start, tenant):
    assert emit(tenant, 1) == 0

    assert start(WAIT, input_data={"issue": 1}).status == "completed"
    assert start(WAIT, input_data={"issue": 2}).status == "waiting"


def test_event_between_the_look_and_the_wait_is_found_by_the_second_look(start, tenant):
    run = start(WAIT, input_data={"issue": 1})
    with tenant_scope(tenant, actor="system:test"):
        publish_event(make_event_type("ticket.answered").model_validate({"issue": 1}))
    skip_waits(tenant)

    assert reread(run).status == "completed"


@pytest.mark.parametrize(("on_timeout", "status"), [("fail", "failed"), ("continue", "completed")])
def test_wait_for_an_event_ends_at_its_timeout(start, tenant, on_timeout, status):
    run = start(WAIT | {"timeout": "PT1H", "on_timeout": on_timeout}, input_data={"issue": 1})
    skip_waits(tenant)
    assert reread(run).status == "waiting"
    with tenant_scope(tenant, actor="system:test"):
        StepExecution.objects.update(started_at=timezone.now() - timedelta(hours=2))
        OutboxEvent.objects.all()
    skip_waits(tenant)

    assert (reread(run).status, attempts(run, "wait")[0].error_code) == (status, "timeout")


def test_relayed_events_reach_waiting_steps(start, tenant, monkeypatch):
    # No test commits, so the events of its transaction count as committed.
    monkeypatch.setattr("tenants.services.relay.RELAYABLE", "true")
    from tenants.services.relay import _relay_batch

    run = start(WAIT, input_data={"issue": 1})
    with tenant_scope(tenant, actor="system:test"):
        publish_event(make_event_type("ticket.answered").model_validate({"issue": 1}))
        OutboxEvent.objects.filter(type="ticket.answered")
    _relay_batch(tenant.pk)
    run_lanes(tenant)

    assert reread(run).status == "completed"


def test_complete_waiting_step_once(start, tenant):
    run = start({"id": "pause", "kind": "delay", "seconds": 3600}, output={"got": "${ steps.pause.output }"})
    (attempt,) = attempts(run, "pause")
    with tenant_scope(tenant, actor="system:test"):
        assert complete_waiting_step(attempt.pk, output={"decision": "approved"})
        assert not complete_waiting_step(attempt.pk, output={"decision": "rejected"})
    run_lanes(tenant)

    assert reread(run).output_data == {"got": {"decision": "approved"}}
    with tenant_scope(tenant, actor="system:test"):
        assert not complete_waiting_step(attempt.pk, output={"decision": "rejected"})


def test_error_ends_the_wait_and_fails_the_run(start, tenant):
    run = start({"id": "pause", "kind": "delay", "seconds": 3600})
    with tenant_scope(tenant, actor="system:test"):
        complete_waiting_step(
            attempts(run, "pause")[0].pk, error=StepError("rejected", "No.", retryable=False)
        )
        assert signal_event("nobody", {}) == 0
    run_lanes(tenant)

    assert (reread(run).status, reread(run).error_message) == ("failed", "Step pause: No.")


def test_workflow_step_waits_for_the_run_and_takes_its_output(start, tenant, member):
    with tenant_scope(tenant, user=member.user):
        publish(
            transform("double", "${ input.n * 2 }"), slug="double", output={"n": "${ steps.double.output }"}
        )
    run = start(
        {"id": "child", "kind": "workflow", "workflow": "double", "input": {"n": "${ input.n }"}},
        output={"n": "${ steps.child.output.n }"},
        input_data={"n": 21},
    )

    assert (run.status, run.output_data) == ("completed", {"n": 42})
    with tenant_scope(tenant, actor="system:test"):
        child = WorkflowExecution.objects.get(parent_step__execution=run)
    assert (child.status, child.user_id) == ("completed", member.user_id)


def test_failed_and_missing_workflows_fail_the_step(start, tenant, member):
    with tenant_scope(tenant, user=member.user):
        publish(transform("ratio", "${ 1 / 0 }"), slug="broken")
    failed = start({"id": "child", "kind": "workflow", "workflow": "broken"})
    missing = start({"id": "child", "kind": "workflow", "workflow": "nothing"})

    assert failed.error_message.startswith("Step child: The run of broken ended as failed. Step ratio: ")
    assert missing.error_message == "Step child: The workflow nothing does not exist."


def test_workflow_that_starts_itself_ends_at_the_depth_limit(start, tenant, member):
    with tenant_scope(tenant, user=member.user):
        publish({"id": "again", "kind": "workflow", "workflow": "loop"}, slug="loop")
    run = start({"id": "child", "kind": "workflow", "workflow": "loop"})

    assert run.status == "failed"
    assert "at most 10 levels deep" in run.error_message
    with tenant_scope(tenant, actor="system:test"):
        assert WorkflowExecution.objects.count() == 11


def test_workflow_step_without_wait(start, tenant, member):
    with tenant_scope(tenant, user=member.user):
        publish({"id": "pause", "kind": "delay", "seconds": 60}, slug="slow")
    run = start({"id": "child", "kind": "workflow", "workflow": "slow", "wait": False}, transform("after", 1))

    assert run.status == "completed"
    with tenant_scope(tenant, actor="system:test"):
        child = WorkflowExecution.objects.get(workflow__slug="slow")
    assert attempts(run, "child")[0].output_data == {"run_id": str(child.pk)}
    assert child.status == "waiting"


def test_retries_use_the_same_key_and_wait_longer_each_time(start, tenant, http):
    http.results += [StepError("busy", "Busy."), StepError("busy", "Busy."), StepResult({"id": 7})]
    policy = {"maximum_attempts": 3, "initial_interval": 100, "backoff_coefficient": 3}
    run = start(request(retry=policy), output={"id": "${ steps.call.output.id }"})
    waits = []
    for _ in range(2):
        rows = attempts(run, "call")
        waits.append((rows[-1].wake_at - rows[-2].completed_at).total_seconds())
        skip_waits(tenant)

    assert reread(run).output_data == {"id": 7}
    assert [row.status for row in attempts(run, "call")] == ["failed", "failed", "completed"]
    assert 80 <= waits[0] <= 121
    assert 240 <= waits[1] <= 361
    assert len({context.idempotency_key for context in http.contexts}) == 1
    assert [context.attempt for context in http.contexts] == [1, 2, 3]


@pytest.mark.parametrize(
    "error",
    [
        StepError("budget_exceeded", "The budget is used up."),
        StepError("invalid", "Invalid.", retryable=False),
    ],
)
def test_errors_that_no_attempt_can_repair_are_not_retried(start, http, error):
    http.results.append(error)
    run = start(request(retry={"maximum_attempts": 3, "non_retryable": ["budget_exceeded"]}))

    assert (run.status, len(attempts(run, "call"))) == ("failed", 1)


def test_retry_after_wins_over_the_policy(start, http):
    http.results.append(StepError("busy", "Busy.", retry_after=1000))
    run = start(request(retry={"maximum_attempts": 2, "initial_interval": 1}))
    first, second = attempts(run, "call")

    assert 999 <= (second.wake_at - first.completed_at).total_seconds() <= 1001


def test_the_last_attempt_fails_the_run(start, tenant, http):
    http.results += [StepError("busy", "Busy.")] * 2
    run = start(request(retry={"maximum_attempts": 2}))
    skip_waits(tenant)

    assert (reread(run).status, reread(run).error_message) == ("failed", "Step call: Busy.")


def test_unexpected_errors_are_retried_and_tell_no_details(start, http):
    http.results.append(ZeroDivisionError("password=hunter2"))
    run = start(request())

    assert run.error_message == "Step call: Step call failed with an unexpected error (ZeroDivisionError)."


def test_time_limit_of_an_attempt_is_retried_and_the_deadline_is_not(start, tenant, http):
    pause = {"id": "pause", "kind": "delay", "seconds": 3600}
    run = start(pause | {"timeout": 60, "retry": {"maximum_attempts": 2}})
    expire(run)
    assert [row.error_code for row in attempts(run, "pause")] == ["timeout", ""]

    late = start(pause | {"deadline": 60, "retry": {"maximum_attempts": 2}})
    with tenant_scope(tenant, actor="system:test"):
        StepExecution.objects.filter(execution=late).update(deadline_at=timezone.now() - timedelta(seconds=1))
    expire(late)
    assert [row.error_code for row in attempts(late, "pause")] == ["deadline_exceeded"]
    assert reread(late).error_message == "Step pause: The deadline of the step is over."


def test_run_that_exceeds_its_time_limit_fails(start, tenant):
    run = start(transform("a", 1), {"id": "pause", "kind": "delay", "seconds": 3600}, timeout=60)
    with tenant_scope(tenant, actor="system:test"):
        WorkflowExecution.objects.update(status="running", deadline_at=timezone.now() - timedelta(seconds=1))
    tick_tenant(tenant.pk)

    run = reread(run)
    assert (run.status, run.error_message) == ("failed", "The run exceeded its time limit.")
    assert states(run) == {"a": "completed", "pause": "cancelled"}
