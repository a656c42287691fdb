"""Sums of usage by period and by what caused it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.utils.urls import replace_query_param

from config.api.exceptions import Invalid
from config.api.pagination import DEFAULT_LIMIT, MAX_LIMIT, SIGNER, decode_cursor, read_limit
from config.api.views import ApiView, json_response
from tenants.choices import UsageInterval
from tenants.services.usage import GROUPS, UsageRequest, sum_usage

DEFAULT_DAYS = 30
MAX_DAYS = 5 * 366
# An hourly page over years would read all hours for each page.
MAX_HOURLY_DAYS = 93
IDS = ("engagement", "agent", "user", "key")


class UsageParametersSerializer(serializers.Serializer):
    """Query parameters of usage sums."""

    group_by = serializers.CharField(required=False, max_length=200)
    interval = serializers.ChoiceField(UsageInterval.values, required=False)
    to = serializers.CharField(required=False)
    include = serializers.ChoiceField(("active_users",), required=False)
    engagement = serializers.UUIDField(required=False)
    agent = serializers.UUIDField(required=False)
    user = serializers.UUIDField(required=False)
    key = serializers.UUIDField(required=False)
    model = serializers.CharField(required=False, max_length=100)
    service = serializers.CharField(required=False, max_length=100)

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword of Python.
        return {**super().get_fields(), "from": serializers.CharField(required=False)}

    def validate_group_by(self, value: str) -> list[str]:
        names = list(dict.fromkeys(name.strip() for name in value.split(",")))
        if unknown := sorted(set(names) - GROUPS.keys()):
            raise serializers.ValidationError(
                f"Unknown names: {', '.join(unknown)}. Choose from {', '.join(GROUPS)}.",
                code="invalid_choice",
            )
        return names

    def validate_to(self, value: str) -> datetime:
        return _parse_hour(value, end=True)

    def validate_from(self, value: str) -> datetime:
        return _parse_hour(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end = attrs.setdefault("to", _next_hour())
        start = attrs.setdefault("from", end.replace(hour=0) - timedelta(days=DEFAULT_DAYS))
        most = MAX_HOURLY_DAYS if attrs.get("interval") == "hour" else MAX_DAYS
        if start >= end:
            raise serializers.ValidationError({"from": "Must be before `to`."}, code="invalid_range")
        if end - start > timedelta(days=most):
            raise serializers.ValidationError(
                {"from": f"Must be at most {most} days before `to`."}, code="invalid_range"
            )
        return attrs


class UsageSumSerializer(serializers.Serializer):
    """Usage in a period, with a member for each name in `group_by`."""

    period_start = serializers.DateTimeField(help_text="Start of the period.")
    engagement = serializers.UUIDField(required=False, allow_null=True, help_text="Engagement.")
    agent = serializers.UUIDField(required=False, allow_null=True, help_text="Agent.")
    user = serializers.UUIDField(required=False, allow_null=True, help_text="User.")
    key = serializers.UUIDField(required=False, allow_null=True, help_text="API key.")
    model = serializers.CharField(required=False, help_text="Model; empty for usage without one.")
    service = serializers.CharField(required=False, help_text="Provider, tool or API resource.")
    api_calls = serializers.IntegerField(help_text="API requests.")
    tokens = serializers.IntegerField(help_text="Model tokens.")
    completion_tokens = serializers.IntegerField(help_text="Output tokens among the tokens.")
    model_calls = serializers.IntegerField(help_text="Calls of models.")
    cost = serializers.DecimalField(max_digits=30, decimal_places=6, help_text="Cost in US dollars.")
    agent_executions = serializers.IntegerField(help_text="Answers of agents.")
    tool_executions = serializers.IntegerField(help_text="Calls of tools.")
    workflow_executions = serializers.IntegerField(help_text="Runs of workflows.")
    rag_queries = serializers.IntegerField(help_text="Searches.")
    documents = serializers.IntegerField(help_text="Added documents.")
    storage_bytes = serializers.IntegerField(help_text="Bytes of added files.")
    embeddings = serializers.IntegerField(help_text="Computed vectors.")
    active_users = serializers.IntegerField(
        required=False, help_text="Users with any usage, if `include` names it."
    )


class UsagePageSerializer(serializers.Serializer):
    """A page of usage, ordered by period and group."""

    next = serializers.URLField(allow_null=True, help_text="URL of the next page.")
    results = UsageSumSerializer(many=True, help_text="Usage by period and group.")


def _query(name: str, schema: dict[str, Any], description: str) -> OpenApiParameter:
    return OpenApiParameter(name, schema, description=description)


_TIME = {"type": "string", "examples": ["2026-11-01", "2026-11-01T06:00:00Z"]}
PARAMETERS = [
    _query(
        "group_by",
        {"type": "string", "examples": ["agent,model"]},
        f"Names separated by commas: {', '.join(GROUPS)}. Default: no groups.",
    ),
    _query(
        "interval", {"type": "string", "enum": UsageInterval.values}, "Length of a period. Default: one sum."
    ),
    _query(
        "from", _TIME, f"First day, or start of an hour, in UTC. Default: {DEFAULT_DAYS} days before `to`."
    ),
    _query("to", _TIME, "Last day, or end of the last hour. Default: now."),
    _query("include", {"type": "string", "enum": ["active_users"]}, "Also count the users with any usage."),
    *(_query(name, {"type": "string", "format": "uuid"}, f"ID of the {name}.") for name in IDS),
    *(
        _query(name, {"type": "string", "maxLength": 100}, f"Name of the {name}.")
        for name in ("model", "service")
    ),
    _query(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        "Maximum number of results.",
    ),
    _query("cursor", {"type": "string"}, "Cursor of the page, taken from `next`."),
]


class UsageView(ApiView):
    """Usage of the organisation."""

    resource = "usage"
    verbs = {"GET": "read"}
    extra_parameters = tuple(parameter.name for parameter in PARAMETERS)

    @extend_schema(parameters=PARAMETERS, responses={200: UsagePageSerializer}, operation_id="usage_sum")
    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Sum tokens, costs, requests and other usage, up to this moment."""
        given = request.query_params.dict()
        limit, cursor = read_limit(given.pop("limit", None)), given.pop("cursor", "")
        parameters = UsageParametersSerializer(data=given)
        parameters.is_valid(raise_exception=True)
        values = dict(parameters.validated_data)
        groups, interval = values.pop("group_by", []), values.pop("interval", "")
        span, counts_users = (values.pop("from"), values.pop("to")), bool(values.pop("include", ""))
        ordering = ",".join([interval, *groups])
        after = _read_cursor(cursor, ordering, len(groups)) if cursor else None
        rows = sum_usage(UsageRequest(*span, interval, groups, values, limit, counts_users, after))
        following = None
        if len(rows) > limit:
            last = rows[limit - 1]
            key = [last["period_start"].isoformat(), *(last[name] for name in groups)]
            signed = SIGNER.sign_object([ordering, False, key])
            following = replace_query_param(request.build_absolute_uri(), "cursor", signed)
        return json_response({"next": following, "results": [_render(row, groups) for row in rows[:limit]]})


