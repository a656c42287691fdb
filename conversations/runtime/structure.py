"""Structured output: validation of answer schemas, and of answers against them.

Schemas are untrusted input, validated in a shared process: no reference is fetched, no regular expression is
evaluated, and validation has a time limit.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

# Key in `Agent.config`: the JSON Schema of the agent's answers.
OUTPUT_SCHEMA = "output_schema"
SECONDS = 2.0
MOST_SAID, MOST_COMPARED = 500, 1000
# Untrusted regular expressions could block the process, so these keywords are ignored.
UNCHECKED = frozenset({"pattern", "patternProperties", "unevaluatedProperties"})
NO_SCHEMA = "The answer schema is not a valid JSON Schema of type object"
Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class UncheckableAnswer(ValueError):
    """The answer cannot be validated; the message is shown to users."""


def schema_problem(schema: Any) -> str:
    """Return why `schema` cannot be used, or an empty string."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return f"{NO_SCHEMA}."
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"{NO_SCHEMA}: {error.message[:MOST_SAID]}."
    except RecursionError:
        return f"{NO_SCHEMA}: it is nested too deeply."
    return ""


def misfit(schema: dict[str, Any], value: Any) -> str:
    """Return the first validation error of `value` for the model, or an empty string.

    Raises:
        UncheckableAnswer: validation takes too long, or the schema has an unresolvable reference.
    """
    checker = _checker(time.monotonic() + SECONDS)
    try:
        error = next(checker(schema, registry=Registry()).iter_errors(value), None)
    except (Unresolvable, RecursionError) as problem:
        raise UncheckableAnswer(
            "The answer schema contains a reference that cannot be resolved."
        ) from problem
    if error is None:
        return ""
    place = "/".join(map(str, error.absolute_path))
    return f"{place or 'The answer'}: {error.message}"[:MOST_SAID]


def _checker(end: float) -> Any:
    known = Draft202012Validator.VALIDATORS.items()
    keywords = {name: _timed(check, end) for name, check in known if name not in UNCHECKED}
    keywords |= {"additionalProperties": _timed(_additional, end), "uniqueItems": _timed(_unique, end)}
    return validators.create(
        Draft202012Validator.META_SCHEMA, keywords, type_checker=Draft202012Validator.TYPE_CHECKER
    )


def _additional(validator: Any, extra: Any, instance: Any, schema: Any) -> Iterator[Any] | None:
    if "patternProperties" in schema:
        return None
    found: Iterator[Any] | None = Draft202012Validator.VALIDATORS["additionalProperties"](
        validator, extra, instance, schema
    )
    return found


def _unique(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any] | None:
    # The check is quadratic.
    if isinstance(instance, list) and len(instance) > MOST_COMPARED:
        return None
    found: Iterator[Any] | None = Draft202012Validator.VALIDATORS["uniqueItems"](
        validator, wanted, instance, schema
    )
    return found


def _timed(check: Keyword, end: float) -> Keyword:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if time.monotonic() > end:
            raise UncheckableAnswer("Validating the answer against its schema takes too long.")
        yield from check(validator, value, instance, schema) or ()

    return run
