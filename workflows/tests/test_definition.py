"""The document `conclave.workflow/1` and the upgrade of earlier and foreign forms."""

import pytest

from config.db.json_schema import validation_errors
from workflows.language.definition import WorkflowDefinition
from workflows.language.upgrades import upgrade_document
from workflows.language.values import to_seconds
from workflows.models import Workflow
from workflows.tests.factories import WorkflowFactory


def emit(name, **more):
    return {"id": name, "kind": "emit", "event": "step.done"} | more


def find_errors(steps, **more):
    return validation_errors(WorkflowDefinition, {"schema": "conclave.workflow/1", "steps": steps, **more})


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ({"kind": "delay"}, ("seconds",)),
        ({"kind": "delay", "seconds": 1, "until": "2026-12-01T00:00:00Z"}, ("seconds",)),
        ({"kind": "map", "items": []}, ("steps",)),
        (
            {"kind": "map", "items": [], "steps": [{"id": "b", "kind": "map", "items": []}]},
            ("steps", 0, "kind"),
        ),
        ({"kind": "map", "items": [], "steps": [emit("b", needs=[])]}, ("steps", 0, "needs")),
        ({"kind": "http", "url": "https://${ input.host }/x"}, ("url",)),
        ({"kind": "emit", "event": "a.b", "timeout": "P1Y"}, ("timeout",)),
        ({"kind": "emit", "event": "a.b", "on_error": "goto:ghost"}, ("on_error",)),
        (
            {"kind": "emit", "event": "a.b", "compensate": {"kind": "approval", "prompt": "?"}},
            ("compensate", "kind"),
        ),
        ({"kind": "form", "prompt": "?", "form": {"type": "nothing"}}, ("form",)),
        ({"kind": "switch", "cases": [{"when": "true", "goto": "ghost"}]}, ("cases", 0, "goto")),
        ({"kind": "wait"}, ("kind",)),
    ],
)
def test_error_names_its_member(step, path):
    assert [found for found, _ in find_errors([{"id": "a"} | step])] == [("steps", 0, *path)]


def test_ids_are_unique_in_maps_and_handlers_too():
    steps = [emit("a"), {"id": "m", "kind": "map", "items": [], "steps": [emit("a")]}]

    found = find_errors(steps, on_failure=[emit("m")])

    assert [path for path, _ in found] == [("steps", 1, "steps", 0, "id"), ("on_failure", 0, "id")]


def test_chosen_step_needs_the_step_that_chooses_it():
    switch = {"id": "s", "kind": "switch", "cases": [{"when": "true", "goto": "b"}], "default": "c"}

    found = find_errors([switch, emit("b", needs=["s"]), emit("c", needs=["b"])])

    assert found == [(("steps", 0, "default"), "Add s to the needs of step c.")]


def test_number_of_steps_includes_those_of_maps():
    steps = [
        {"id": f"m{n}", "kind": "map", "items": [], "steps": [emit(f"e{n}-{m}") for m in range(50)]}
        for n in range(10)
    ]

    assert [path for path, _ in find_errors(steps)] == [("steps",)]


def test_config_of_a_step_has_its_expressions_resolved():
    step = {
        "id": "a",
        "kind": "http",
        "url": "https://example.org/${ input.path }",
        "body": {"n": "${ input.n }"},
        "when": "input.n > 1",
    }
    document = WorkflowDefinition.model_validate({"steps": [step]})

    config = document.steps[0].resolve_config({"input": {"path": "p", "n": 3}})

    assert (config["url"], config["body"], config["when"]) == (
        "https://example.org/p",
        {"n": 3},
        "input.n > 1",
    )


@pytest.mark.parametrize(
    ("duration", "seconds"), [(5, 5), ("PT15M", 900), ("P1DT12H", 129_600), ("P2W", 1_209_600), (0.5, 0.5)]
)
def test_duration_in_seconds(duration, seconds):
    assert to_seconds(duration) == seconds


@pytest.mark.parametrize("duration", ["", "P", "PT", "P1M", "P1Y", "1 day", "P367D", 0, -1])
def test_malformed_duration_is_refused(duration):
    with pytest.raises(ValueError, match="Enter"):
        to_seconds(duration)


