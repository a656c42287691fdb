"""Pydantic schemas of JSON columns: base class and validation.

validation_errors(WorkflowDefinition, {"steps": [{"id": "a", "kind": "agent"}]})
-> [(("steps", 0, "agent"), "Field required.")]
"""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Annotated, Any

from django.core.exceptions import ValidationError as ModelError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.deconstruct import deconstructible
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

SchemaError = tuple[tuple[str | int, ...], str]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Short = Annotated[str, StringConstraints(max_length=255)]


class StrictSchema(BaseModel):
    """Base of JSON objects; unknown keys are rejected."""

    model_config = ConfigDict(extra="forbid")

    def find_conflicts(self) -> Iterator[SchemaError]:
        """Yield the errors of values that are valid separately but not together."""
        yield from ()


@deconstructible
class SchemaValidator:
    """Validator of a value against a schema of the subclass's module, given by name.

    Raises:
        django.core.exceptions.ValidationError: Lists every error, prefixed with its path.
    """

    def __init__(self, shape: str) -> None:
        self.shape = shape

    @property
    def schema(self) -> type[BaseModel]:
        """Return the schema class."""
        found: type[BaseModel] = getattr(import_module(type(self).__module__), self.shape)
        return found

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.shape == self.shape  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.shape)

    def __call__(self, value: Any) -> None:
        if found := _format_errors(self.schema, value):
            raise ModelError(found, code="invalid_shape")


def get_json_schemas(field: Any) -> tuple[type[BaseModel], ...]:
    """Return the schemas of a field; several where another field selects one of them."""
    validators = [getattr(each, "schema", None) for each in field.validators]
    declared = getattr(field.model, "json_schemas", {}).get(field.name, ())
    return tuple(
        each for each in (*validators, *(declared if isinstance(declared, tuple) else (declared,))) if each
    )


def validation_errors(shape: type[BaseModel], value: Any) -> list[SchemaError]:
    """Return the errors in `value`, each with its path."""
    try:
        # Strict JSON, so that a stored value is valid in the documented schema: dates are strings, and booleans are
        # not accepted as numbers.
        made = shape.model_validate_json(json.dumps(value, cls=DjangoJSONEncoder), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [(_get_path(each), f"{each['msg'].removeprefix('Value error, ')}.") for each in found]
    return list(made.find_conflicts()) if isinstance(made, StrictSchema) else []


def _get_path(error: Any) -> tuple[str | int, ...]:
    """Return the path of an error, without tags of unions, such as `<agent>`. `unknown_kind` is at `kind`."""
    path = tuple(each for each in error["loc"] if not (isinstance(each, str) and each.startswith("<")))
    kind, prefix = error["type"], "unknown_"
    return (*path, kind.removeprefix(prefix)) if kind.startswith(prefix) else path


def validate_row_schemas(row: Any) -> None:
    """Validate the columns listed in `json_schemas` of the row's model; null is valid.

    Raises:
        django.core.exceptions.ValidationError: See `validate_schemas`.
    """
    values = {name: (shape, getattr(row, name)) for name, shape in row.json_schemas.items()}
    validate_schemas(**{name: pair for name, pair in values.items() if pair[1] is not None})


def validate_schemas(**checked: tuple[type[BaseModel], Any]) -> None:
    """Validate JSON columns by name.

    Raises:
        django.core.exceptions.ValidationError: Lists every error by column, prefixed with its path.
    """
    errors = {name: found for name, pair in checked.items() if (found := _format_errors(*pair))}
    if errors:
        raise ModelError(errors)


def _format_errors(shape: type[BaseModel], value: Any) -> list[str]:
    return [
        f"{'.'.join(map(str, path))}: {text}" if path else text
        for path, text in validation_errors(shape, value)
    ]
