"""References that `?expand=` can return as objects.

A reference is expanded by the serializer of its target's resource, to which the caller needs read access. Targets whose
viewset narrows the queryset, such as conversations, are not expandable: expansion would bypass that filter.
"""

from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.db import models
from django.utils.module_loading import import_string


class ExpansionTarget(NamedTuple):
    """The serializer of an expanded model and the resource whose read access it requires."""

    serializer: Any
    resource: str


@cache
def expansion_targets() -> dict[type[models.Model], ExpansionTarget]:
    """Return the expansion target of every expandable model."""
    from .routers import build_router

    # Users have no resource. They are read as members.
    person = ExpansionTarget(import_string("accounts.api.serializers.PersonSerializer"), "members")
    found: dict[Any, ExpansionTarget] = {apps.get_model("accounts.User"): person}
    views: Any = (view for _, view, _ in build_router().registry if hasattr(view, "shows_every_row"))
    for view in views:
        if view.shows_every_row():
            target = ExpansionTarget(view.serializer_class, view.resource)
            found.setdefault(view.serializer_class.Meta.model, target)
    return found


@cache
def expandable(serializer_class: Any) -> dict[str, ExpansionTarget]:
    """Return the targets of a serializer's expandable references, by name of the reference."""
    meta = serializer_class.Meta
    known = expansion_targets()
    return {
        field.name: known[field.related_model]
        for field in meta.model._meta.concrete_fields
        if field.name in meta.fields and field.name != "tenant" and field.related_model in known
    }
