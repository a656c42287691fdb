"""Expressions and templates of the definition language."""

import time

import pytest

from workflows.language.expressions import (
    ExpressionChecker,
    ExpressionError,
    check_condition,
    evaluate,
    evaluate_condition,
    find_references,
    resolve,
)

ROOTS = {
    "input": "map",
    "input.topic": "string",
    "input.n": "int",
    "input.tags": "list<string>",
    "steps": "map",
}


@pytest.mark.parametrize(
    ("expression", "data", "value"),
    [
        ("input.n + 1", {"input": {"n": 2}}, 3),
        ("double(input.n) * 1.5", {"input": {"n": 3}}, 4.5),
        ("${ input.items.filter(x, x > 1) }", {"input": {"items": [1, 2, 3]}}, [2, 3]),
        (
            "steps.a.output",
            {"steps": {"a": {"output": {"b": [1, None, True, 1.5, "é"]}}}},
            {"b": [1, None, True, 1.5, "é"]},
        ),
        ('steps["a-b"].output + steps.`a-b`.output', {"steps": {"a-b": {"output": 2}}}, 4),
        ("timestamp('2026-03-29T01:30:00+01:00')", {}, "2026-03-29T00:30:00Z"),
        ("{'wait': duration('90s'), 'raw': b'ab', 1: 2u}", {}, {"wait": "90s", "raw": "YWI=", "1": 2}),
        ("has(input.x) ? input.x : 'none'", {"input": {}}, "none"),
    ],
)
def test_value_is_json_of_the_same_type(expression, data, value):
    found = evaluate(expression, data)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("expression", "data", "message"),
    [
        ("1/0", {}, "divide by zero."),
        ("[1, 1/0]", {}, "divide by zero."),
        ("input.x", {"input": {}}, 'Key not found in map : "x".'),
        ("input.n * 1.5", {"input": {"n": 2}}, "as in double(input.n)."),
        ("item", {}, "item has no value here."),
        ("nope", {}, "Column 1: undeclared reference to 'nope'."),
        ("1 +", {}, "Column 4: Syntax error"),
        ("'" + "x" * 2000 + "'", {}, "Shorten the expression to 2000 characters."),
        ("(" * 500, {}, "recursion limit"),
        ("input", {"input": float("inf")}, "not a finite number"),
        ("type(1)", {}, "cannot be represented as JSON"),
        ("input", {"input": "\ud800"}, "invalid text"),
        ("${ input", {}, "Close the expression with }."),
    ],
)
def test_error_is_raised_and_never_becomes_data(expression, data, message):
    with pytest.raises(ExpressionError) as caught:
        evaluate(expression, data)
    assert message in str(caught.value)


@pytest.mark.security("expensive expression")
@pytest.mark.parametrize(
    "expression",
    [
        "input.list.all(a, input.list.all(b, a + b >= 0))",
        "input.list.map(a, input.list.map(b, a))",
        "input.list.map(x, input.text + 'a')",
        "input.list.map(x, input.text)",
        "input.list.filter(x, input.text.matches('(a+)+b'))",
        "['xxxxxxxxxxxxxxxx']" + ".map(b, b + b)" * 25,
        "input.list.map(x, input.list)",
    ],
)
def test_expensive_expression_is_refused_soon(expression, attacks):
    data = {"input": {"list": list(range(1000)), "text": "a" * 200_000}}
    begun = time.process_time()
    try:
        evaluate(expression, data)
    except ExpressionError:
        attacks.attempt(succeeded=time.process_time() - begun > 2)
    else:
        attacks.attempt(succeeded=True)


@pytest.mark.security("expensive expression", mutation=True)
def test_without_the_limit_of_work_the_expression_copies_the_text_each_time(attacks, monkeypatch):
    monkeypatch.setattr("workflows.language.expressions._limit_work", lambda source, data: None)
    data = {"input": {"list": list(range(300)), "text": "a" * 200_000}}

    found = evaluate("size(input.list.map(x, input.text + 'a').filter(x, size(x) > 200000))", data)

    attacks.attempt(succeeded=found == 300)


def test_condition_must_be_true_or_false():
    assert evaluate_condition("input > 1", {"input": 2}) is True
    with pytest.raises(ExpressionError, match="true or false"):
        evaluate_condition("input", {"input": 1})


def test_template_keeps_types_and_builds_text():
    data = {"input": {"n": 3, "list": [1, {"a": "é"}], "text": "x"}}
    template = {
        "n": "${ input.n }",
        "text": ["${ input.text }: ${ input.n }, ${ input.list }", "$${ input.n }", 5],
    }

    assert resolve(template, data) == {"n": 3, "text": ['x: 3, [1, {"a": "é"}]', "${ input.n }", 5]}


@pytest.mark.security("double evaluation")
@pytest.mark.parametrize("template", ["${ input }", "text ${ input }", "${ {'a': [input]} }"])
def test_results_are_not_resolved_again(template, attacks):
    found = resolve(template, {"input": "${ config.secret }", "config": {"secret": "hunter2"}})

    attacks.attempt(succeeded="hunter2" in str(found))


@pytest.mark.security("double evaluation", mutation=True)
def test_a_second_resolution_would_reveal_data(attacks):
    data = {"input": "${ config.secret }", "config": {"secret": "hunter2"}}

    attacks.attempt(succeeded=resolve(resolve("${ input }", data), data) == "hunter2")


def test_references_name_their_steps():
    template = {"a": "${ steps.a.output + steps['b-c'].output } ${ steps.`d-e`.status } steps.no"}

    assert find_references(template) == {"a", "b-c", "d-e"}
    assert find_references("${ input.steps.x } ${ 'steps.y' } ${ 1 // steps.z\n }") == set()
    with pytest.raises(ExpressionError, match="Name the step"):
        find_references("${ size(steps) }")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("input.topic + 'x'", ""),
        ("input.other", ""),
        ("has(input.topic) && size(input.topic) > 3", ""),
        ("input.topic + 1", "Column 13: found no matching overload for '_+_' applied to '(string, int)'."),
        ("input.tags[0] > 1", "Column 15: found no matching overload for '_>_' applied to '(string, int)'."),
        ("input.n * 1.5", "as in double(input.n)."),
        ("other.x", "Column 6: undeclared reference to 'other.x'."),
    ],
)
def test_check_finds_errors_of_types_and_names(expression, message):
    found = ExpressionChecker(ROOTS).check(expression)

    assert bool(found) == bool(message)
    assert message in found


def test_check_of_a_condition_requires_true_or_false():
    assert check_condition("input.n > 1", ROOTS) == ""
    assert check_condition("input.other", ROOTS) == ""
    assert check_condition("input.n", ROOTS) == "The result must be true or false, not int."
