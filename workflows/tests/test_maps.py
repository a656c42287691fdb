"""Maps: ranges, failures, lost workers and runs per item."""

import pytest

from config.tenancy.scope import tenant_scope
from workflows.models import MapItem, MapState, StepExecution, WorkflowExecution
from workflows.runtime.lanes import run_lane
from workflows.runtime.step_bodies import StepError, StepResult
from workflows.services.runs import cancel_run, redrive_run, start_run
from workflows.testing import run_lanes, skip_waits
from workflows.tests.runs import publish, request, reread, states, transform
from workflows.tests.test_lanes import WorkerKilledError, begin, get_lane  # noqa: F401

pytestmark = pytest.mark.engine


def each(*steps, items="${ input.items }", **members):
    return {"id": "each", "kind": "map", "items": items, "steps": list(steps), **members}


def list_items(run):
    with tenant_scope(run.tenant_id, actor="system:test"):
        rows = MapItem.objects.filter(step__execution=run).order_by("position")
        return list(rows.values_list("position", "status", "output_data"))


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_each_item_runs_the_steps_once_and_the_join_comes_last(start, batch):
    double = transform("double", "${ item * 2 }")
    plus = transform("plus", "${ steps.double.output + index + steps.base.output }")
    run = start(
        transform("base", 100),
        each(double, plus, item_batch=batch, max_concurrency=3),
        transform("after", "${ steps.each.output.succeeded }"),
        output={"n": "${ steps.after.output }"},
        input_data={"items": list(range(7))},
    )

    assert (run.error_message, run.output_data) == ("", {"n": 7})
    assert list_items(run) == [(n, "completed", {"double": 2 * n, "plus": 3 * n + 100}) for n in range(7)]


def test_map_without_items(start):
    run = start(each(transform("a", 1)), output={"map": "${ steps.each.output }"}, input_data={"items": []})

    assert run.output_data == {"map": {"total": 0, "succeeded": 0, "failed": 0, "result": None}}


def test_tolerated_failures(start):
    ratio = transform("ratio", "${ 12 / item }")
    run = start(
        each(ratio, tolerated_failure_percentage=25),
        output={"failed": "${ steps.each.output.failed }"},
        input_data={"items": [1, 0, 2, 3]},
    )

    assert run.output_data == {"failed": 1}
    assert [status for _, status, _ in list_items(run)] == ["completed", "failed", "completed", "completed"]


def test_too_many_failures_fail_the_map_early_and_name_an_item(start):
    run = start(
        each(transform("ratio", "${ 12 / item }"), max_concurrency=1, tolerated_failure_count=1),
        input_data={"items": [0, 0, 1, 2, 3]},
    )

    assert run.status == "failed"
    assert run.error_message.startswith("Step each: 2 of 5 items failed. Item 0: ")
    assert len(list_items(run)) == 2


def test_failed_map_is_retried_with_the_items_that_are_missing(start, tenant, http):
    http.results += [StepError("busy", "Busy.", retryable=False), *[StepResult(n) for n in range(3)]]
    policy = {"maximum_attempts": 2}
    run = start(each(request(), max_concurrency=1, retry=policy), input_data={"items": [1, 2, 3]})
    skip_waits(tenant)

    assert reread(run).status == "completed"
    assert [context.item for context in http.contexts] == [0, 0, 1, 2]


def redrive(run):
    with tenant_scope(run.tenant_id, actor="system:test"):
        redrive_run(run.pk)
    run_lanes(run.tenant)
    return reread(run)


@pytest.mark.parametrize("batch", [1, 4])
def test_redriven_map_runs_only_the_failed_items(start, http, batch):
    broken = {3, 7, 19}

    def answer():
        item = http.contexts[-1].data["item"]
        if item in broken:
            raise StepError("broken", f"{item} is broken.", retryable=False)
        return StepResult(item)

    http.run = answer
    run = start(
        each(request(), item_batch=batch, max_concurrency=1, tolerated_failure_count=2),
        transform("after", "${ steps.each.output }"),
        output={"each": "${ steps.after.output }"},
        input_data={"items": list(range(20))},
    )
    assert (run.status, len(http.contexts)) == ("failed", 20)
    keys = {context.item: context.idempotency_key for context in http.contexts}
    broken.clear()
    http.contexts.clear()
    run = redrive(run)

    assert run.status == "completed"
    assert [(each.item, each.data["item"]) for each in http.contexts] == [(3, 3), (7, 7), (19, 19)]
    assert all(context.idempotency_key == keys[context.item] for context in http.contexts)
    with tenant_scope(run.tenant_id, actor="system:test"):
        state = MapState.objects.get(step__attempt=2)
        rows = MapItem.objects.filter(step_id=state.step_id).order_by("position")
        assert [*rows.values_list("position", "status", "output_data")] == [
            (n, "completed", {"call": n}) for n in range(20)
        ]
    assert run.output_data["each"] == {
        "total": 20,
        "succeeded": 20,
        "failed": 0,
        "result": {"map": str(state.step_id)},
    }


