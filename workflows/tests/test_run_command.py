"""`manage.py workflow run`."""

import json
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from config.tenancy.scope import tenant_scope
from workflows.management import run_action
from workflows.models import WorkflowExecution
from workflows.services import run_events
from workflows.testing import run_lanes
from workflows.tests.runs import publish, transform

INPUT = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.fixture
def workflow(tenant, monkeypatch):
    """A workflow whose lanes run while the command waits."""
    clock = SimpleNamespace(monotonic=run_events.time.monotonic, sleep=lambda seconds: run_lanes(tenant))
    monkeypatch.setattr(run_events, "time", clock)
    with tenant_scope(tenant, actor="system:test"):
        step = transform("half", "${ 12 / input.n }")
        return publish(step, slug="halve", input=INPUT, output={"half": "${ steps.half.output }"})


def run(tenant, *arguments, slug="halve"):
    written = StringIO()
    call_command("workflow", "run", slug, "--tenant", tenant.slug, *arguments, stdout=written)
    return written.getvalue().splitlines()


def test_events_and_output_are_printed(tenant, workflow, tmp_path):
    file = tmp_path / "input.json"
    file.write_text(json.dumps({"n": 2}))
    first, *lines = run(tenant, "--input-file", str(file))
    with tenant_scope(tenant, actor="system:test"):
        assert first == f"run {WorkflowExecution.objects.get().pk}"
    events = [line.split()[1:] for line in lines if line[2:3] == ":"]
    assert events == [["run.started"], ["step.completed", "half"], ["run.completed"]]
    assert json.loads("".join(lines[len(events) :])) == {"half": 6}


def test_failed_run_fails_the_command(tenant, workflow):
    with pytest.raises(CommandError, match=r"The run is failed.*half.*divide by zero"):
        run(tenant, "--input", '{"n": 0}')


def test_run_is_not_followed(tenant, workflow):
    assert len(run(tenant, "--input", '{"n": 1}', "--no-wait")) == 1
    with tenant_scope(tenant, actor="system:test"):
        assert WorkflowExecution.objects.get().completed_at is None


def test_hint_without_a_worker(tenant, workflow, monkeypatch):
    monkeypatch.setattr(run_action, "HINT_SECONDS", 0)
    monkeypatch.setattr(run_events, "KEEP_ALIVE_SECONDS", 0)
    idle = ["no lane runs during the first wait"]
    monkeypatch.setattr(run_events.time, "sleep", lambda seconds: idle.pop() if idle else run_lanes(tenant))
    assert any("manage.py worker" in line for line in run(tenant, "--input", '{"n": 1}'))


@pytest.mark.parametrize(
    ("arguments", "slug", "message"),
    [
        (["--input", "{"], "halve", "not valid JSON"),
        (["--input", "[]"], "halve", "must be a JSON object"),
        (["--input", '{"n": "x"}'], "halve", "n: 'x' is not of type 'integer'"),
        (["--version-number", "9"], "halve", "no version 9"),
        ([], "none", "none does not exist"),
    ],
)
def test_bad_input_starts_no_run(tenant, workflow, arguments, slug, message):
    with pytest.raises(CommandError, match=message):
        run(tenant, *arguments, slug=slug)
    with tenant_scope(tenant, actor="system:test"):
        assert not WorkflowExecution.objects.exists()
