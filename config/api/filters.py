"""Filter sets, ordering and validation of query parameters.

A viewset accepts only the parameters that it declares. An unknown parameter is an error.
"""

import re
from functools import cache
from typing import Any

import django_filters
from django.db import models
from django.db.models import Q
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend

from config.db.ids import uuid7_floor

from .exceptions import Invalid
from .filter_factory import DateTimeFilter, build_filter, build_filters

PAGE_PARAMETERS = frozenset({"count", "cursor", "limit", "ordering"})
MAX_ORDERING = 4
MAX_WORDS = 8
# Columns that `q=` searches by default.
NAMING = re.compile(r"(\w+_)?name|slug|title|description|filename|term|definition")
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


def shape_parameters(view: Any) -> frozenset[str]:
    """Return `fields` and `expand` if the response of the view's current action can be shaped by them."""
    from .expand import expandable

    if not hasattr(view, "has_shape") or not view.has_shape(getattr(view, "action", None)):
        return frozenset()
    return SHAPE_PARAMETERS if expandable(view.serializer_class) else frozenset({"fields"})


def allowed_parameters(view: Any) -> frozenset[str]:
    """Return the query parameters that the view's current action accepts."""
    extra = frozenset(getattr(view, "extra_parameters", ()))
    if getattr(view, "action", None) != "list":
        return shape_parameters(view) | extra
    search = {"q"} if search_fields(view) else frozenset[str]()
    return shape_parameters(view) | PAGE_PARAMETERS | search | extra | frozenset(_view_filters(view))


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
        if request.GET.keys() <= PAGE_PARAMETERS | SHAPE_PARAMETERS | {"q"}:
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


def search_fields(view: Any) -> tuple[str, ...]:
    """Return the columns that `q=` searches: those that the view declares, or its short texts that name a row."""
    if view.search_fields is not None:
        return tuple(view.search_fields)
    return _find_naming_columns(view.serializer_class)


@cache
def _find_naming_columns(serializer_class: Any) -> tuple[str, ...]:
    """Return the short texts among the serializer's columns that name a row."""
    model, shown = serializer_class.Meta.model, serializer_class.Meta.fields
    if getattr(model, "partition_period", None):
        return ()
    return tuple(
        field.name
        for field in model._meta.concrete_fields
        if field.name in shown
        and isinstance(field, models.CharField | models.TextField)
        and not field.choices
        and NAMING.fullmatch(field.name)
    )


class OrderingFilter(BaseFilterBackend):
    """Ordering by some of the view's `ordering_fields`: `ordering=name` or `ordering=status,-created_at`.

    The default is newest first.
    """

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.order_by(*self.requested_ordering(request, view).split(","))

    def requested_ordering(self, request: Any, view: Any) -> str:
        """Return the requested ordering: names of columns, separated by commas, without repetitions.

        Raises:
            Invalid: the view does not support it.
        """
        wanted = (request.query_params.get("ordering") or view.ordering).split(",")
        known, names = self.names(view), dict[str, str]()
        for each in wanted:
            name = each.removeprefix("-")
            if name not in known or len(wanted) > MAX_ORDERING:
                raise Invalid(
                    f"ordering must be up to {MAX_ORDERING} of {', '.join(known)}, separated by commas, each with"
                    " an optional leading hyphen.",
                    code="invalid_ordering",
                )
            if name == "created_at" and getattr(view.model, "partition_period", None):
                name, each = "id", each.replace("created_at", "id")
            if "id" not in names:
                # The id is unique: columns after it change nothing.
                names.setdefault(name, each)
        return ",".join(names.values())

    def names(self, view: Any) -> tuple[str, ...]:
        return ("id", *getattr(view, "ordering_fields", ("created_at",)))

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [sign + name for name in self.names(view) for sign in ("", "-")]
        schema = {
            "type": "array",
            "items": {"type": "string", "enum": names},
            "minItems": 1,
            "maxItems": MAX_ORDERING,
            "default": [getattr(view, "ordering", "-id")],
        }
        parameter = {"name": "ordering", "in": "query", "style": "form", "explode": False}
        return [parameter | {"schema": schema, "description": "Columns to sort by."}]


class SearchFilter(BaseFilterBackend):
    """Search by `q=`: each word must occur in one of the view's search fields, in any case."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        terms = request.query_params.get("q", "").split()
        names = search_fields(view) if terms else ()
        if len(terms) > MAX_WORDS:
            raise _filter_error({"q": [f"At most {MAX_WORDS} words are allowed."]})
        for term in terms:
            matches = Q()
            for name in names:
                matches |= Q(**{f"{name}__icontains": term})
            queryset = queryset.filter(matches)
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        if not (names := search_fields(view)):
            return []
        text = f"Words to search for in: {', '.join(name.replace('__', '.') for name in names)}."
        return [{"name": "q", "in": "query", "schema": {"type": "string"}, "description": text}]
