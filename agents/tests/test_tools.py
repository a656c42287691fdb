"""Calculator and clock tools."""

import time
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from agents.choices import validate_tools
from agents.runtime.builtin_tools import ToolError, calculate, current_time


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-2 ** 2", -4),
        ("2 ^ 10", 1024),
        ("7 // 2 + 7 % 2", 4),
        ("sqrt(16) + max(1, 2, 3)", 7.0),
        ("round(pi, 2)", 3.14),
        ("0.1 + 0.2", 0.1 + 0.2),
        ("round(7, -10 ** 9)", 0.0),
        ("2 ** -1", 0.5),
    ],
)
def test_arithmetic_is_computed(expression, value):
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('id')",
        "().__class__",
        "open('/etc/passwd')",
        "[x for x in range(9)]",
        "lambda: 1",
        "'a' * 9",
        "True + 1",
        "1 if 1 else 2",
        "round(1, ndigits=2)",
        "sqrt",
        "a = 1",
        "",
        "1 +",
        "1j * 1j",
        "(-1) ** 0.5",
        "sqrt(-1)",
        "1 / 0",
        "1e308 * 10",
        "f'{1}'",
        "(" * 300 + "1" + ")" * 300,
        "1+" * 240 + "1",
        "exp(1000)",
    ],
)
def test_everything_else_is_refused(expression):
    with pytest.raises(ToolError):
        calculate(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "9 ** 9 ** 9",
        "2 ** 100000000",
        "(10 ** 1000) ** 1000",
        "9999999999 ** 9999999999",
        "*".join(["10 ** 900"] * 20),
    ],
)
def test_expensive_expressions_are_rejected_immediately(expression):
    began = time.perf_counter()
    with pytest.raises(ToolError):
        calculate(expression)
    assert time.perf_counter() - began < 0.5


def test_the_clock_knows_time_zones():
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert current_time("Europe/Berlin", noon) == {
        "time": "2026-07-01T14:00:00+02:00",
        "zone": "Europe/Berlin",
        "weekday": "Wednesday",
    }
    for zone in ("Mars/Olympus", "../../etc/passwd", "", "\0"):
        with pytest.raises(ToolError):
            current_time(zone, noon)


@pytest.mark.parametrize(
    "names", ["calculator", ["shell"], [1], ["calculator", "calculator"], ["mcp:"], [["x"]]]
)
def test_unknown_tools_are_rejected(names):
    with pytest.raises(ValidationError):
        validate_tools(names)


def test_known_tools_are_accepted():
    validate_tools(["calculator", "http_fetch", "mcp:files", "mcp:files/read_file"])
