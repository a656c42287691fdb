"""Which filters a model's columns get: one for each kind of column, and the lookups that make sense for it.

| column | parameters |
|---|---|
| reference, id | `agent=`; `agent_isnull=` where it may be empty |
| choice | `status=`; `status_in=` for several |
| time, day | `expires_after=`, `expires_before=` |
| number | `score=`, `score_min=`, `score_max=` |
| short text | `name=`; `name_contains=` where the table is no log that grows without end |
| list of labels | `tags=` for rows that have the label |
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

from config.db.fields import EncryptedField


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


class NumberFilter(django_filters.NumberFilter):
    """A number of a size that a database column can have."""

    def get_max_validator(self) -> Any:
        return validators.MaxValueValidator(10**30)


class AddressFilter(django_filters.CharFilter):
    """An IP address."""

    field_class = forms.GenericIPAddressField


class SeveralFilter(django_filters.BaseInFilter, django_filters.ChoiceFilter):
    """Any of several choices, separated by commas."""


class LabelFilter(django_filters.CharFilter):
    """Rows whose JSON list has this text in it."""

    def filter(self, queryset: Any, value: Any) -> Any:
        return queryset.filter(**{f"{self.field_name}__contains": [value]}) if value else queryset


FILTERS = {
    models.ForeignKey: django_filters.UUIDFilter,
    models.UUIDField: django_filters.UUIDFilter,
    models.DateTimeField: MomentFilter,
    models.DateField: django_filters.DateFilter,
    models.BooleanField: django_filters.BooleanFilter,
    models.IntegerField: IntegerFilter,
    models.FloatField: NumberFilter,
    models.DecimalField: NumberFilter,
    models.GenericIPAddressField: AddressFilter,
    models.CharField: django_filters.CharFilter,
}


# What a range of a time is called: `expires_at` is filtered by `expires_after` and `expires_before`.
BOUNDS = {"after": ("gte", "At or after this: {}"), "before": ("lt", "Before this: {}")}
ENDS = {"min": ("gte", "At least this: {}"), "max": ("lte", "At most this: {}")}


def filter_of(field: Any) -> Any:
    """The filter by a column's exact value.

    Raises:
        TypeError: for a column of a kind that is not filtered.
    """
    kwargs = {"field_name": field.attname, "label": str(field.help_text)}
    if field.choices:
        return django_filters.ChoiceFilter(choices=field.choices, **_listed(field), **kwargs)
    column = column_of(field)
    for kind, made in FILTERS.items():
        if isinstance(column, kind):
            return made(**kwargs)
    raise TypeError(f"{field}: no filter for a {type(field).__name__}")


def column_of(field: Any) -> Any:
    """The field that says what a column holds: a generated one has it inside."""
    return field.output_field if isinstance(field, models.GeneratedField) else field


def _listed(field: Any) -> dict[str, Any]:
    listed = ", ".join(str(value) for value, _ in field.flatchoices)
    return {"error_messages": {"invalid_choice": f"Must be one of {listed}."}}


def is_filtered(field: Any) -> bool:
    """Whether a column of a resource gets filters by itself."""
    column = column_of(field)
    if isinstance(field, (EncryptedField, HalfVectorField)) or field.name in ("id", "tenant", "created_at"):
        return False
    return is_label_list(field) or bool(field.choices) or isinstance(column, tuple(FILTERS))


def is_label_list(field: Any) -> bool:
    """Whether a column holds a JSON list that is searched by one of its entries: it has a GIN index."""
    if not isinstance(field, models.JSONField) or field.default is not list:
        return False
    indexes = (index for index in field.model._meta.indexes if isinstance(index, GinIndex))
    return any(index.fields == [field.name] for index in indexes)


def filters_of(model: type[models.Model], shown: Iterable[str]) -> dict[str, Any]:
    """The filters of a resource that shows these columns, by parameter."""
    shown = set(shown)
    made: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.name in shown and is_filtered(field):
            made |= dict(_filters(field, is_log=bool(getattr(model, "partition_period", None))))
    return made


def _filters(field: Any, *, is_log: bool) -> Iterator[tuple[str, Any]]:
    column, name = column_of(field), field.name
    if is_label_list(field):
        yield name, LabelFilter(field_name=name, label=f"Has this among them: {field.help_text}")
        return
    if isinstance(column, models.DateField):
        yield from _ranges(field, BOUNDS, name.removesuffix("_at"))
        if isinstance(column, models.DateTimeField):
            return
    yield name, filter_of(field)
    if field.choices:
        label = f"Any of several, separated by commas: {field.help_text}"
        several = SeveralFilter(
            field_name=name, lookup_expr="in", choices=field.choices, label=label, **_listed(field)
        )
        yield f"{name}_in", several
    elif isinstance(column, (models.IntegerField, models.FloatField, models.DecimalField)):
        yield from _ranges(field, ENDS, name)
    elif isinstance(column, models.CharField) and not is_log:
        label = f"Has this in it, in capitals or not: {field.help_text}"
        yield f"{name}_contains", django_filters.CharFilter(name, "icontains", label=label)
    if isinstance(field, models.ForeignKey) and field.null:
        yield f"{name}_isnull", django_filters.BooleanFilter(name, "isnull", label="Whether it is empty.")


def _ranges(field: Any, bounds: dict[str, tuple[str, str]], stem: str) -> Iterator[tuple[str, Any]]:
    kind = next(made for kind, made in FILTERS.items() if isinstance(column_of(field), kind))
    for bound, (lookup, label) in bounds.items():
        text = label.format(field.help_text)
        yield f"{stem}_{bound}", kind(field_name=field.name, lookup_expr=lookup, label=text)
