"""References that `?expand=` can return as objects.

A reference is expanded by the serializer of its target's resource unless `Meta.expandable` names another one. The
caller needs read access to that resource. Targets whose viewset narrows the queryset, such as conversations, are not
expandable: expansion would bypass that filter.
"""

from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.db import models
from django.utils.module_loading import import_string

# Users have no resource. They are read as members.
PERSON, PERSON_SERIALIZER, PERSON_RESOURCE = (
    "accounts.User",
    "accounts.api.serializers.PersonSerializer",
    "members",
)


class ExpansionTarget(NamedTuple):
    """The serializer of an expanded model and the resource whose read access it requires."""

    serializer: Any
    resource: str


@cache
def expansion_targets() -> dict[type[models.Model], ExpansionTarget]:
    """Return the expansion target of every expandable model."""
    from .routers import build_router

    found = {apps.get_model(PERSON): ExpansionTarget(import_string(PERSON_SERIALIZER), PERSON_RESOURCE)}
    for _, view, _ in build_router().registry:
        if getattr(view, "shows_every_row", lambda: False)():
            found.setdefault(
                view.serializer_class.Meta.model, ExpansionTarget(view.serializer_class, view.resource)
            )
    return found


def expandable(serializer_class: Any) -> dict[str, Any]:
    """Return the serializers of the expandable references, by name of the reference."""
    meta = serializer_class.Meta
    declared = {
        name: import_string(to) if isinstance(to, str) else to
        for name, to in getattr(meta, "expandable", {}).items()
    }
    known = expansion_targets()
    found = {
        field.name: known[field.related_model].serializer
        for field in meta.model._meta.concrete_fields
        if field.name in meta.fields and field.name != "tenant" and field.related_model in known
    }
    return found | declared


def required_resource(serializer_class: Any) -> str:
    """Return the resource whose read access expansion requires, or an empty string if none allows it."""
    found = expansion_targets().get(serializer_class.Meta.model)
    return found.resource if found else ""
