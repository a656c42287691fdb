"""Tests of the JSON column schemas."""

import pytest
from django.core.exceptions import ValidationError

from config.db.json_schema import validation_errors
from workflows import schemas
from workflows.models import Workflow, WorkflowTrigger


def agent(name, **more):
    return {"id": name, "kind": "agent", "agent": "writer"} | more


def paths(shape, value):
    return [path for path, _ in validation_errors(shape, value)]


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ([agent("a"), agent("b", needs=["a"])], []),
        ([{"id": "a", "kind": "wait", "seconds": 0}], []),
        ([agent("a", kind="dance")], [("steps", 0, "kind")]),
        ([agent("A b")], [("steps", 0, "id")]),
        ([agent("a", colour="red")], [("steps", 0, "colour")]),
        ([agent("a"), agent("a")], [("steps", 1, "id")]),
        ([agent("a"), {"id": "b", "kind": "tool"}], [("steps", 1, "tool")]),
        ([agent("a", needs=["ghost"])], [("steps", 0, "needs", 0)]),
        ([agent("a", retry={"attempts": 99})], [("steps", 0, "retry", "maximum_attempts")]),
    ],
)
def test_definition_errors_name_their_path(steps, wrong):
    assert paths(schemas.WorkflowDefinition, {"steps": steps}) == wrong


def test_definition_rejects_circular_dependencies():
    steps = [agent("a", needs=["c"]), agent("b"), agent("c", needs=["b"])]

    ((path, text),) = validation_errors(schemas.WorkflowDefinition, {"steps": steps})

    assert path[0] == "steps"
    assert path[2] == "needs"
    assert "depend on each other" in text


def test_steps_run_in_sequence_without_dependencies():
    steps = [agent("a"), agent("b"), agent("c", needs=[]), agent("d", needs=["a", "c"])]

    made = schemas.WorkflowDefinition.model_validate({"steps": steps})

    assert made.needs() == {"a": [], "b": ["a"], "c": [], "d": ["a", "c"]}


@pytest.mark.parametrize(
    ("kind", "config", "wrong"),
    [
        ("manual", {}, []),
        ("manual", {"cron": "* * * * *"}, [("cron",)]),
        ("scheduled", {"cron": "*/5 0-6,22 * * 1-5", "timezone": "Europe/Rome"}, []),
        ("scheduled", {}, [("cron",)]),
        ("scheduled", {"cron": "often"}, [("cron",)]),
        ("scheduled", {"cron": "0 6 * * 1", "timezone": "../etc/passwd"}, [("timezone",)]),
        ("webhook", {"header": "X-Signature-256"}, []),
        ("webhook", {"scheme": "github", "header": "X-Gitea-Signature"}, []),
        ("webhook", {"header": "a b"}, [("header",)]),
        ("webhook", {"header": "X-Token"}, [("header",)]),
        ("webhook", {"scheme": "none"}, [("scheme",)]),
        ("event", {"event": "document.ready"}, []),
        ("event", {"event": "ready"}, [("event",)]),
        ("event", {"event": "document.ready", "filter": {"collection": "handbook"}}, []),
        ("event", {"event": "document.ready", "filter": "event.data.chunk_count > 3"}, []),
        ("event", {"event": "document.ready", "filter": "event.data.chunk_count >"}, [("filter",)]),
        ("event", {"event": "document.ready", "filter": "steps.a.output"}, [("filter",)]),
    ],
)
def test_trigger_has_the_settings_of_its_kind(kind, config, wrong):
    assert paths(schemas.TRIGGERS[kind], config) == wrong


def test_history_attendees_and_tags_name_their_paths():
    assert paths(schemas.PhaseHistory, [{"phase": "discovery"}, {"phase": ""}]) == [(1, "phase")]
    assert paths(schemas.Attendees, [{"email": "nobody"}]) == [(0, "email")]
    assert paths(schemas.SemanticTags, {"subtasks": [{}], "free": 1}) == [("subtasks", 0, "task")]


def test_model_errors_name_the_path_within_the_field():
    workflow = Workflow(definition={"steps": [{"id": "a", "kind": "tool"}]})
    trigger = WorkflowTrigger(trigger_type="scheduled", config={"cron": "x"})

    for row, field, start in ((workflow, "definition", "steps.0.tool: "), (trigger, "config", "cron: ")):
        with pytest.raises(ValidationError) as caught:
            row.clean()
        (message,) = caught.value.message_dict[field]
        assert message.startswith(start)
