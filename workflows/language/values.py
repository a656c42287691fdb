"""Values of members in the definition language: IDs, expressions, durations, schemas and retry policies."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import AfterValidator, AliasChoices, Field, StringConstraints

from config.db.json_schema import Short, StrictSchema

DAY = 86_400
MAX_SECONDS = 366 * DAY
DURATION = re.compile(r"^P(?=[\dT])(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")
UNITS = (7 * DAY, DAY, 3600, 60, 1)

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Template = Annotated[str, StringConstraints(pattern=r"^\s*\$\{.*\}\s*$", max_length=2000)]
Event = Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z_]+)+$", max_length=100)]


def to_seconds(duration: float | str) -> float:
    """Return a duration in seconds. Text is an ISO 8601 duration of weeks, days and times: `P1DT12H`.

    Raises:
        ValueError: the text is malformed, or the duration is longer than 366 days.
    """
    if isinstance(duration, str):
        match = DURATION.match(duration)
        if not match:
            raise ValueError("Enter seconds or an ISO 8601 duration, such as P3D or PT15M")
        duration = sum(int(count or 0) * unit for count, unit in zip(match.groups(), UNITS, strict=True))
    if not 0 < duration <= MAX_SECONDS:
        raise ValueError("Enter a duration of up to 366 days")
    return duration


def _check_duration(duration: float | str) -> float | str:
    to_seconds(duration)
    return duration


Duration = Annotated[int | float | str, AfterValidator(_check_duration)]


class RetryPolicy(StrictSchema):
    """Waits `initial_interval` seconds, then `backoff_coefficient` times longer after each attempt.

    `non_retryable` lists error codes that end the step at once.
    """

    maximum_attempts: int = Field(
        1, ge=1, le=20, validation_alias=AliasChoices("maximum_attempts", "attempts")
    )
    initial_interval: float = Field(
        1, ge=0, le=DAY, validation_alias=AliasChoices("initial_interval", "delay")
    )
    backoff_coefficient: float = Field(
        2, ge=1, le=10, validation_alias=AliasChoices("backoff_coefficient", "factor")
    )
    maximum_interval: float = Field(
        300, ge=0, le=DAY, validation_alias=AliasChoices("maximum_interval", "longest_delay")
    )
    non_retryable: list[Short] = Field(default_factory=list, max_length=50)


def _check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    # Validators would fetch other references.
    if not all(reference.startswith("#") for reference in _iterate_references(schema)):
        raise ValueError("Invalid JSON Schema: references must start with #")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"Invalid JSON Schema: {error.message[:500]}") from error
    except RecursionError as error:
        raise ValueError("Invalid JSON Schema: it is nested too deeply") from error
    return schema


def _iterate_references(schema: Any) -> Iterator[str]:
    pending = [schema]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield from (str(each[name]) for name in ("$ref", "$dynamicRef") if name in each)
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


JsonSchema = Annotated[dict[str, Any], AfterValidator(_check_schema)]
