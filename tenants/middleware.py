"""Middleware that serves console views in the scope of the signed-in user."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from config.api.refusals import Refusal, request_refused


class TenantScopeMiddleware:
    """Passes console requests to `ConsoleSite.serve`, which opens the scope around view and rendering.

    Must be the last middleware: sessions, users and CSRF need the identity role, outside the scope. The view is
    called from `process_view`, so its exceptions pass through the scope and roll back its transaction.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or admin.site.name not in match.namespaces or not request.user.is_authenticated:
            return None
        try:
            return admin.site.serve(request, view, args, kwargs)
        except PermissionDenied:
            access = request.console.tenant_access
            refusal = Refusal(
                request,
                403,
                "permission_denied",
                tenant_id=access.tenant_id if access else None,
                user_id=request.user.pk,
            )
            request_refused.send_robust(type(self), refusal=refusal)
            raise
