"""Answers by a JSON schema: what a schema must be, and whether an answer fits it.

Schemas come from tenants and their clients, and are checked in a process that serves everybody: nothing is fetched,
no regular expression of theirs runs, and checking ends in time.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

# Of an agent's `config`: the JSON schema of its answers.
OUTPUT_SCHEMA = "output_schema"
SECONDS = 2.0
MOST_SAID, MOST_COMPARED = 500, 1000
# Their regular expressions could hold the process; what they would allow is allowed.
UNCHECKED = frozenset({"pattern", "patternProperties", "unevaluatedProperties"})
NO_SCHEMA = "The schema of the answer is not a JSON schema of an object"
Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class UncheckableAnswer(ValueError):
    """Whether the answer fits cannot be found out; the message is for people."""


def schema_problem(schema: Any) -> str:
    """Why no answer can be given by `schema`; empty when one can."""
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
    """Where `value` does not fit `schema`, for the model to mend it; empty when it fits.

    Raises:
        UncheckableAnswer: when that takes too long, or the schema refers to what is not in it.
    """
    checker = _checker(time.monotonic() + SECONDS)
    try:
        error = next(checker(schema, registry=Registry()).iter_errors(value), None)
    except (Unresolvable, RecursionError) as problem:
        raise UncheckableAnswer("The schema of the answer refers to what is not in it.") from problem
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
    # Each is compared with each.
    if isinstance(instance, list) and len(instance) > MOST_COMPARED:
        return None
    found: Iterator[Any] | None = Draft202012Validator.VALIDATORS["uniqueItems"](
        validator, wanted, instance, schema
    )
    return found


def _timed(check: Keyword, end: float) -> Keyword:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if time.monotonic() > end:
            raise UncheckableAnswer("Checking the answer against its schema takes too long.")
        yield from check(validator, value, instance, schema) or ()

    return run
