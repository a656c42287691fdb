"""Expressions in the Common Expression Language (CEL), and templates that contain them.

    evaluate("input.items.size() > 3", {"input": {"items": []}}) -> False
    resolve({"title": "About ${ input.topic }"}, {"input": {"topic": "CEL"}}) -> {"title": "About CEL"}

Only this module uses the CEL library. Values are JSON: integers stay integers, timestamps and durations become text.
"""

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any

from cel_expr_python import cel

from .tokens import MAX_LENGTH, TOO_LONG, Token, split_template, tokenize

MAX_RESULT_SIZE = 256_000
ROOTS = ("input", "config", "steps", "item", "index", "run", "trigger", "event")
# cel-cpp stops an evaluation after 10,000 iterations. It does not limit the memory or time of one iteration.
MAX_ITERATIONS = 10_000
MAX_WORK = 256_000_000
ELEMENT_SIZE = 16
MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
# The expected type of conditions.
CONDITION = frozenset({"bool"})
SCANS = frozenset({"+", "in", "matches", "contains"})
PLACE = re.compile(r"^(?:\w+: )?(?:ERROR: )?<input>:\d+:(\d+): (.*)$", re.MULTILINE)
CODES = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
ABSENT = re.compile(r'No value with name "(\w+)"')
CONTAINER = re.compile(r" \(in container '[^']*'\)")
MIXED = re.compile(r"\((?:int64|int), double\)|\(double, (?:int64|int)\)")
MAX_MESSAGE_LENGTH = 300
MESSAGES = {
    "Iteration budget": f"The expression takes more than {MAX_ITERATIONS} iterations.",
    "out of range for": "An integer does not fit into 64 bits.",
    "construction from null": "The data contains invalid text.",
}


class ExpressionError(ValueError):
    """An expression that cannot be compiled or evaluated."""


def evaluate(expression: str, data: Mapping[str, Any]) -> Any:
    """Return the value of an expression as JSON.

    Args:
        data: values of the roots, such as `input` and `steps`.

    Raises:
        ExpressionError: the expression is invalid, fails, takes too long or has a result above 256 kB.
    """
    source = unwrap(expression)
    program = _compile(source)
    _limit_work(source, data)
    try:
        value = program.eval(data=data)
        return _Result().convert(value)
    except (RuntimeError, UnicodeError) as error:
        raise ExpressionError(_explain(str(error))) from error


def evaluate_condition(expression: str, data: Mapping[str, Any]) -> bool:
    """Return the value of an expression that must be true or false.

    Raises:
        ExpressionError: see `evaluate`; also for another type.
    """
    value = evaluate(expression, data)
    if not isinstance(value, bool):
        raise ExpressionError("A condition must be true or false.")
    return value


def resolve(value: Any, data: Mapping[str, Any]) -> Any:
    """Return `value` with its expressions replaced by their results, which are not resolved again.

    A string that is one expression keeps the type of the result. In other strings, results become text; objects and
    lists become JSON.

    Raises:
        ExpressionError: see `evaluate`.
    """
    if isinstance(value, str):
        return _resolve_text(value, data)
    if isinstance(value, Mapping):
        return {name: resolve(each, data) for name, each in value.items()}
    return [resolve(each, data) for each in value] if isinstance(value, list) else value


def find_references(value: Any) -> set[str]:
    """Return the IDs of the steps that the templates in `value` refer to.

    Raises:
        ExpressionError: a reference does not name its step.
    """
    return {name for source in find_expressions(value) for name in find_steps(source)}


def find_expressions(value: Any) -> Iterator[str]:
    """Yield the expressions in the templates of nested JSON.

    Raises:
        ExpressionError: an expression is not closed.
    """
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from find_expressions(each)
    if isinstance(value, str):
        yield from (text for is_expression, text in _split(value) if is_expression)


def find_steps(expression: str) -> set[str]:
    """Return the IDs of the steps that an expression refers to, as `steps.a`, steps.`a-b` or `steps["a-b"]`.

    Raises:
        ExpressionError: a reference does not name its step.
    """
    names = list(_iterate_members(expression, "steps"))
    if "" in names:
        raise ExpressionError('Name the step: steps.<id> or steps["<id>"].')
    return set(names)


def find_members(expression: str, root: str) -> set[str]:
    """Return the names of the members of `root` that an expression refers to."""
    return {name for name in _iterate_members(expression, root) if name}


class ExpressionChecker:
    """Compiles expressions against types, without evaluating them.

    Args:
        roots: CEL types by name; names may be qualified: `{"input.topic": "string", "steps": "map"}`.
    """

    def __init__(self, roots: Mapping[str, str]) -> None:
        self.roots = roots

    @cached_property
    def _typed(self) -> Any:
        return _build_environment(self.roots)

    @cached_property
    def _untyped(self) -> Any:
        return _build_environment({name: kind for name, kind in self.roots.items() if "." not in name})

    def check(self, expression: str, expected: frozenset[str] = frozenset()) -> str:
        """Return what is wrong with an expression, or an empty string.

        Args:
            expected: names of the types that the result may have. Default: any.
        """
        try:
            source = unwrap(expression)
            # `has(input.topic)` tests the presence of a member, which a variable `input.topic` would replace.
            compiled = _compile_in(self._untyped if "has(" in source else self._typed, source)
        except ExpressionError as error:
            return str(error)
        kind = compiled.return_type().name().lower().split("<")[0]
        if expected and kind not in {*expected, "dyn"}:
            wanted = "true or false" if expected == CONDITION else f"of type {' or '.join(sorted(expected))}"
            return f"The result must be {wanted}, not {kind}."
        return ""


