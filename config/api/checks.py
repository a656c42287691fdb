"""System check for API views without declared permissions.

Such a view denies every request. The check reports it before deployment.
"""

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver

from .permissions import ANY_CREDENTIAL, required_verb


def iter_callbacks(patterns: list[Any]) -> Iterator[Any]:
    """Yield the view functions of URL patterns."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from iter_callbacks(pattern.url_patterns)
        elif isinstance(pattern, URLPattern):
            yield pattern.callback


def iter_views() -> Iterator[tuple[type, dict[str, str] | None]]:
    """Yield each API view class of the URL configuration with its actions by method."""
    from .views import ApiView

    for callback in iter_callbacks(get_resolver().url_patterns):
        view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        if isinstance(view, type) and issubclass(view, ApiView):
            yield view, getattr(callback, "actions", None)


def missing_declarations(view: type, actions: dict[str, str] | None) -> list[str]:
    """Return the missing declarations of `view`: its resource or verbs of its actions."""
    resource = getattr(view, "resource", "")
    if not resource:
        return ["resource"]
    if resource == ANY_CREDENTIAL or actions is None:
        return []
    instance = view()
    missing = []
    for method, action in actions.items():
        instance.action = action
        if required_verb(instance, method.upper()) is None:
            missing.append(f"verb of {action}")
    return missing


@checks.register(checks.Tags.security)
def check_declarations(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Report API views without a resource and actions without a verb (conclave.E020)."""
    found: list[checks.CheckMessage] = []
    for view, actions in iter_views():
        for what in missing_declarations(view, actions):
            message = (
                f"{view.__module__}.{view.__qualname__} does not declare: {what}. Every request is denied."
            )
            found.append(checks.Error(message, id="conclave.E020"))
    return found
