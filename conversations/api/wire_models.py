"""Base of the request schemas of `/v1`, and their validation."""

from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from config.api.exceptions import Problem

from .parameters import PARAMETERS, Handling

SchemaT = TypeVar("SchemaT", bound=BaseModel)
UNKNOWN, REFUSED = "extra_forbidden", "refused_parameter"
# Error code of a member that is known and not supported.
UNSUPPORTED = "unsupported_parameter"


class CompatError(Problem):
    """The request body has an invalid value; `parameter` names the member."""

    default_code = "invalid_value"

    def __init__(self, parameter: str, detail: str, code: str = "") -> None:
        super().__init__(detail, code, parameter=parameter)


class WireModel(BaseModel):
    """A request object that refuses unknown members.

    `table` names its members in `PARAMETERS` that are ignored or refused.
    """

    model_config = ConfigDict(extra="forbid")
    table: ClassVar[str] = ""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the ignored members to the JSON Schema."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).setdefault("properties", {})
        for parameter in PARAMETERS.get(cls.table, ()):
            if parameter.handling == Handling.IGNORED:
                properties.setdefault(parameter.name, {"description": "Ignored."})
        return schema

    @model_validator(mode="before")
    @classmethod
    def check_parameters(cls, data: Any) -> Any:
        """Remove ignored members and members that are null.

        Raises:
            PydanticCustomError: a member is refused.
        """
        if not isinstance(data, dict):
            return data
        known = {parameter.name: parameter for parameter in PARAMETERS.get(cls.table, ())}
        accepted = {}
        for name, value in data.items():
            parameter = known.get(name)
            if value is None:
                continue
            if parameter is None or parameter.handling == Handling.PASSED_ON:
                accepted[name] = value
            elif not parameter.is_accepted(value):
                raise PydanticCustomError(REFUSED, "{reason}", {"reason": parameter.reason, "name": name})
        return accepted


def validate_schema(shape: type[SchemaT], data: Any) -> SchemaT:
    """Validate `data` against `shape`.

    Raises:
        CompatError: names the first invalid member.
    """
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        rows = error.errors(include_url=False)
    # A union reports each of its types; an unknown or refused member is more specific than those.
    first: Any = max(rows, key=lambda row: (row["type"] in (UNKNOWN, REFUSED), len(_list_steps(row, data))))
    path = ".".join(_list_steps(first, data))
    if first["type"] == UNKNOWN:
        raise CompatError(path, f"Unknown parameter: '{path}'.", "unknown_parameter")
    if first["type"] == REFUSED:
        raise CompatError(path, f"Unsupported parameter: '{path}'. {first['msg']}", UNSUPPORTED)
    raise CompatError(path, f"{path}: {first['msg']}")


def _list_steps(row: Any, data: Any) -> list[str]:
    """Return the location of an error in `data`, without the types of unions."""
    location: tuple[Any, ...] = row["loc"]
    added: tuple[Any, ...] = ()
    if row["type"] == "missing":
        location, added = location[:-1], location[-1:]
    elif row["type"] == REFUSED:
        added = (row["ctx"]["name"],)
    steps = []
    for step in location:
        if (step in data) if isinstance(data, dict) else (isinstance(data, list) and isinstance(step, int)):
            data = data[step]
            steps.append(str(step))
    return [*steps, *added]
