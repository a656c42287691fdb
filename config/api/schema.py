"""OpenAPI extensions: error responses, custom fields and authentication schemes."""

from typing import Any

from drf_spectacular.contrib.django_filters import DjangoFilterExtension
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

from .exceptions import MEDIA_TYPE, TITLES
from .json_columns import describe_json_column, is_json_column
from .slugs import SLUG_PATTERN

PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "instance", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Machine-readable reason."},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer into the request body."},
                    "parameter": {"type": "string", "description": "Query parameter."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "scope": {"type": "string", "description": "The missing scope, such as `agents:write`."},
        "tenants": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Slugs of the organisations to choose from.",
        },
    },
}
PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
ALWAYS = (400, 401, 403, 404, 405, 406, 414, 429, 503)
BY_METHOD = {
    "GET": (),
    "POST": (409, 413, 415, 422),
    "PUT": (409, 412, 413, 415),
    "PATCH": (409, 412, 413, 415),
    "DELETE": (409, 412),
}
RATE_HEADERS = {
    name: {"schema": {"type": "integer"}, "description": text}
    for name, text in (
        ("RateLimit-Limit", "Requests allowed per minute."),
        ("RateLimit-Remaining", "Requests remaining in the current minute."),
        ("RateLimit-Reset", "Seconds until the next minute starts."),
    )
}


def _parameter(name: str, where: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": where, "description": description, "schema": {"type": "string"} | schema}


class ApiSchema(AutoSchema):
    """OpenAPI generator that adds the parameters, headers and errors common to all operations."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        operation["parameters"] = [*operation.get("parameters", []), *self._common_parameters()]
        responses = operation["responses"]
        for response in responses.values():
            response["headers"] = {**RATE_HEADERS, **response.get("headers", {})}
        for status in (*ALWAYS, *BY_METHOD.get(self.method, ())):
            responses.setdefault(str(status), self._problem(status))
        if self.method == "GET" and self._is_detail_view():
            responses["304"] = {"description": "Not modified."}
        return operation

    def get_filter_backends(self) -> Any:
        """Return no filters for actions that return rows without filtering them."""
        return super().get_filter_backends() if getattr(self.view, "action", "") == "list" else []

    def _problem(self, status: int) -> dict[str, Any]:
        self.register_problem()
        return {"description": TITLES[status], "content": {MEDIA_TYPE: {"schema": PROBLEM_REF}}}

    def register_problem(self) -> None:
        """Add the component `Problem` to the document."""
        from drf_spectacular.plumbing import ResolvedComponent

        component = ResolvedComponent(
            name="Problem", type=ResolvedComponent.SCHEMA, schema=PROBLEM, object="Problem"
        )
        self.registry.register_on_missing(component)

    def _is_detail_view(self) -> bool:
        return hasattr(self.view, "respond_with") and not self._is_list_view()

    def _common_parameters(self) -> list[dict[str, Any]]:
        from .expand import expandable
        from .filters import shape_parameters
        from .serializers import BaseSerializer, field_names

        tenant = "Slug of the organisation. Required if you belong to more than one."
        engagement = "ID of the engagement to which the request is limited."
        made = [
            _parameter("X-Tenant", "header", tenant),
            _parameter("X-Engagement", "header", engagement, format="uuid"),
        ]
        if self.method == "POST" and (
            getattr(self.view, "scope", "") == "request" or hasattr(self.view, "idempotent_request")
        ):
            text = "Unique key of the request. A retry with the same key returns the stored response."
            made.append(_parameter("Idempotency-Key", "header", text, maxLength=255))
        serializer = getattr(self.view, "serializer_class", None)
        if not (isinstance(serializer, type) and issubclass(serializer, BaseSerializer)):
            return made
        shapes = shape_parameters(self.view)
        if "fields" in shapes:
            text = f"Comma-separated fields to return. One or more of: {', '.join(field_names(serializer))}."
            made.append(_parameter("fields", "query", text))
        if "expand" in shapes:
            names = ", ".join(expandable(serializer))
            text = f"Comma-separated references to return as objects in `expanded`: {names}."
            made.append(_parameter("expand", "query", text))
        if self.method in ("PUT", "PATCH", "DELETE"):
            made.append(
                _parameter(
                    "If-Match",
                    "header",
                    "ETag of the version you read. Returns 412 if the resource has changed.",
                )
            )
        return made


def keep_api_endpoints(endpoints: list[Any]) -> list[Any]:
    """Keep only the operations below `/api/`. Those of `/v1` are added by `conversations.api.wire_operations`."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]


ANY_OR_NULL = {"oneOf": [{}, {"type": "null"}]}


def adjust_schemas(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """Close the request schemas, and relax the response schemas.

    Requests have no members besides the documented ones. In responses, sparse fieldsets (`?fields=`) can omit any
    property, and strings with a format may be empty.
    """
    for name, schema in result.get("components", {}).get("schemas", {}).items():
        for prop in schema.get("properties", {}).values():
            if prop.get("oneOf") == ANY_OR_NULL["oneOf"]:
                # With `oneOf`, null would match both branches and fail.
                del prop["oneOf"]
        if name.endswith("Request") and schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
        if (
            name.endswith("Request")
            or name == "Problem"
            or name.startswith("Paginated")
            or is_json_column(schema)
        ):
            continue
        schema.pop("required", None)
        for prop in schema.get("properties", {}).values():
            if prop.get("format") in ("uri", "email"):
                del prop["format"]
    return result


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "cvk_live_…",
            "description": "An API key.",
        }


class PlatformKeyScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.platform.PlatformKeyAuthentication"
    name = "platformKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "cvk_platform_…",
            "description": "A platform API key.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.ScopedSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "Session cookie of the console.",
        }


