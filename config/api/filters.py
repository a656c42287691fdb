"""Filters and ordering: what a viewset lists, nothing else; an unknown parameter is an error, not ignored."""

from collections.abc import Iterable
from datetime import UTC
from typing import Any

import django_filters
from django import forms
from django.core import validators
from django.core.exceptions import ValidationError
from django.db import models
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.filters import BaseFilterBackend

from config.db.ids import uuid7_floor

from .exceptions import Invalid

PAGE_PARAMETERS = frozenset({"cursor", "limit", "ordering"})
SHAPE_PARAMETERS = frozenset({"fields", "expand"})
TEXT = django_filters.CharFilter()


class IntegerFilter(django_filters.NumberFilter):
    """A whole number; a fraction is an error instead of the row of its integer part."""

    field_class = forms.IntegerField

    def get_max_validator(self) -> Any:
        return validators.MaxValueValidator(2**63 - 1)


class MomentField(django_filters.fields.IsoDateTimeField):
    """A moment in UTC: PostgreSQL takes no offset of 16 hours and more, Python does."""

    def clean(self, value: Any) -> Any:
        moment = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError("Enter a moment in the years 1 to 9999.", code="invalid") from error


class MomentFilter(django_filters.IsoDateTimeFilter):
    """Filters by a moment."""

    field_class = MomentField


FILTERS = {
    models.ForeignKey: django_filters.UUIDFilter,
    models.UUIDField: django_filters.UUIDFilter,
    models.DateTimeField: MomentFilter,
    models.DateField: django_filters.DateFilter,
    models.BooleanField: django_filters.BooleanFilter,
    models.IntegerField: IntegerFilter,
    models.CharField: django_filters.CharFilter,
}


# What a range of a time is called: `expires_at` is filtered by `expires_after` and `expires_before`.
BOUNDS = {"after": ("gte", "At or after this: {}"), "before": ("lt", "Before this: {}")}


def range_filters(model: type[models.Model], shown: Iterable[str]) -> dict[str, Any]:
    """Two filters for each time and day among the fields of `model` that are shown, by name."""
    made: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        column = field.output_field if isinstance(field, models.GeneratedField) else field
        if not isinstance(column, models.DateField) or field.name not in shown or field.name == "created_at":
            continue
        kind = FILTERS[models.DateTimeField if isinstance(column, models.DateTimeField) else models.DateField]
        stem = field.name.removesuffix("_at")
        for bound, (lookup, label) in BOUNDS.items():
            text = label.format(field.help_text)
            made[f"{stem}_{bound}"] = kind(field_name=field.name, lookup_expr=lookup, label=text)
    return made


class HouseFilterSet(django_filters.FilterSet):
    """References by id, moments by ISO 8601, `created_after` and `created_before` for every model.

    Django-filter's own way of making a filter of a field asks the manager, which needs a scope, and makes
    a reference a choice of rows, which needs a query.
    """

    created_after = MomentFilter(method="filter_after", label="Made at or after this moment.")
    created_before = MomentFilter(method="filter_before", label="Made before this moment.")

    @classmethod
    def filter_for_field(cls, field: Any, *_: Any) -> Any:
        kwargs = {"field_name": field.attname, "label": str(field.help_text)}
        if field.choices:
            listed = ", ".join(str(value) for value, _ in field.flatchoices)
            kwargs["error_messages"] = {"invalid_choice": f"Must be one of {listed}."}
            return django_filters.ChoiceFilter(choices=field.choices, **kwargs)
        column = field.output_field if isinstance(field, models.GeneratedField) else field
        for kind, made in FILTERS.items():
            if isinstance(column, kind):
                return made(**kwargs)
        raise TypeError(f"{field}: no filter for a {type(field).__name__}")

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
            raise Invalid(f"{name}: the value is missing.", code="invalid_filter")
        if isinstance(made, django_filters.BooleanFilter) and not {"true", "false"}.issuperset(values):
            raise Invalid(f"{name}: true or false.", code="invalid_filter")


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
        ranges = range_filters(model_, view.serializer_class.Meta.fields)
        return type(f"{model_.__name__}Filter", (self.filterset_base,), {**ranges, "Meta": meta})

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        if request.GET.keys() <= PAGE_PARAMETERS | SHAPE_PARAMETERS:
            return queryset
        return super().filter_queryset(request, queryset, view)


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
