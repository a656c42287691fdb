"""Structured output: validation of answer schemas, and of answers against them.

Schemas are untrusted input, validated in a shared process: no reference is fetched, no regular expression is
evaluated, and validation has a time limit.
"""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

# Key in `Agent.config`: the JSON Schema of the agent's answers.
OUTPUT_SCHEMA = "output_schema"
TIMEOUT_SECONDS = 2.0
MAX_MESSAGE_LENGTH, MAX_UNIQUE_ITEMS = 500, 1000
MAX_ERRORS = 100
FORMATS = ("date", "email", "time", "uuid")
# Untrusted regular expressions could block the process, so these keywords are ignored.
IGNORED_KEYWORDS = frozenset({"pattern", "patternProperties", "unevaluatedProperties"})
INVALID_SCHEMA = "The answer schema is not a valid JSON Schema of type object"
KeywordValidator = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class AnswerValidationError(ValueError):
    """The answer cannot be validated; the message is shown to users."""


def validate_schema(schema: Any) -> str:
    """Return why `schema` cannot be used, or an empty string."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return f"{INVALID_SCHEMA}."
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"{INVALID_SCHEMA}: {error.message[:MAX_MESSAGE_LENGTH]}."
    except RecursionError:
        return f"{INVALID_SCHEMA}: it is nested too deeply."
    return ""


def find_validation_error(schema: dict[str, Any], value: Any) -> str:
    """Return the first validation error of `value` for the model, or an empty string.

    Raises:
        AnswerValidationError: validation takes too long, or the schema has an unresolvable reference.
    """
    checker = _build_validator(time.monotonic() + TIMEOUT_SECONDS)
    try:
        error = next(checker(schema, registry=Registry()).iter_errors(value), None)
    except (Unresolvable, RecursionError) as problem:
        raise AnswerValidationError(
            "The answer schema contains a reference that cannot be resolved."
        ) from problem
    if error is None:
        return ""
    place = "/".join(map(str, error.absolute_path))
    return f"{place or 'The answer'}: {error.message}"[:MAX_MESSAGE_LENGTH]


def list_validation_errors(schema: dict[str, Any], value: Any) -> list[tuple[tuple[str, ...], str]]:
    """Return at most `MAX_ERRORS` validation errors of `value`, each with its path.

    The path of a missing property ends with its name. Dates, times, e-mail addresses and UUIDs are validated.

    Raises:
        AnswerValidationError: validation takes too long, or the schema has an unresolvable reference.
    """
    checker = _build_validator(time.monotonic() + TIMEOUT_SECONDS)
    validator = checker(schema, registry=Registry(), format_checker=FormatChecker(FORMATS))
    found: list[tuple[tuple[str, ...], str]] = []
    try:
        for error in islice(validator.iter_errors(value), MAX_ERRORS):
            path = tuple(map(str, error.absolute_path))
            if error.validator == "required":
                missing = next(name for name in error.validator_value if error.message.startswith(repr(name)))
                found.append(((*path, missing), "This field is required."))
            else:
                found.append((path, error.message[:MAX_MESSAGE_LENGTH]))
    except (Unresolvable, RecursionError) as problem:
        raise AnswerValidationError("The schema contains a reference that cannot be resolved.") from problem
    return found


def _build_validator(end: float) -> Any:
    known = Draft202012Validator.VALIDATORS.items()
    keywords = {name: _limit_time(check, end) for name, check in known if name not in IGNORED_KEYWORDS}
    keywords |= {
        "additionalProperties": _limit_time(_validate_additional_properties, end),
        "uniqueItems": _limit_time(_validate_unique_items, end),
    }
    return validators.create(
        Draft202012Validator.META_SCHEMA, keywords, type_checker=Draft202012Validator.TYPE_CHECKER
    )


def _validate_additional_properties(
    validator: Any, extra: Any, instance: Any, schema: Any
) -> Iterator[Any] | None:
    if "patternProperties" in schema:
        return None
    found: Iterator[Any] | None = Draft202012Validator.VALIDATORS["additionalProperties"](
        validator, extra, instance, schema
    )
    return found


def _validate_unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any] | None:
    # The check is quadratic.
    if isinstance(instance, list) and len(instance) > MAX_UNIQUE_ITEMS:
        return None
    found: Iterator[Any] | None = Draft202012Validator.VALIDATORS["uniqueItems"](
        validator, wanted, instance, schema
    )
    return found


def _limit_time(check: KeywordValidator, end: float) -> KeywordValidator:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if time.monotonic() > end:
            raise AnswerValidationError("Validating the answer against its schema takes too long.")
        yield from check(validator, value, instance, schema) or ()

    return run