class PersonScheme(SessionScheme):
    target_class = "accounts.api.authentication.PersonAuthentication"
    name = "personSession"


class FilterSetScheme(DjangoFilterExtension):
    target_class = "config.api.filters.FilterSetBackend"
    priority = 1

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[Any]:
        model = auto_schema.view.model
        filterset = self.target.get_filterset_class(auto_schema.view)
        found = []
        for name, field in filterset.base_filters.items():
            found += self.resolve_filter_field(auto_schema, model, filterset, name, field)
        return found


class JSONFieldScheme(OpenApiSerializerFieldExtension):
    target_class = "rest_framework.fields.JSONField"
    match_subclasses = True
    priority = -1
    untyped: dict[str, Any] = {}

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return describe_json_column(self.target, auto_schema.registry) or self.untyped


class ObjectFieldScheme(JSONFieldScheme):
    target_class = "config.api.serializers.ObjectField"
    match_subclasses = False
    priority = 0
    untyped = {"type": "object", "additionalProperties": {}}


class ScopeFieldScheme(OpenApiSerializerFieldExtension):
    target_class = "config.api.scope_fields.ScopeField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        from .scope_fields import scope_pattern

        pattern = {"pattern": scope_pattern()} if direction == "request" else {}
        return {"type": "string", "maxLength": self.target.max_length, **pattern}


class ReferenceFieldScheme(OpenApiSerializerFieldExtension):
    target_class = "config.api.serializers.ReferenceField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        if direction == "request" and self.target.accepts_slug:
            return {"type": "string", "anyOf": [{"format": "uuid"}, {"pattern": f"^{SLUG_PATTERN}$"}]}
        return {"type": "string", "format": "uuid"}


class SecretFieldScheme(OpenApiSerializerFieldExtension):
    target_class = "config.api.fields.SecretField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        if direction == "response" or self.target.text:
            return {"type": "string", "description": "Masked when set."}
        return {}


class ExpandedFieldScheme(OpenApiSerializerFieldExtension):
    target_class = "config.api.serializers.ExpandedField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        properties = {
            name: {"oneOf": [auto_schema.resolve_serializer(kind, direction).ref, {"type": "null"}]}
            for name, kind in self.target.targets.items()
        }
        return {"type": "object", "properties": properties}