def test_redriven_map_runs_the_items_that_were_not_reached(begin, tenant, http):  # noqa: F811
    run = begin(each(request(), items=[5, 6, 7], max_concurrency=1))

    def cancel():
        if len(http.contexts) == 2:
            with tenant_scope(tenant, actor="system:test"):
                cancel_run(run.pk)
        return StepResult(http.contexts[-1].data["item"])

    http.run = cancel
    run_lanes(tenant)
    assert reread(run).status == "cancelled"
    http.contexts.clear()
    http.run = lambda: StepResult(http.contexts[-1].data["item"])
    run = redrive(run)

    assert run.status == "completed"
    assert [context.item for context in http.contexts] == [1, 2]


def test_redriven_map_whose_items_changed_runs_all(start, tenant, http):
    http.results += [StepResult(1), StepError("broken", "Broken.", retryable=False)]
    run = start(each(request(), max_concurrency=1), input_data={"items": [1, 2]})
    with tenant_scope(tenant, actor="system:test"):
        WorkflowExecution.objects.filter(pk=run.pk).update(input_data={"items": [1, 3]})
    http.contexts.clear()
    http.results += [StepResult(1), StepResult(3)]
    run = redrive(run)

    assert run.status == "completed"
    assert [context.data["item"] for context in http.contexts] == [1, 3]


def test_steps_of_items_are_skipped_retried_and_continued_after(start, http):
    http.results += [
        StepError("busy", "Busy."),
        StepResult(1),
        StepError("broken", "Broken.", retryable=False),
    ]
    run = start(
        each(
            request(
                when="item > 0", retry={"maximum_attempts": 2, "initial_interval": 0}, on_error="continue"
            ),
            transform("after", "${ steps.call.status }"),
            max_concurrency=1,
        ),
        input_data={"items": [0, 1, 2]},
    )

    assert run.status == "completed"
    assert [output["after"] for _, _, output in list_items(run)] == ["skipped", "completed", "failed"]
    keys = [context.idempotency_key for context in http.contexts]
    assert (keys[0] == keys[1], keys[1] == keys[2]) == (True, False)
    assert [context.item for context in http.contexts] == [1, 1, 2]


def test_items_must_be_a_list(start):
    assert (
        start(each(transform("a", 1)), input_data={"items": 7}).error_message
        == "Step each: items: enter a list."
    )


def test_range_of_a_lost_worker_is_taken_over_and_committed_once(begin, tenant, http):  # noqa: F811
    run = begin(each(request(), items=[1, 2, 3], max_concurrency=1), transform("after", 1))
    lane = get_lane(tenant)
    calls = []

    def die_once():
        calls.append(1)
        if len(calls) == 2:
            raise WorkerKilledError
        return StepResult(len(calls))

    http.run = die_once
    with pytest.raises(WorkerKilledError):
        run_lane(tenant.pk, lane.lane, lane.job)
    with tenant_scope(tenant, actor="system:test"):
        assert MapState.objects.get().done == 1
    run_lane(tenant.pk, lane.lane, lane.job)
    run_lanes(tenant)

    assert reread(run).status == "completed"
    assert [position for position, _, _ in list_items(run)] == [0, 1, 2]
    assert len(http.contexts) == 4


def test_cancelled_map_takes_no_more_items(begin, tenant, http):  # noqa: F811
    run = begin(each(request(), items=[1, 2, 3], max_concurrency=1))

    def cancel():
        with tenant_scope(tenant, actor="system:test"):
            cancel_run(run.pk)
        return StepResult(1)

    http.run = cancel
    run_lanes(tenant)

    assert reread(run).status == "cancelled"
    assert (len(http.contexts), list_items(run)) == (1, [])


def test_workflow_for_each_item(start, tenant, member):
    with tenant_scope(tenant, user=member.user):
        publish(
            {"id": "pause", "kind": "delay", "seconds": 60},
            transform("double", "${ 2 * input.n }"),
            slug="double",
            output={"n": "${ steps.double.output }"},
        )
    run = start(
        {
            "id": "each",
            "kind": "map",
            "items": [1, 2, 3],
            "workflow": "double",
            "input": {"n": "${ item }"},
            "max_concurrency": 2,
        }
    )
    with tenant_scope(tenant, actor="system:test"):
        assert WorkflowExecution.objects.filter(workflow__slug="double").count() == 2
    skip_waits(tenant)
    skip_waits(tenant)

    assert reread(run).status == "completed"
    assert [output for _, _, output in list_items(run)] == [{"n": 2}, {"n": 4}, {"n": 6}]


def test_map_of_many_items_keeps_few_rows(tenant, member):
    with tenant_scope(tenant, user=member.user):
        workflow = publish(each(transform("n", "${ item }"), item_batch=50))
        run = start_run(workflow, input_data={"items": list(range(1000))})
    run_lanes(tenant)

    assert states(run) == {"each": "completed"}
    assert [position for position, _, _ in list_items(run)] == list(range(1000))
    with tenant_scope(tenant, actor="system:test"):
        assert StepExecution.objects.count() == 5