def check_condition(expression: str, roots: Mapping[str, str]) -> str:
    """Return what is wrong with an expression that must be true or false, or an empty string.

    See `ExpressionChecker`.
    """
    return ExpressionChecker(roots).check(expression, CONDITION)


def unwrap(expression: str) -> str:
    """Return the expression without `${` and `}` around it."""
    parts = _split(expression) if expression.lstrip().startswith("${") else []
    return parts[0][1] if len(parts) == 1 and parts[0][0] else expression


def _iterate_members(expression: str, root: str) -> Iterator[str]:
    """Yield the member of each reference to `root`, or an empty string if it is not a name."""
    try:
        tokens = tokenize(unwrap(expression))
    except ValueError as error:
        raise ExpressionError(str(error)) from error
    for place, token in enumerate(tokens):
        if token.kind == "name" and token.text == root and not (place and tokens[place - 1].text == "."):
            yield _get_member(tokens[place + 1 : place + 3])


def _get_member(tokens: list[Token]) -> str:
    match [(each.kind, each.text) for each in tokens]:
        case [(_, "."), ("name", name)]:
            return name.strip("`")
        case [(_, "["), ("text", text)]:
            return text.strip("\"'")
    return ""


def _split(text: str) -> list[tuple[bool, str]]:
    try:
        return split_template(text)
    except ValueError as error:
        raise ExpressionError(str(error)) from error


def _resolve_text(text: str, data: Mapping[str, Any]) -> Any:
    if "${" not in text:
        return text
    parts = _split(text)
    if len(parts) == 1 and parts[0][0]:
        return evaluate(parts[0][1], data)
    return "".join(_to_text(evaluate(part, data)) if is_expression else part for is_expression, part in parts)


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=1)
def _runtime() -> Any:
    return cel.NewEnv(variables=dict.fromkeys(ROOTS, cel.Type.DYN))


@lru_cache(maxsize=4096)
def _compile(source: str) -> Any:
    return _compile_in(_runtime(), source)


def _compile_in(environment: Any, source: str) -> Any:
    if len(source) > MAX_LENGTH:
        raise ExpressionError(TOO_LONG)
    try:
        return environment.compile(source)
    except (RuntimeError, UnicodeError) as error:
        raise ExpressionError(_explain(str(error))) from error


def _build_environment(roots: Mapping[str, str]) -> Any:
    return cel.NewEnv(variables={name: _parse_type(kind) for name, kind in roots.items()})


def _parse_type(kind: str) -> Any:
    if kind == "map":
        return cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    if kind.startswith("list<"):
        return cel.Type.List(_parse_type(kind[5:-1]))
    return getattr(cel.Type, kind.upper())


def _explain(message: str) -> str:
    """Return the library's message without its codes and source excerpt, with a hint for a common mistake."""
    for part, text in MESSAGES.items():
        if part in message:
            return text
    if place := PLACE.search(message):
        text = f"Column {place[1]}: {CONTAINER.sub('', place[2])}"
    elif absent := ABSENT.search(message):
        text = f"{absent[1]} has no value here"
    else:
        text = CODES.sub("", CODES.sub("", message.strip().splitlines()[0]))
    text = f"{text[:MAX_MESSAGE_LENGTH].rstrip('.')}."
    return f"{text} Convert the integer, as in double(input.n)." if MIXED.search(text) else text


def _limit_work(source: str, data: Mapping[str, Any]) -> None:
    """Refuse a comprehension that copies or scans large values in each iteration."""
    names = [token.text for token in tokenize(source)]
    macros = sum(name in MACROS for name in names)
    scans = sum(name in SCANS for name in names)
    if not macros or not scans:
        return
    roots = [value for name, value in data.items() if name in names]
    length, elements = len(source), 1
    for text_length, element_count in map(_measure, roots):
        length, elements = max(length, text_length), max(elements, element_count)
    growth = (scans / macros + 1) ** macros
    iterations = min(float(MAX_ITERATIONS), (max(elements, names.count(",") + 1) * growth) ** macros)
    if iterations * growth * max(length, elements * ELEMENT_SIZE) > MAX_WORK:
        raise ExpressionError("The expression copies or scans values that are too large for a loop.")


def _measure(value: Any) -> tuple[int, int]:
    """Return the length of the longest text, and the number of elements of the longest list or object."""
    length = elements = 0
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, str):
            length = max(length, len(each))
        elif isinstance(each, Mapping | list):
            elements = max(elements, len(each))
            stack.extend(each.values() if isinstance(each, Mapping) else each)
    return length, elements


class _Result:
    """Conversion of a CEL value to JSON, with a limit of its size."""

    def __init__(self) -> None:
        self.size = 0

    def convert(self, value: Any) -> Any:
        if value.type() == cel.Type.ERROR:
            raise ExpressionError(_explain(str(value.plain_value())))
        return self._convert(value.value())

    def _convert(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._key(name): self.convert(each) for name, each in value.items()}
        if isinstance(value, list):
            self._count(2)
            return [self.convert(each) for each in value]
        found = self._scalar(value)
        self._count(len(found.encode(errors="surrogatepass")) + 2 if isinstance(found, str) else 4)
        return found

    def _key(self, name: Any) -> str:
        text = json.dumps(name) if isinstance(name, bool) else str(name)
        self._count(len(text) + 4)
        return text

    def _scalar(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | str():
                return value
            case float():
                if not math.isfinite(value):
                    raise ExpressionError("The result is not a finite number.")
                return value
            case datetime():
                return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
            case timedelta():
                return f"{value.total_seconds():g}s"
            case bytes() | bytearray():
                return base64.b64encode(value).decode()
        raise ExpressionError("The result cannot be represented as JSON.")

    def _count(self, size: int) -> None:
        self.size += size
        if self.size > MAX_RESULT_SIZE:
            raise ExpressionError("The result is larger than 256 kB.")
