"""Filter sets, ordering and validation of query parameters.

A viewset accepts only the parameters that it declares. An unknown parameter is an error.
"""

from typing import Any

import django_filters
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend

from config.db.ids import uuid7_floor

from .exceptions import Invalid
from .filter_factory import DateTimeFilter, build_filter, build_filters

PAGE_PARAMETERS = frozenset({"cursor", "limit", "ordering"})
SHAPE_PARAMETERS = frozenset({"fields", "expand"})
TEXT = django_filters.CharFilter()


class CreatedFilter(DateTimeFilter):
    """Filter by creation time. In partitioned tables it compares the id, so that PostgreSQL prunes partitions."""

    def filter(self, queryset: Any, value: Any) -> Any:
        if not value or not getattr(queryset.model, "partition_period", None):
            return super().filter(queryset, value)
        try:
            return queryset.filter(**{f"id__{self.lookup_expr}": uuid7_floor(value)})
        except (ValueError, OverflowError):
            raise Invalid("The time is outside the supported range.", code="invalid_filter") from None


class BaseFilterSet(django_filters.FilterSet):
    """Base of all filter sets, with `created_after` and `created_before`.

    References are filtered by id and times by ISO 8601. django-filter's default for a reference is a choice of rows:
    it calls the manager, which needs a scope, and runs a query.
    """

    created_after = CreatedFilter("created_at", "gte", label="Created at or after this time.")
    created_before = CreatedFilter("created_at", "lt", label="Created before this time.")

    @classmethod
    def filter_for_field(cls, field: Any, *_: Any) -> Any:
        return build_filter(field)


def allowed_parameters(view: Any) -> frozenset[str]:
    """Return the query parameters that the view's current action accepts."""
    extra = frozenset(getattr(view, "extra_parameters", ()))
    if getattr(view, "action", None) != "list":
        return SHAPE_PARAMETERS | extra
    return SHAPE_PARAMETERS | PAGE_PARAMETERS | extra | frozenset(_view_filters(view))


def refuse_unknown_parameters(request: Any, view: Any) -> None:
    """Reject query parameters that the current action does not accept.

    Raises:
        Invalid: a parameter is unknown, is empty where a value is required, or contains a NUL character.
    """
    given = request.GET
    if not given:
        return
    unknown = sorted(given.keys() - allowed_parameters(view))
    if unknown:
        detail = f"Unknown parameter: {', '.join(unknown)}."
        errors = [
            {"parameter": name, "code": "unknown_parameter", "detail": "Unknown parameter."}
            for name in unknown
        ]
        raise Invalid(detail, code="unknown_parameter", errors=errors)
    filters = _view_filters(view)
    for name, values in given.lists():
        if any("\0" in value for value in values):
            raise Invalid(f"{name}: null characters are not allowed.", code="invalid_text")
        made = filters.get(name, TEXT)
        if "" in values and (name == "ordering" or not isinstance(made, type(TEXT))):
            raise _filter_error({name: ["A value is required."]})
        if isinstance(made, django_filters.BooleanFilter) and not {"true", "false"}.issuperset(values):
            raise _filter_error({name: ["Must be true or false."]})


def _view_filters(view: Any) -> dict[str, Any]:
    if getattr(view, "action", None) != "list":
        return {}
    return FilterSetBackend().get_filterset_class(view).base_filters


class FilterSetBackend(DjangoFilterBackend):
    """Filter backend that builds each viewset's filter set once, from the serializer's columns."""

    _classes: dict[type, Any] = {}

    def get_filterset_class(self, view: Any, queryset: Any = None) -> Any:
        kind = type(view)
        if kind not in self._classes:
            model = view.model
            filters = build_filters(model, view.serializer_class.Meta.fields)
            meta = type("Meta", (), {"model": model, "fields": view.filterset_fields})
            self._classes[kind] = type(f"{model.__name__}Filter", (BaseFilterSet,), {**filters, "Meta": meta})
        return self._classes[kind]

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        if request.GET.keys() <= PAGE_PARAMETERS | SHAPE_PARAMETERS:
            return queryset
        try:
            return super().filter_queryset(request, queryset, view)
        except ValidationError as error:
            raise _filter_error(error.detail) from error


def _filter_error(detail: Any) -> Invalid:
    """Return the error for invalid filter values, each named by its query parameter."""
    errors = [
        {"parameter": name, "code": getattr(text, "code", None) or "invalid", "detail": str(text)}
        for name, texts in detail.items()
        for text in texts
    ]
    summary = (
        f"{errors[0]['parameter']}: {errors[0]['detail']}"
        if len(errors) == 1
        else f"{len(errors)} filters are invalid."
    )
    return Invalid(summary, code="invalid_filter", errors=errors)


class OrderingFilter(BaseFilterBackend):
    """Ordering by one of the view's `ordering_fields`: `ordering=name` or `ordering=-name`.

    The default is newest first.
    """

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.order_by(self.requested_ordering(request, view))

    def requested_ordering(self, request: Any, view: Any) -> str:
        """Return the requested ordering.

        Raises:
            Invalid: the view does not support it.
        """
        ordering = request.query_params.get("ordering") or view.ordering
        name = ordering.removeprefix("-")
        if name not in self.names(view):
            listed = ", ".join(self.names(view))
            raise Invalid(
                f"ordering must be one of {listed}, with an optional leading hyphen.", code="invalid_ordering"
            )
        if name == "created_at" and getattr(view.model, "partition_period", None):
            return ordering.replace("created_at", "id")
        return ordering

    def names(self, view: Any) -> tuple[str, ...]:
        return ("id", *getattr(view, "ordering_fields", ("created_at",)))

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [sign + name for name in self.names(view) for sign in ("", "-")]
        schema = {"type": "string", "enum": names, "default": getattr(view, "ordering", "-id")}
        return [{"name": "ordering", "in": "query", "schema": schema, "description": "Sort order."}]