def _read_cursor(cursor: str, ordering: str, groups: int) -> list[Any]:
    values = decode_cursor(cursor, ordering).values
    try:
        moment = datetime.fromisoformat(values[0])
    except (ValueError, IndexError):
        moment = None
    if moment is None or len(values) != groups + 1:
        raise Invalid("The cursor is invalid.", code="invalid_cursor")
    return [moment, *values[1:]]


def _render(row: dict[str, Any], groups: list[str]) -> dict[str, Any]:
    missing = {name: None for name in groups if name in IDS and not row[name]}
    return row | missing


def _next_hour() -> datetime:
    now = timezone.now().astimezone(UTC)
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _parse_hour(text: str, *, end: bool = False) -> datetime:
    """Return the start of the named day, its end if `end`, or the full hour.

    Raises:
        ValidationError: `text` is neither.
    """
    try:
        day: date | None = parse_date(text)
        moment = datetime.combine(day, time(), UTC) if day else parse_datetime(text)
        if day and end:
            moment += timedelta(days=1)
        if moment is not None:
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or not 1970 <= moment.year < 9999:
        raise serializers.ValidationError("Enter a date, or a date and time.", code="invalid")
    if moment.minute or moment.second or moment.microsecond:
        raise serializers.ValidationError("Enter the start of an hour in UTC.", code="invalid")
    return moment
