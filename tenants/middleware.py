"""Opens the scope of a signed-in person for the console's requests."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class TenantScopeMiddleware:
    """Placeholder order keeper until the console decides (see `config.admin`)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)
