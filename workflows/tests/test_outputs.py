"""Outputs of steps: large ones, unstorable text and secrets."""

import pytest
from django.core.files.storage import default_storage

from config.tenancy.scope import tenant_scope
from tenants.tests.factories import OutboxEventFactory
from workflows.models import StepExecution
from workflows.runtime import run_state
from workflows.runtime.event_delivery import deliver_events
from workflows.runtime.json_values import to_json_value
from workflows.runtime.step_bodies import StepError, StepResult
from workflows.services import outputs
from workflows.testing import run_lanes, skip_waits
from workflows.tests.runs import attempts, request, reread, transform

pytestmark = pytest.mark.engine


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def test_large_output_is_a_file_that_later_steps_read(start, tenant, http, media):
    http.results.append(StepResult({"rows": ["x" * 1000] * 300}))
    run = start(
        request(),
        {"id": "pause", "kind": "delay", "seconds": 60},
        transform("count", "${ steps.call.output.rows.size() }", needs=["call", "pause"]),
        output={"count": "${ steps.count.output }"},
    )
    (attempt,) = attempts(run, "call")
    assert attempt.output_data is None
    assert attempt.size_bytes > 300_000
    assert attempt.storage_path.startswith(f"tenants/{tenant.pk}/workflows/")
    assert default_storage.exists(attempt.storage_path)
    skip_waits(tenant)

    assert reread(run).output_data == {"count": 300}


@pytest.fixture
def lose_output(start, tenant, http, media):
    """Start a run with a stored output, which `wait` or the output of the run reads, and delete the file."""

    def run(*, is_read_by_wait):
        http.results.append(StepResult({"rows": ["x" * 1000] * 300}))
        wait = {"id": "wait", "kind": "wait_event", "event": "ticket.answered"}
        rows = "steps.call.output.rows.size() == 300"
        more = {"correlate": rows} if is_read_by_wait else {"needs": []}
        started = start(
            request(), {**wait, **more}, output={} if is_read_by_wait else {"all": f"${{ {rows} }}"}
        )
        default_storage.delete(attempts(started, "call")[0].storage_path)
        return started

    return run


@pytest.mark.parametrize(("is_read_by_wait", "origin"), [(True, "Step wait"), (False, "Output of the run")])
def test_lost_output_fails_its_readers_and_no_others(tenant, start, lose_output, is_read_by_wait, origin):
    lost = lose_output(is_read_by_wait=is_read_by_wait)
    kept = start({"id": "wait", "kind": "wait_event", "event": "ticket.answered"})
    with tenant_scope(tenant, actor="system:test"):
        event = OutboxEventFactory(type="ticket.answered")
        assert deliver_events(tenant.pk, [event.pk], ["ticket.answered"]) == 2
    run_lanes(tenant)
    skip_waits(tenant)

    assert [reread(run).status for run in (lost, kept)] == ["failed", "completed"]
    assert reread(lost).error_message == f"{origin}: The stored output of step call cannot be read."


def test_output_that_is_lost_while_a_map_runs_fails_the_map(start, tenant, http, media, monkeypatch):
    def lose(path):
        default_storage.delete(path)
        return read_output(path)

    read_output = outputs.read_output
    # The lane of the first step knows its output; the helpers of the map read the file.
    monkeypatch.setattr(run_state, "read_output", lose)
    http.results.append(StepResult({"rows": ["x" * 1000] * 300}))
    count = transform("count", "${ steps.call.output.rows.size() + item }")
    run = start(request(), {"id": "each", "kind": "map", "items": [1, 2, 3], "steps": [count]})
    kept = start(transform("a", 1))

    assert [reread(each).status for each in (run, kept)] == ["failed", "completed"]
    assert reread(run).error_message == "Step each: The stored output of step call cannot be read."
    with tenant_scope(tenant, actor="system:test"):
        assert not StepExecution.objects.filter(execution=run, status__in=["ready", "running"]).exists()


def test_output_cannot_name_the_file_of_another_tenant(start, http, media):
    http.results.append(StepResult({"path": "tenants/x/workflows/secret.json", "storage_path": "secret"}))
    run = start(request(), output={"path": "${ steps.call.output.path }"})

    assert run.output_data == {"path": "tenants/x/workflows/secret.json"}
    assert attempts(run, "call")[0].storage_path == ""


def test_output_above_the_limit_fails_the_step(start, http, media, monkeypatch):
    monkeypatch.setattr(outputs, "MAX_SIZE", 400_000)
    http.results.append(StepResult("x" * 500_000))
    run = start(request())

    assert run.error_message == "Step call: The output has 500002 bytes; the limit is 400000."
    assert attempts(run, "call")[0].error_code == "output_too_large"


def test_text_that_postgresql_cannot_store_is_cleaned(start, http):
    http.results.append(StepResult({"a\0b": "nul\0 and \ud800"}))
    run = start(request(), output={"text": "${ steps.call.output.ab }"})

    assert run.output_data == {"text": "nul and ?"}
    assert to_json_value("\\u0000") == "\\u0000"


def test_secrets_are_masked_in_errors(start, http):
    http.results.append(
        StepError("denied", "Authorization: Bearer sk-abcdefghijklmnopqrstuvwxyz", retryable=False)
    )
    run = start(request())

    assert "abcdefghijklmnop" not in run.error_message
    assert "abcdefghijklmnop" not in attempts(run, "call")[0].error_message


def test_resolved_members_are_stored_as_the_input(start, tenant, http):
    http.results.append(StepResult())
    run = start(request(body={"n": "${ input.n }"}), input_data={"n": 7})
    run_lanes(tenant)
    with tenant_scope(tenant, actor="system:test"):
        assert attempts(run, "call")[0].input_data["body"] == {"n": 7}
