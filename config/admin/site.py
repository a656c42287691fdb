"""The admin site of the console."""

from contextlib import ExitStack
from importlib import import_module
from types import ModuleType

import psycopg
import unfold.fields
from django.conf import settings
from django.db import ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.module_loading import import_string
from django.views.decorators.http import require_POST
from unfold.sites import UnfoldAdminSite

from config.admin.bases import BaseModelAdmin
from config.admin.json_fields import render_json
from config.db.errors import get_sqlstate

INSUFFICIENT_PRIVILEGE = "42501"
# The backend sets the scope through psycopg's cursor, whose errors Django does not wrap.
PRIVILEGE_ERRORS = (ProgrammingError, psycopg.errors.InsufficientPrivilege)
PLATFORM_UNAVAILABLE = (
    "This deployment does not serve the platform scope: its database login cannot use the operator role."
)
# Sign-in, sessions and the selection of a scope run outside any scope.
UNSCOPED = frozenset(
    {
        "login",
        "logout",
        "jsi18n",
        "password_change",
        "password_change_done",
        "switch",
        "engagement",
        "platform",
        "leave",
    }
)

# unfold colours JSON with inline styles, which the Content-Security-Policy forbids.
unfold.fields.prettify_json = render_json


class ConsoleSite(UnfoldAdminSite):
    """The admin site of Conclave."""

    site_title = "Conclave"
    site_header = "Conclave"
    index_title = "Overview"
    index_template = "console/index.html"

    def register(self, model_or_iterable, admin_class=None, **options):
        """Register only admins of this project; those of libraries ignore scopes and permissions."""
        if admin_class is not None and issubclass(admin_class, BaseModelAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def get_urls(self):
        own = [
            path("switch/", self.admin_view(self.switch), name="switch"),
            path("engagement/", self.admin_view(self.engagement), name="engagement"),
            path("platform/", self.admin_view(self.platform), name="platform"),
            path("platform/leave/", self.admin_view(self.leave), name="leave"),
        ]
        return own + super().get_urls()

    def search(self, request, extra_context=None):
        """Disable the search, because unfold caches results per user, across tenants."""
        raise Http404

    def has_permission(self, request):
        access = getattr(request, "console", None)
        return bool(request.user.is_active and access is not None and access.may_enter)

    def serve(self, request, view, args, kwargs) -> HttpResponseBase:
        """Run the view in the request's scope, or without a scope if it is in `UNSCOPED`."""
        access = request.console = _access().access_of(request)
        if request.resolver_match.url_name in UNSCOPED:
            with access.localized():
                return _render_template(view(request, *args, **kwargs))
        if not access.is_platform and access.tenant_access is None:
            if access.is_staff:
                return redirect("admin:platform")
            return self.refuse(request, "You are not an active member of any organisation.")
        if access.tenant_access is not None and not access.tenant_access.is_open:
            return self.refuse(
                request, f"The organisation {access.tenant_access.name} is {access.tenant_access.status}."
            )
        with ExitStack() as scope:
            try:
                scope.enter_context(access.opened())
            except PRIVILEGE_ERRORS as error:
                if get_sqlstate(error) != INSUFFICIENT_PRIVILEGE:
                    raise
                return self.refuse(request, PLATFORM_UNAVAILABLE)
            return _render_template(view(request, *args, **kwargs))

    def refuse(self, request: HttpRequest, reason: str) -> HttpResponse:
        """Return a 403 page that states the reason."""
        context = {"reason": reason, "console": request.console, "site_title": self.site_title}
        return render(request, "console/refused.html", context, status=403)

    def extra_context(self, context, request):
        access = getattr(request, "console", None)
        context["console"] = access
        if access is not None and (
            len(access.tenant_accesses) > 1 or (access.tenant_accesses and access.is_platform)
        ):
            context["site_dropdown"] = access.tenant_accesses
        if access is not None:
            context |= _access().build_appearance(access, context["colors"])
        return context

    def index(self, request, extra_context=None):
        dashboard = import_string(settings.CONSOLE_DASHBOARD)
        return super().index(request, {**dashboard(request), **(extra_context or {})})

    def login(self, request, extra_context=None):
        """Redirect to allauth's sign-in page, which asks for the second factor."""
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        wanted = request.GET.get("next", reverse("admin:index"))
        return HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'next': wanted})}")

    def switch(self, request):
        """Switch to another tenant of the user; return 404 for any other tenant."""
        return require_POST(self._switch)(request)

    def _switch(self, request):
        wanted = request.POST.get("tenant", "")
        found = [each for each in request.console.tenant_accesses if str(each.tenant_id) == wanted]
        if not found:
            raise Http404
        _access().choose_tenant(request, found[0])
        return redirect("admin:index")

    def engagement(self, request):
        """Limit the console to one engagement, or to none; return 404 for one that the user may not enter."""
        access = request.console
        if access.is_platform or access.tenant_access is None:
            raise Http404
        found = _access().list_engagements(access)
        if request.method != "POST":
            context = {**self.each_context(request), "title": "Engagement", "engagements": found}
            return TemplateResponse(request, "console/engagement.html", context)
        wanted = request.POST.get("engagement", "")
        chosen = next((each.id for each in found if str(each.id) == wanted), None)
        if wanted and chosen is None:
            raise Http404
        _access().choose_engagement(request, access.tenant_access.tenant_id, chosen)
        return redirect("admin:index")

    def platform(self, request):
        """Ask platform staff for the reason and enter the platform scope."""
        from config.admin.platform import ReasonForm, record_platform_entry

        if not request.console.is_staff:
            raise Http404
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            try:
                record_platform_entry(request.user, reason)
            except PRIVILEGE_ERRORS as error:
                if get_sqlstate(error) != INSUFFICIENT_PRIVILEGE:
                    raise
                form.add_error(None, PLATFORM_UNAVAILABLE)
            else:
                _access().enter_platform(request, reason)
                return redirect("admin:index")
        context = {**self.each_context(request), "title": "Platform scope", "form": form}
        return TemplateResponse(request, "console/platform.html", context)

    @method_decorator(require_POST)
    def leave(self, request):
        """Leave the platform scope."""
        _access().leave_platform(request)
        return redirect("admin:index")


def _access() -> ModuleType:
    """Return the module that determines who can enter the console, and with which scope."""
    return import_module(settings.CONSOLE_ACCESS)


def _render_template(response: HttpResponseBase) -> HttpResponseBase:
    if isinstance(response, TemplateResponse) and not response.is_rendered:
        response.render()
    return response
