"""Filters for model columns, by kind of column.

| column | parameters |
|---|---|
| reference, id | `agent=`; `agent_isnull=` if the column is nullable |
| choice | `status=`; `status_in=` for several values |
| time, date | `expires_after=`, `expires_before=` |
| number | `score=`, `score_min=`, `score_max=` |
| short text | `name=`; `name_contains=` unless the table is partitioned by time |
| list of labels | `tags=` for rows with the label |
"""

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

import django_filters
from django import forms
from django.contrib.postgres.indexes import GinIndex
from django.core import validators
from django.core.exceptions import ValidationError
from django.db import models
from pgvector.django import HalfVectorField

from config.encryption.fields import EncryptedField


class IntegerFilter(django_filters.NumberFilter):
    """Filter by an integer. A fraction is an error instead of being truncated."""

    field_class = forms.IntegerField

    def get_max_validator(self) -> Any:
        return validators.MaxValueValidator(2**63 - 1)


class UTCDateTimeField(django_filters.fields.IsoDateTimeField):
    """A time converted to UTC. Python accepts offsets of 16 hours and more, PostgreSQL does not."""

    def clean(self, value: Any) -> Any:
        moment = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(
                "Enter a date and time between the years 1 and 9999.", code="invalid"
            ) from error


class DateTimeFilter(django_filters.IsoDateTimeFilter):
    """Filter by a time."""

    field_class = UTCDateTimeField


class NumberFilter(django_filters.NumberFilter):
    """Filter by a number within the range of a database column."""

    def get_max_validator(self) -> Any:
        return validators.MaxValueValidator(10**30)


class IPAddressFilter(django_filters.CharFilter):
    """Filter by an IP address."""

    field_class = forms.GenericIPAddressField


class MultipleChoiceInFilter(django_filters.BaseInFilter, django_filters.ChoiceFilter):
    """Filter by a comma-separated list of choices."""


class JSONTagFilter(django_filters.CharFilter):
    """Filter for rows whose JSON list contains a string."""

    def filter(self, queryset: Any, value: Any) -> Any:
        return queryset.filter(**{f"{self.field_name}__contains": [value]}) if value else queryset


FILTERS = {
    models.ForeignKey: django_filters.UUIDFilter,
    models.UUIDField: django_filters.UUIDFilter,
    models.DateTimeField: DateTimeFilter,
    models.DateField: django_filters.DateFilter,
    models.BooleanField: django_filters.BooleanFilter,
    models.IntegerField: IntegerFilter,
    models.FloatField: NumberFilter,
    models.DecimalField: NumberFilter,
    models.GenericIPAddressField: IPAddressFilter,
    models.CharField: django_filters.CharFilter,
}


# Parameter suffixes of ranges: `expires_at` is filtered by `expires_after` and `expires_before`.
BOUNDS = {"after": ("gte", "At or after this time: {}"), "before": ("lt", "Before this time: {}")}
ENDS = {"min": ("gte", "Minimum: {}"), "max": ("lte", "Maximum: {}")}


def build_filter(field: Any) -> Any:
    """Return the filter by a column's exact value.

    Raises:
        TypeError: no filter exists for this kind of column.
    """
    kwargs = {"field_name": field.attname, "label": str(field.help_text)}
    if field.choices:
        return django_filters.ChoiceFilter(choices=field.choices, **_choice_error(field), **kwargs)
    column = get_output_field(field)
    for kind, made in FILTERS.items():
        if isinstance(column, kind):
            return made(**kwargs)
    raise TypeError(f"{field}: no filter for a {type(field).__name__}")


def get_output_field(field: Any) -> Any:
    """Return the field itself, or the output field of a generated field."""
    return field.output_field if isinstance(field, models.GeneratedField) else field


def _choice_error(field: Any) -> dict[str, Any]:
    listed = ", ".join(str(value) for value, _ in field.flatchoices)
    return {"error_messages": {"invalid_choice": f"Must be one of {listed}."}}


def is_filtered(field: Any) -> bool:
    """Return whether a column of a resource gets filters automatically."""
    column = get_output_field(field)
    if isinstance(field, (EncryptedField, HalfVectorField)) or field.name in ("id", "tenant", "created_at"):
        return False
    return is_tag_list(field) or bool(field.choices) or isinstance(column, tuple(FILTERS))


def is_tag_list(field: Any) -> bool:
    """Return whether a column is a JSON list with a GIN index, searchable by entry."""
    if not isinstance(field, models.JSONField) or field.default is not list:
        return False
    indexes = (index for index in field.model._meta.indexes if isinstance(index, GinIndex))
    return any(index.fields == [field.name] for index in indexes)


def build_filters(model: type[models.Model], shown: Iterable[str]) -> dict[str, Any]:
    """Return the filters of a resource with these columns, by query parameter."""
    shown = set(shown)
    made: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.name in shown and is_filtered(field):
            made |= dict(_iter_filters(field, is_log=bool(getattr(model, "partition_period", None))))
    return made


def _iter_filters(field: Any, *, is_log: bool) -> Iterator[tuple[str, Any]]:
    column, name = get_output_field(field), field.name
    if is_tag_list(field):
        yield name, JSONTagFilter(field_name=name, label=f"Contains this value: {field.help_text}")
        return
    if isinstance(column, models.DateField):
        yield from _range_filters(field, BOUNDS, name.removesuffix("_at"))
        if isinstance(column, models.DateTimeField):
            return
    yield name, build_filter(field)
    if field.choices:
        label = f"One or more values, separated by commas: {field.help_text}"
        several = MultipleChoiceInFilter(
            field_name=name, lookup_expr="in", choices=field.choices, label=label, **_choice_error(field)
        )
        yield f"{name}_in", several
    elif isinstance(column, (models.IntegerField, models.FloatField, models.DecimalField)):
        yield from _range_filters(field, ENDS, name)
    elif isinstance(column, models.CharField) and not is_log:
        label = f"Case-insensitive substring match: {field.help_text}"
        yield f"{name}_contains", django_filters.CharFilter(name, "icontains", label=label)
    if isinstance(field, models.ForeignKey) and field.null:
        yield (
            f"{name}_isnull",
            django_filters.BooleanFilter(name, "isnull", label="Whether the value is null."),
        )


def _range_filters(field: Any, bounds: dict[str, tuple[str, str]], stem: str) -> Iterator[tuple[str, Any]]:
    kind = next(made for kind, made in FILTERS.items() if isinstance(get_output_field(field), kind))
    for bound, (lookup, label) in bounds.items():
        text = label.format(field.help_text)
        yield f"{stem}_{bound}", kind(field_name=field.name, lookup_expr=lookup, label=text)
