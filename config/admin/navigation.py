"""The sidebar, the header and the account menu of the console."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

GROUPS = (
    ("Agents", ("agents",)),
    ("Knowledge", ("knowledge",)),
    ("Conversations", ("conversations",)),
    ("Workflows", ("workflows",)),
    ("People", ("accounts",)),
    ("Organisation", ("tenants",)),
    ("Audit", ("audit",)),
)


def _item(request: HttpRequest, model_admin: Any) -> dict[str, Any]:
    opts = model_admin.opts

    def permission(request: HttpRequest) -> bool:
        # Not a bound method: unfold deep-copies the tree and would copy the admin with it.
        return bool(model_admin.has_view_permission(request))

    return {
        "title": str(opts.verbose_name_plural).capitalize() if not model_admin.title else model_admin.title,
        "icon": model_admin.icon,
        "link": reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"),
        "permission": permission,
    }


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the link groups by app; unfold hides forbidden links."""
    home = {"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"items": [home]}]
    for title, labels in GROUPS:
        shown = [
            model_admin
            for model_admin in admin.site._registry.values()
            if model_admin.opts.app_label in labels and model_admin.in_sidebar
        ]
        shown.sort(key=lambda model_admin: model_admin.position)
        if shown:
            items = [_item(request, model_admin) for model_admin in shown]
            groups.append({"title": title, "items": items})
    return groups


def subheader(request: HttpRequest) -> str:
    """Return the name of the current organisation or scope."""
    access = getattr(request, "console", None)
    if access is None:
        return ""
    if access.is_platform:
        return "All organisations"
    return access.tenant_access.name if access.tenant_access else "Platform staff"


def environment(request: HttpRequest) -> list[str] | None:
    """Return the header label: the user's role."""
    access = getattr(request, "console", None)
    if access is None:
        return None
    if access.is_platform:
        return ["Platform scope", "danger"]
    return [access.tenant_access.role.capitalize(), "info"] if access.tenant_access else None


def console_theme(request: HttpRequest) -> dict[str, Any]:
    """Add the console's colours and icon to pages that unfold does not render."""
    site = admin.site
    return {
        "colors": SimpleLazyObject(lambda: site._get_colors("COLORS", request)),
        "site_favicons": SimpleLazyObject(lambda: site._get_favicons("SITE_FAVICONS", request)),
    }


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    """Return the links of the account menu."""
    links = [
        {"title": "Your invitations", "link": reverse("my-invitations")},
        {"title": "Change password", "link": reverse("admin:password_change")},
        {"title": "Two-factor authentication", "link": reverse("mfa_index")},
    ]
    access = getattr(request, "console", None)
    if access is not None and access.is_staff and not access.is_platform:
        links.insert(0, {"title": "Platform scope", "link": reverse("admin:platform")})
    return links
