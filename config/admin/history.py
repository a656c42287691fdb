"""Object history pages, read from the audit log."""

import json
from typing import Any

from django.apps import apps
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404
from django.template.response import TemplateResponse

PER_PAGE = 25


def list_changes(entry: Any) -> list[tuple[str, str, str]]:
    """Return (field, old, new) of each change in an audit row, as text."""
    old, new = entry.old_values or {}, entry.new_values or {}
    shown = [
        (name, _format_value(old.get(name)), _format_value(new.get(name)))
        for name in sorted(old.keys() | new.keys())
    ]
    return [each for each in shown if each[1] != each[2]]


def _format_value(value: Any) -> str:
    if value in (None, "", [], {}):
        return "—"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"


def get_user_names(entries: list[Any]) -> dict[Any, str]:
    """Return the names of the visible users who acted in `entries`."""
    ids = {entry.user_id for entry in entries if entry.user_id}
    found = apps.get_model("accounts", "User").objects.filter(pk__in=ids) if ids else ()
    return {user.pk: str(user) for user in found}


def describe_entries(entries: list[Any]) -> list[dict[str, Any]]:
    """Return the template context of audit rows: entry, user and changed values."""
    people = get_user_names(entries)
    return [
        {"entry": entry, "who": people.get(entry.user_id, entry.actor), "changes": list_changes(entry)}
        for entry in entries
    ]


def render_history(model_admin: Any, request: Any, object_id: str, extra_context: Any) -> TemplateResponse:
    """Render the change history of one object, newest first."""
    obj = model_admin.get_object(request, unquote(object_id))
    if obj is None:
        raise Http404("Not found.")
    if not model_admin.has_view_or_change_permission(request, obj):
        raise PermissionDenied
    opts = model_admin.opts
    rows = apps.get_model("audit", "AuditLog").objects.filter(
        resource_type=opts.label_lower, resource_id=str(obj.pk)
    )
    page = Paginator(rows.order_by("-id"), PER_PAGE).get_page(request.GET.get("p"))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"History of {obj}",
        "subtitle": None,
        "page": page,
        "rows": describe_entries(list(page)),
        "object": obj,
        "opts": opts,
        "module_name": str(opts.verbose_name_plural),
        **(extra_context or {}),
    }
    return TemplateResponse(request, model_admin.object_history_template, context)
