"""Scopes in requests."""

import re
from functools import cache
from typing import Any

from rest_framework import serializers

from .checks import iter_views
from .permissions import ANY_CREDENTIAL, VERBS, PlatformPermission
from .serializers import TextListField


def list_resources() -> list[str]:
    """Return the resources of the API views for tenants."""
    views = (view for view, _ in iter_views() if PlatformPermission not in view.permission_classes)  # type: ignore[attr-defined]
    return sorted({str(getattr(view, "resource", "")) for view in views} - {"", ANY_CREDENTIAL})


@cache
def scope_pattern() -> str:
    """Return the pattern of the scopes that exist."""
    return rf"^(\*|(\*|{'|'.join(list_resources())}):(\*|{'|'.join(VERBS)}))$"


class ScopeField(serializers.CharField):
    """A scope such as `agents:read`, `agents:*`, `*:read` or `*`."""

    default_error_messages = {
        "unknown_scope": "This scope does not exist. Enter a scope such as agents:read, agents:* or *."
    }

    def to_internal_value(self, data: Any) -> str:
        scope = super().to_internal_value(data)
        if re.fullmatch(scope_pattern(), scope) is None:
            self.fail("unknown_scope")
        return scope


class ScopeListField(TextListField):
    """A list of scopes."""

    child = ScopeField(max_length=80)
