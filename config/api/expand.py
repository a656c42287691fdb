"""What `?expand=` may show: the references of a resource, each to whoever may read what it names.

A reference is expanded by the serializer of its target's own resource, unless `Meta.expandable` names another.
Targets whose resource shows fewer rows than the database would, such as other people's conversations, are not.
"""

from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.db import models
from django.utils.module_loading import import_string

# People have no resource of their own: they are read through the members.
PERSON, PERSON_SERIALIZER, PERSON_RESOURCE = (
    "accounts.User",
    "accounts.api.serializers.PersonSerializer",
    "members",
)


class Target(NamedTuple):
    """How rows of a model are shown to those who may read `resource`."""

    serializer: Any
    resource: str


@cache
def targets() -> dict[type[models.Model], Target]:
    """Every model whose rows a reference may be expanded to."""
    from .routers import build_router

    found = {apps.get_model(PERSON): Target(import_string(PERSON_SERIALIZER), PERSON_RESOURCE)}
    for _, view, _ in build_router().registry:
        if getattr(view, "shows_every_row", lambda: False)():
            found.setdefault(view.serializer_class.Meta.model, Target(view.serializer_class, view.resource))
    return found


def expandable(serializer_class: Any) -> dict[str, Any]:
    """The serializer of each reference of `serializer_class` that may be expanded, by name."""
    meta = serializer_class.Meta
    declared = {
        name: import_string(to) if isinstance(to, str) else to
        for name, to in getattr(meta, "expandable", {}).items()
    }
    known = targets()
    found = {
        field.name: known[field.related_model].serializer
        for field in meta.model._meta.concrete_fields
        if field.name in meta.fields and field.name != "tenant" and field.related_model in known
    }
    return found | declared


def resource_of(serializer_class: Any) -> str:
    """What one has to be allowed to read to see rows by this serializer; empty: nobody may by expanding."""
    found = targets().get(serializer_class.Meta.model)
    return found.resource if found else ""
