"""Serves the console's views inside the scope of the person who is signed in."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse


class TenantScopeMiddleware:
    """Hands console requests to `ConsoleSite.serve`, which opens the scope around view and rendering.

    It stands last: sessions, people and CSRF are dealt with outside the scope, where the identity hat may.
    The view is called from `process_view`, so that its exceptions pass through the scope and roll it back.
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
        return admin.site.serve(request, view, args, kwargs)
