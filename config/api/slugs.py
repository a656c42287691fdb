"""Rows named by their slug instead of their ID."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.urls.converters import StringConverter, register_converter

SLUG_PATTERN = "[-a-zA-Z0-9_]{1,100}"


class NameConverter(StringConverter):
    """An ID or a slug in a URL. `ReadOnlyTenantViewSet` replaces a slug by the ID of the row."""

    regex = SLUG_PATTERN

    def to_python(self, value: str) -> Any:
        with suppress(ValueError):
            return UUID(value)
        return value


def has_slug(model: Any) -> bool:
    """Return whether the rows of a model have a slug."""
    return any(field.name == "slug" for field in model._meta.concrete_fields)


register_converter(NameConverter, "name")
