"""Built-in tools that need no network and no database: a calculator and a clock."""

import ast
import math
import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone

MOST_SIGNS = 500
MOST_NODES = 200
# Bits of a whole number: a thousand decimal places, which costs microseconds to multiply and to print.
MOST_BITS = 3_400
BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
UNARY: dict[type, Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "min": min,
    "round": lambda value, digits=0: round(float(value), max(-300, min(int(digits), 300))),
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}


class ToolRefused(ValueError):
    """A tool that will not do what it was asked; the message is for the model."""


def calculate(expression: str) -> int | float:
    """The value of an arithmetic expression: numbers, `+ - * / // % **`, parentheses, `FUNCTIONS`, `CONSTANTS`.

    Raises:
        ToolRefused: for anything else, and for numbers beyond `MOST_BITS`.
    """
    if len(expression) > MOST_SIGNS:
        raise ToolRefused(f"An expression has at most {MOST_SIGNS} signs.")
    try:
        tree = ast.parse(expression.strip().replace("^", "**"), mode="eval")
        if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
            raise ToolRefused("The expression has too many parts.")
        value = _value(tree.body)
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ToolRefused("This is no arithmetic expression.") from error
    except ZeroDivisionError as error:
        raise ToolRefused("Division by zero.") from error
    except (OverflowError, TypeError, ValueError) as error:
        if isinstance(error, ToolRefused):
            raise
        raise ToolRefused("This has no value among the real numbers that can be shown.") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise ToolRefused("The result is too large.")
    return value


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=inner) if type(sign) in UNARY:
            return UNARY[type(sign)](_value(inner))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in BINARY:
            first, second = _value(left), _value(right)
            if isinstance(sign, ast.Pow):
                _check_power(first, second)
            return _bounded(BINARY[type(sign)](first, second))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return _bounded(FUNCTIONS[name](*[_value(each) for each in args]))
    raise ToolRefused("Only numbers, + - * / // % **, parentheses and known functions can be computed.")


def _bounded(value: Any) -> Any:
    if isinstance(value, complex):
        raise ToolRefused("This has no value among the real numbers that can be shown.")
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ToolRefused("The number is too large.")
    return value


def _check_power(base: Any, exponent: Any) -> None:
    """Refuse before it is computed what would take long: whole numbers grow with the exponent."""
    whole = isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1
    if whole and abs(exponent) * base.bit_length() > MOST_BITS:
        raise ToolRefused("The number is too large.")


def current_time(zone: str = "UTC", moment: datetime | None = None) -> dict[str, str]:
    """Date and time in a time zone of the IANA database.

    Raises:
        ToolRefused: for a zone that is none.
    """
    try:
        local = (moment or timezone.now()).astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ToolRefused("No such time zone; name one like Europe/Berlin.") from error
    return {"time": local.isoformat(timespec="seconds"), "zone": zone, "weekday": local.strftime("%A")}
