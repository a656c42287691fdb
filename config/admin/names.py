"""Names in the place of plain ids, which telemetry keeps so that it outlives what it speaks of."""

from typing import Any

from django.apps import apps
from django.db.models import OuterRef, Subquery
from django.utils.text import capfirst

SUFFIX = "_named"


class NamesIds:
    """Mix-in: the column of an id shows the name of what it stands for, or the id when that is gone or hidden.

    `named_ids` maps columns to what they name: `{"agent_id": "agents.Agent.name"}`.
    """

    named_ids: dict[str, str] = {}

    def __init__(self, model: Any, admin_site: Any) -> None:
        super().__init__(model, admin_site)  # type: ignore[call-arg]
        for column in self.named_ids:
            setattr(self, f"{column}{SUFFIX}", _shown(column))

    def get_queryset(self, request: Any) -> Any:
        rows = super().get_queryset(request)  # type: ignore[misc]
        return rows.annotate(
            **{f"{column}_name": _name(column, path) for column, path in self.named_ids.items()}
        )

    def get_list_display(self, request: Any) -> list[Any]:
        return [self._shown_as(name) for name in super().get_list_display(request)]  # type: ignore[misc]

    def get_fieldsets(self, request: Any, obj: Any = None) -> list[Any]:
        sets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        return [(title, {**options, "fields": self._shown_as(options["fields"])}) for title, options in sets]

    def _shown_as(self, names: Any) -> Any:
        if isinstance(names, (list, tuple)):
            return type(names)(self._shown_as(name) for name in names)
        return f"{names}{SUFFIX}" if names in self.named_ids else names


def _name(column: str, path: str) -> Subquery:
    label, _, field = path.rpartition(".")
    rows = apps.get_model(label)._base_manager.filter(pk=OuterRef(column))
    return Subquery(rows.values(field)[:1])


def _shown(column: str) -> Any:
    def shown(obj: Any) -> str:
        return str(getattr(obj, f"{column}_name", None) or getattr(obj, column) or "")

    shown.short_description = capfirst(column.removesuffix("_id").replace("_", " "))  # type: ignore[attr-defined]
    shown.admin_order_field = column  # type: ignore[attr-defined]
    return shown