def test_linear_steps_are_upgraded():
    upgraded = upgrade_document(
        [
            {"name": "Write it", "type": "agent", "config": {"agent": "writer", "model": "gpt-4"}},
            {
                "name": "Write it",
                "type": "wait",
                "config": {"seconds": 3},
                "retry": {"attempts": 2, "delay": 1},
            },
        ]
    )

    first = {
        "id": "write_it",
        "name": "Write it",
        "kind": "agent",
        "agent": "writer",
        "input": {"model": "gpt-4"},
    }
    retry = {"maximum_attempts": 2, "initial_interval": 1}
    second = {"id": "write_it_2", "name": "Write it", "kind": "delay", "seconds": 3, "retry": retry}
    assert upgraded == {"schema": "conclave.workflow/1", "steps": [first, second]}
    assert validation_errors(WorkflowDefinition, upgraded) == []


@pytest.mark.parametrize("member", ["nodes", "steps"])
def test_edges_of_a_graph_become_needs(member):
    nodes = [
        {"id": "1", "type": "agent", "position": {"x": 3}, "data": {"label": "Draft", "agent": "writer"}},
        {"id": "Is it good", "type": "if", "data": {"condition": "steps.1.output == 'yes'"}},
        {"id": "node-3", "type": "approval", "data": {"prompt": "Publish?"}},
        {"id": "node-4", "type": "human", "data": {"prompt": "Discard?"}},
    ]
    edges = [
        {"source": "1", "target": "Is it good"},
        {"source": "Is it good", "target": "node-3", "condition": "true"},
        {"from": "Is it good", "to": "node-4", "condition": "false"},
    ]

    upgraded = upgrade_document({"configuration": {member: nodes, "edges": edges}})
    made = WorkflowDefinition.model_validate(upgraded)

    assert validation_errors(WorkflowDefinition, upgraded) == []
    assert made.needs() == {"1": [], "is_it_good": ["1"], "node_3": ["is_it_good"], "node_4": ["is_it_good"]}
    assert [step.when for step in made.steps][2:] == [
        'steps["is_it_good"].output == true',
        'steps["is_it_good"].output == false',
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"steps": [emit("a")]},
        {"schema": "conclave.workflow/1", "steps": [{"id": "a", "kind": "wait", "seconds": 1}]},
        {},
        None,
        "text",
        {"steps": [None, 5, emit("a")]},
        {"steps": "none"},
    ],
)
def test_current_and_malformed_documents_stay(document):
    assert upgrade_document(document) == document


def test_upgrade_is_stable():
    once = upgrade_document({"nodes": [{"id": "A b", "type": "wait", "config": {"seconds": 1}}], "edges": []})

    assert upgrade_document(once) == once


def test_stored_definition_is_upgraded_and_the_original_is_kept(scope):
    original = {"steps": [{"id": "pause", "kind": "wait", "seconds": 5}]}
    workflow = WorkflowFactory(definition=original, metadata={"team": "docs"})
    current = WorkflowFactory()

    stored = Workflow.objects.get(pk=workflow.pk)

    assert stored.definition["steps"] == [{"id": "pause", "kind": "delay", "seconds": 5}]
    assert stored.metadata == {"team": "docs", "imported": original}
    assert Workflow.objects.get(pk=current.pk).metadata == {}


def test_partial_save_keeps_the_original_too(scope):
    workflow = WorkflowFactory()
    workflow.definition = [{"name": "Pause", "type": "wait", "config": {"seconds": 5}}]
    workflow.save(update_fields={"definition"})

    assert "imported" in Workflow.objects.get(pk=workflow.pk).metadata


@pytest.mark.security("remote schema")
@pytest.mark.parametrize("member", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize(
    "reference", ["http://127.0.0.1:9/schema.json", "file:///etc/passwd", "//host/x", "other.json"]
)
def test_reference_outside_the_schema_is_refused(member, reference, attacks):
    schema = {"type": "object", "properties": {"x": {"anyOf": [{member: reference}]}}}

    found = find_errors([emit("a")], input=schema)

    attacks.attempt(reference, succeeded=[path for path, _ in found] != [("input",)])


@pytest.mark.security("remote schema", mutation=True)
def test_without_the_check_a_reference_leaves_the_schema(attacks, monkeypatch):
    monkeypatch.setattr("workflows.language.values._iterate_references", lambda schema: iter(()))

    attacks.attempt(succeeded=not find_errors([emit("a")], input={"$ref": "http://127.0.0.1:9/schema.json"}))


def test_reference_inside_the_schema_is_accepted():
    schema = {"$defs": {"name": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/name"}}}

    assert find_errors([emit("a")], input=schema) == []
