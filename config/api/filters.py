"""Filters and ordering: what a viewset lists, nothing else; an unknown parameter is an error, not ignored."""

from typing import Any

import django_filters
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend

from config.db.ids import uuid7_floor

from .exceptions import Invalid
from .lookups import MomentFilter, filter_of, filters_of

PAGE_PARAMETERS = frozenset({"cursor", "limit", "ordering"})
SHAPE_PARAMETERS = frozenset({"fields", "expand"})
TEXT = django_filters.CharFilter()


class HouseFilterSet(django_filters.FilterSet):
    """References by id, moments by ISO 8601, `created_after` and `created_before` for every model.

    Django-filter's own way of making a filter of a field asks the manager, which needs a scope, and makes
    a reference a choice of rows, which needs a query.
    """

    created_after = MomentFilter(method="filter_after", label="Made at or after this moment.")
    created_before = MomentFilter(method="filter_before", label="Made before this moment.")

    @classmethod
    def filter_for_field(cls, field: Any, *_: Any) -> Any:
        return filter_of(field)

    def filter_after(self, queryset: Any, name: str, value: Any) -> Any:
        if getattr(queryset.model, "partition_period", None):
            return queryset.filter(id__gte=_floor(value))
        return queryset.filter(created_at__gte=value)

    def filter_before(self, queryset: Any, name: str, value: Any) -> Any:
        if getattr(queryset.model, "partition_period", None):
            return queryset.filter(id__lt=_floor(value))
        return queryset.filter(created_at__lt=value)


def _floor(moment: Any) -> Any:
    try:
        return uuid7_floor(moment)
    except (ValueError, OverflowError):
        raise Invalid("The moment lies outside the range of ids.", code="invalid_filter") from None


def allowed_parameters(view: Any) -> frozenset[str]:
    """The query parameters that the view's current action takes."""
    extra = frozenset(getattr(view, "extra_parameters", ()))
    if getattr(view, "action", None) != "list":
        return SHAPE_PARAMETERS | extra
    return SHAPE_PARAMETERS | PAGE_PARAMETERS | extra | frozenset(_filters_of(view))


def refuse_unknown_parameters(request: Any, view: Any) -> None:
    """Raises:
    Invalid: when the request has a query parameter that the action does not take, twice the same, or NUL.
    """
    given = request.GET
    if not given:
        return
    unknown = sorted(given.keys() - allowed_parameters(view))
    if unknown:
        detail = f"Unknown parameter: {', '.join(unknown)}."
        errors = [
            {"parameter": name, "code": "unknown_parameter", "detail": "Not known here."} for name in unknown
        ]
        raise Invalid(detail, code="unknown_parameter", errors=errors)
    filters = _filters_of(view)
    for name, values in given.lists():
        if any("\0" in value for value in values):
            raise Invalid(f"{name}: text cannot hold the character NUL.", code="invalid_text")
        made = filters.get(name, TEXT)
        if "" in values and (name == "ordering" or not isinstance(made, type(TEXT))):
            raise _named({name: ["The value is missing."]})
        if isinstance(made, django_filters.BooleanFilter) and not {"true", "false"}.issuperset(values):
            raise _named({name: ["Must be true or false."]})


def _filters_of(view: Any) -> dict[str, Any]:
    if getattr(view, "action", None) != "list":
        return {}
    return HouseFilterBackend().get_filterset_class(view).base_filters


class HouseFilterBackend(DjangoFilterBackend):
    """Builds each viewset's filter set once, from `filterset_fields` or `filterset_class`."""

    filterset_base = HouseFilterSet
    _classes: dict[type, Any] = {}

    def get_filterset_class(self, view: Any, queryset: Any = None) -> Any:
        kind = type(view)
        if kind not in self._classes:
            self._classes[kind] = getattr(view, "filterset_class", None) or self._build(view)
        return self._classes[kind]

    def _build(self, view: Any) -> Any:
        listed = tuple(getattr(view, "filterset_fields", ()))
        model_ = view.model
        meta = type("Meta", (), {"model": model_, "fields": listed})
        made = filters_of(model_, view.serializer_class.Meta.fields)
        return type(f"{model_.__name__}Filter", (self.filterset_base,), {**made, "Meta": meta})

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        if request.GET.keys() <= PAGE_PARAMETERS | SHAPE_PARAMETERS:
            return queryset
        try:
            return super().filter_queryset(request, queryset, view)
        except ValidationError as error:
            raise _named(error.detail) from error


def _named(detail: Any) -> Invalid:
    """Values that no filter takes, each named by its parameter: they stand in no body to point into."""
    errors = [
        {"parameter": name, "code": getattr(text, "code", None) or "invalid", "detail": str(text)}
        for name, texts in detail.items()
        for text in texts
    ]
    said = (
        f"{errors[0]['parameter']}: {errors[0]['detail']}"
        if len(errors) == 1
        else f"{len(errors)} filters are not valid."
    )
    return Invalid(said, code="invalid_filter", errors=errors)


class OrderingFilter(BaseFilterBackend):
    """`ordering=name` or `ordering=-name`, of the view's `ordering_fields`; newest first by default."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.order_by(self.wanted(request, view))

    def wanted(self, request: Any, view: Any) -> str:
        """The ordering asked for.

        Raises:
            Invalid: when it is none of the view's.
        """
        wanted = request.query_params.get("ordering") or view.ordering
        name = wanted.removeprefix("-")
        if name not in self.names(view):
            listed = ", ".join(self.names(view))
            raise Invalid(f"ordering: one of {listed}, or with - before it.", code="invalid_ordering")
        if name == "created_at" and getattr(view.model, "partition_period", None):
            return wanted.replace("created_at", "id")
        return wanted

    def names(self, view: Any) -> tuple[str, ...]:
        return ("id", *getattr(view, "ordering_fields", ("created_at",)))

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [sign + name for name in self.names(view) for sign in ("", "-")]
        schema = {"type": "string", "enum": names, "default": getattr(view, "ordering", "-id")}
        return [{"name": "ordering", "in": "query", "schema": schema, "description": "Order of the rows."}]
