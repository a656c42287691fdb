"""Router of `/api/v1/`. Each app's `api/urls.py` defines `register(router)`."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter


class ApiRouter(SimpleRouter):
    """Router with path converters: a URL with a malformed UUID does not match."""

    def __init__(self) -> None:
        super().__init__(use_regex_path=False)
        self.singles: list[URLPattern] = []

    def single(self, prefix: str, view: Any, name: str, **methods: str) -> None:
        """Register a view, or a viewset with its actions by method, at a single URL."""
        made = view.as_view(methods, basename=name, detail=True) if methods else view.as_view()
        self.singles.append(path(f"{prefix}/", made, name=name))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [*self.singles, *super().get_urls()]


def build_router() -> ApiRouter:
    """Return a router with the resources of all apps."""
    router = ApiRouter()
    for app in settings.API_APPS:
        name = f"{app}.api.urls"
        if find_spec(name) is not None:
            import_module(name).register(router)
    return router
