"""Checks of a definition before it is published: references, types of expressions, and names of inputs.

Each problem names its path and its step. Checks that need the database are in `workflows.services.definition_checks`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.db.json_schema import SchemaError

from .bodies import DelayBody, RetrievalBody, StepBody, WaitEventBody
from .definition import WorkflowDefinition, get_needs
from .expressions import (
    CONDITION,
    ExpressionChecker,
    ExpressionError,
    find_expressions,
    find_members,
    find_steps,
)
from .schema_types import describe_output, describe_schema, list_undeclared
from .steps import MapBody, Path, StepBase

ROOTS = {"input": "map", "config": "map", "steps": "map", "run": "map", "trigger": "dyn"}
ITEM_ROOTS = {"item": "dyn", "index": "int"}
EVENT_ROOTS = {"event": "map"}
MAX_EXPRESSIONS = 5000
NUMBER = frozenset({"int", "uint", "double"})
# Types that members require of an expression that is their whole value.
EXPECTED: dict[type[StepBody], dict[str, frozenset[str]]] = {
    MapBody: {"items": frozenset({"list"})},
    DelayBody: {"seconds": NUMBER, "until": frozenset({"string", "timestamp"})},
    RetrievalBody: {"top_k": NUMBER},
}


@dataclass(frozen=True)
class Scope:
    """Names that the expressions of a step may use: results of other steps, and further roots."""

    steps: frozenset[str]
    roots: Mapping[str, str] = field(default_factory=dict)


def find_problems(definition: WorkflowDefinition) -> Iterator[SchemaError]:
    """Yield the problems of a valid document."""
    yield from _Checker(definition).check()


class _Checker:
    """Checks of one document."""

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.definition = definition
        self.known = {step.id for _, step in definition.iterate_steps()}
        self.undeclared = list_undeclared(definition.input)
        self.types = {**ROOTS, **describe_schema("input", definition.input)}
        for _, step in definition.iterate_steps():
            self.types |= describe_output(step)
        self.checkers: dict[frozenset[str], ExpressionChecker] = {}
        self.count = 0

    def check(self) -> Iterator[SchemaError]:
        document = self.definition
        main = frozenset(step.id for step in document.steps)
        yield from self._check_steps("steps", document.steps, frozenset())
        yield from self._check_steps("on_failure", document.on_failure, main)
        yield from self._check_templates(("output",), document.output, Scope(main))
        if document.concurrency:
            yield from self._check_templates(
                ("concurrency", "key"), document.concurrency.key, Scope(frozenset())
            )

    def _check_steps(
        self, section: str, steps: Sequence[StepBase], before: frozenset[str]
    ) -> Iterator[SchemaError]:
        ancestors = find_ancestors(get_needs(steps))
        for place, step in enumerate(steps):
            path, scope = (section, place), Scope(before | ancestors[step.id])
            yield from self._check_step(path, step, scope)
            if step.compensate:
                yield from self._check_step(
                    (*path, "compensate"), step.compensate, Scope(scope.steps | {step.id})
                )

    def _check_step(self, path: Path, step: StepBody, scope: Scope) -> Iterator[SchemaError]:
        inner_scope = Scope(scope.steps, ITEM_ROOTS) if isinstance(step, MapBody) else scope
        yield from self._check_templates((*path, "input"), step.input, inner_scope)
        for name, value in step.unresolved.items():
            if name != "input":
                expected = EXPECTED.get(_get_body(step), {}).get(name, frozenset())
                yield from self._check_templates((*path, name), value, scope, expected)
        conditions = step.get_conditions()
        if when := getattr(step, "when", None):
            conditions = {("when",): when, **conditions}
        for place, expression in conditions.items():
            roots = EVENT_ROOTS if isinstance(step, WaitEventBody) and place == ("correlate",) else {}
            found = Scope(scope.steps, {**scope.roots, **roots})
            yield from self._check_expression((*path, *place), expression, found, CONDITION)
        if isinstance(step, MapBody):
            earlier: frozenset[str] = frozenset()
            for index, inner in enumerate(step.steps):
                yield from self._check_step(
                    (*path, "steps", index), inner, Scope(scope.steps | earlier, ITEM_ROOTS)
                )
                earlier |= {inner.id}

    def _check_templates(
        self, path: Path, value: Any, scope: Scope, expected: frozenset[str] = frozenset()
    ) -> Iterator[SchemaError]:
        """Check the expressions in nested JSON."""
        if isinstance(value, Mapping):
            for name, each in value.items():
                yield from self._check_templates((*path, name), each, scope)
        elif isinstance(value, list):
            for place, each in enumerate(value):
                yield from self._check_templates((*path, place), each, scope)
        elif isinstance(value, str):
            try:
                expressions = list(find_expressions(value))
            except ExpressionError as error:
                yield path, str(error)
                return
            whole = expected if value.strip().startswith("${") and len(expressions) == 1 else frozenset()
            for expression in expressions:
                yield from self._check_expression(path, expression, scope, whole)

    def _check_expression(
        self, path: Path, expression: str, scope: Scope, expected: frozenset[str] = frozenset()
    ) -> Iterator[SchemaError]:
        self.count += 1
        if self.count > MAX_EXPRESSIONS:
            # Reported once, and the others are not checked: each takes processor time.
            if self.count == MAX_EXPRESSIONS + 1:
                yield path, f"A workflow has at most {MAX_EXPRESSIONS} expressions."
            return
        checker = self._get_checker(scope)
        if problem := next(self._find_unknown(expression, scope), "") or checker.check(expression, expected):
            yield path, problem

    def _get_checker(self, scope: Scope) -> ExpressionChecker:
        key = frozenset(scope.roots)
        if key not in self.checkers:
            self.checkers[key] = ExpressionChecker({**self.types, **scope.roots})
        return self.checkers[key]

    def _find_unknown(self, expression: str, scope: Scope) -> Iterator[str]:
        """Yield what is wrong with the references of an expression."""
        try:
            names = find_steps(expression)
            inputs = find_members(expression, "input")
        except ExpressionError as error:
            yield str(error)
            return
        for name in sorted(names - scope.steps):
            if name not in self.known:
                yield f"Step {name} does not exist."
            else:
                yield f"Step {name} does not always finish before. Add it to the needs of this step."
        for name in sorted(inputs):
            if self.undeclared(name):
                yield f"The input schema does not declare {name}."


def _get_body(step: StepBody) -> type[StepBody]:
    return next((body for body in type(step).__mro__ if body in EXPECTED), StepBody)


def find_ancestors(needs: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Return the IDs of the steps that finish before each step of an acyclic graph."""
    found: dict[str, frozenset[str]] = {}
    # Without recursion, because a chain may have 500 steps.
    pending = [*needs]
    while pending:
        name = pending[-1]
        missing = [each for each in needs[name] if each not in found]
        if missing:
            pending.extend(missing)
            continue
        found[name] = frozenset(needs[name]).union(*(found[each] for each in needs[name]))
        pending.pop()
    return found
