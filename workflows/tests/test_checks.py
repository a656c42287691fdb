"""Checks before publishing that need no database."""

import pytest

from workflows.language.checks import find_problems
from workflows.language.definition import WorkflowDefinition
from workflows.tests.runs import transform

INPUT = {
    "type": "object",
    "properties": {
        "topic": {"type": "string"},
        "count": {"type": "integer"},
        "owner": {"type": "object", "properties": {"name": {"type": "string"}}},
    },
}


def check(*steps, **more):
    document = {"schema": "conclave.workflow/1", "input": INPUT, "steps": list(steps), **more}
    return list(find_problems(WorkflowDefinition.model_validate(document)))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("${ input.topic } by ${ input.owner.name }", ""),
        ("${ input.topic + 1 }", "found no matching overload"),
        ("${ input.owner.name * 2 }", "found no matching overload"),
        ("${ input.count * 1.5 }", "as in double(input.n)"),
        ("${ input.author }", "The input schema does not declare author."),
        ("${ has(input.topic) ? input.topic : 'none' }", ""),
        ("${ steps.ghost.output }", "Step ghost does not exist."),
        ("${ steps.b.output }", "Step b does not always finish before."),
        ("${ steps.later.output }", "Step later does not always finish before."),
        ("${ steps.first.output + 1 }", ""),
        ("${ steps.first.status + 1 }", "found no matching overload"),
        ("${ secrets.token }", "undeclared reference to 'secrets"),
        ("${ item }", "undeclared reference to 'item'"),
        ("${ input.topic", "Close the expression with }."),
        ("$${ input.ghost }", ""),
        ("${ run.id } ${ config.region } ${ trigger.body.x }", ""),
    ],
)
def test_template_is_checked_with_path(value, problem):
    found = check(transform("first"), transform("b", {"deep": [value]}), transform("later"))

    assert [path for path, _ in found] == ([("steps", 1, "value", "deep", 0)] if problem else [])
    assert all(problem in text for _, text in found)


@pytest.mark.parametrize(
    ("step", "path"),
    [
        (transform("b", when="input.count"), ("when",)),
        (transform("b", input={"x": "${ 1 + 'a' }"}), ("input", "x")),
        ({"id": "b", "kind": "condition", "condition": "input.topic > 3"}, ("condition",)),
        ({"id": "b", "kind": "condition", "condition": "answer the question"}, ("condition",)),
        ({"id": "b", "kind": "delay", "seconds": "${ input.topic }"}, ("seconds",)),
        ({"id": "b", "kind": "map", "items": "${ input.topic }", "steps": [transform("c")]}, ("items",)),
        ({"id": "b", "kind": "wait_event", "event": "a.b", "correlate": "event.data"}, None),
        ({"id": "b", "kind": "wait_event", "event": "a.b", "correlate": "events.data"}, ("correlate",)),
        (
            transform("b", compensate={"kind": "emit", "event": "a.b", "data": {"x": "${ steps.b.output }"}}),
            None,
        ),
        (
            transform("b", compensate={"kind": "emit", "event": "a.b", "data": {"x": "${ steps.c.output }"}}),
            ("compensate", "data", "x"),
        ),
    ],
)
def test_each_member_is_checked(step, path):
    assert [found for found, _ in check(transform("a"), step)] == ([("steps", 1, *path)] if path else [])


def test_steps_of_a_map_see_items_and_earlier_steps():
    inner = [
        transform("x", "${ item.name }"),
        transform("y", "${ string(index) + string(steps.x.output) + string(steps.a.output) }"),
        transform("z", "${ steps.b.output }"),
    ]

    found = check(transform("a"), {"id": "m", "kind": "map", "items": [1], "steps": inner}, transform("b"))

    assert [path for path, _ in found] == [("steps", 1, "steps", 2, "value")]


def test_steps_of_a_map_are_unknown_outside():
    step = {"id": "m", "kind": "map", "items": [1], "steps": [transform("x")]}

    ((path, text),) = check(step, output={"x": "${ steps.x.output }"})

    assert path == ("output", "x")
    assert "does not always finish" in text


def test_parallel_step_is_not_an_ancestor():
    steps = [transform("a"), transform("b", needs=[]), transform("c", "${ steps.b.output }", needs=["a"])]

    assert [path for path, _ in check(*steps)] == [("steps", 2, "value")]


def test_handlers_see_the_steps_of_the_run():
    failure = [transform("f", "${ steps.a.error }"), transform("g", "${ steps.f.output }")]

    assert check(transform("a"), on_failure=failure) == []
    assert [path for path, _ in check(transform("a", "${ steps.f.output }"), on_failure=failure)] == [
        ("steps", 0, "value")
    ]


def test_types_of_outputs_are_known():
    approval = {
        "id": "ask",
        "kind": "approval",
        "prompt": "?",
        "form": {"type": "object", "properties": {"title": {"type": "string"}}},
    }
    agent = {
        "id": "write",
        "kind": "agent",
        "agent": "writer",
        "output_schema": {"type": "object", "properties": {"score": {"type": "integer"}}},
    }

    found = check(
        approval,
        agent,
        transform("a", "${ steps.ask.output.values.title + 1 }"),
        transform("b", "${ steps.write.output.object.score + 'x' }"),
        transform("c", "${ steps.write.output.object.score + 1 }"),
    )

    assert [path for path, _ in found] == [("steps", 2, "value"), ("steps", 3, "value")]


def test_chain_of_the_maximum_length_is_checked_without_recursion():
    steps = [transform("s0")] + [transform(f"s{n}", f"${{ steps.s{n - 1}.output }}") for n in range(1, 500)]

    assert check(*steps) == []


def test_number_of_expressions_is_limited():
    values = [["${ 1 + 'x' }"] * 6000]

    found = check(transform("a", values))

    assert len(found) == 5001
    assert found[-1][1] == "A workflow has at most 5000 expressions."
