"""Display of names for IDs that are stored without a foreign key.

Telemetry stores plain IDs so that it survives the deletion of the rows it refers to.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import OuterRef, Subquery
from django.utils.text import capfirst

COLUMN_SUFFIX = "_named"
# Fields that name an object; the first one that the model has is used.
NAME_FIELDS = (
    "name",
    "display_name",
    "title",
    "asset_name",
    "email",
    "filename",
    "prompt_name",
    "term",
    "summary",
)
# Models that one page looks up, with one query each.
MAX_KINDS = 6
ObjectKey = tuple[str, str]


class ResolveIdsMixin:
    """Shows the name of the referenced object instead of its ID.

    The ID is shown if the object was deleted or is not visible.

    `named_ids` maps each column to `app.Model.field`: `{"agent_id": "agents.Agent.name"}`.
    """

    named_ids: dict[str, str] = {}

    def __init__(self, model: Any, admin_site: Any) -> None:
        super().__init__(model, admin_site)  # type: ignore[call-arg]
        for column in self.named_ids:
            setattr(self, f"{column}{COLUMN_SUFFIX}", _build_name_column(column))

    def get_queryset(self, request: Any) -> Any:
        rows = super().get_queryset(request)  # type: ignore[misc]
        return rows.annotate(
            **{f"{column}_name": _name_subquery(column, path) for column, path in self.named_ids.items()}
        )

    def get_list_display(self, request: Any) -> list[Any]:
        return [self._shown_as(name) for name in super().get_list_display(request)]  # type: ignore[misc]

    def get_fieldsets(self, request: Any, obj: Any = None) -> list[Any]:
        sets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        return [(title, {**options, "fields": self._shown_as(options["fields"])}) for title, options in sets]

    def _shown_as(self, names: Any) -> Any:
        if isinstance(names, (list, tuple)):
            return type(names)(self._shown_as(name) for name in names)
        return f"{names}{COLUMN_SUFFIX}" if names in self.named_ids else names


def _name_subquery(column: str, path: str) -> Subquery:
    label, _, field = path.rpartition(".")
    rows = apps.get_model(label)._base_manager.filter(pk=OuterRef(column))
    return Subquery(rows.values(field)[:1])


def _build_name_column(column: str) -> Any:
    def shown(obj: Any) -> str:
        return str(getattr(obj, f"{column}_name", None) or getattr(obj, column) or "")

    shown.short_description = capfirst(column.removesuffix("_id").replace("_", " "))  # type: ignore[attr-defined]
    shown.admin_order_field = column  # type: ignore[attr-defined]
    return shown


class ResolveGenericMixin:
    """Shows the name of an object whose model is stored in another column.

    A page runs one query per model.

    `thing_of(row)` returns (model label, ID).
    """

    def get_object_key(self, obj: Any) -> ObjectKey:
        raise NotImplementedError

    def get_changelist_instance(self, request: Any) -> Any:
        changelist = super().get_changelist_instance(request)  # type: ignore[misc]
        rows = list(changelist.result_list)
        names = resolve_names(self.get_object_key(row) for row in rows)
        for row in rows:
            row.resolved_name = names.get(self.get_object_key(row), "")
        changelist.result_list = rows
        return changelist

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[Any]:
        return [*super().get_readonly_fields(request, obj), "thing"]  # type: ignore[misc]

    @admin.display(description="Object")
    def thing(self, obj: Any) -> str:
        """Return model and name, or the end of the ID if no name is available."""
        label, identifier = self.get_object_key(obj)
        kind = label.rpartition(".")[2]
        if not identifier:
            return kind
        known = obj.resolved_name if hasattr(obj, "resolved_name") else self._looked_up((label, identifier))
        return f"{kind}: {known or identifier[-12:]}"

    def _looked_up(self, thing: ObjectKey) -> str:
        return resolve_names([thing]).get(thing, "")


def resolve_names(things: Iterable[ObjectKey]) -> dict[ObjectKey, str]:
    """Return the names of the visible rows among `things`, given as (model label, ID).

    Conversations are left out, because their titles are private to their participants.
    """
    by_kind: dict[str, set[str]] = defaultdict(set)
    for label, identifier in things:
        if identifier and not label.startswith("conversations."):
            by_kind[label].add(identifier)
    found: dict[ObjectKey, str] = {}
    for label in sorted(by_kind, key=lambda each: -len(by_kind[each]))[:MAX_KINDS]:
        found |= {(label, key): name for key, name in _resolve_model_names(label, by_kind[label]).items()}
    return found


def _resolve_model_names(label: str, ids: set[str]) -> dict[str, str]:
    try:
        model = apps.get_model(label)
        column = next(name for name in NAME_FIELDS if _has_field(model, name))
    except (LookupError, ValueError, StopIteration):
        return {}
    wanted = [each for each in ids if is_uuid(each)]
    rows = model._base_manager.filter(pk__in=wanted).values_list("pk", column)
    return {str(key): str(name) for key, name in rows if name}


def _has_field(model: Any, name: str) -> bool:
    try:
        return bool(model._meta.get_field(name).concrete)
    except FieldDoesNotExist:
        return False


def is_uuid(text: str) -> bool:
    """Return whether `text` is a UUID."""
    try:
        return bool(UUID(text))
    except ValueError:
        return False
