"""Scopes in requests."""

import re
from functools import cache
from typing import Any

from rest_framework import serializers

from .checks import iter_views
from .permissions import ANY_CREDENTIAL, VERBS
from .serializers import TextListField


@cache
def scope_pattern() -> str:
    """Return the pattern of the scopes that exist, with the resources of all API views."""
    resources = {str(getattr(view, "resource", "")) for view, _ in iter_views()} - {"", ANY_CREDENTIAL}
    return rf"^(\*|(\*|{'|'.join(sorted(resources))}):(\*|{'|'.join(VERBS)}))$"


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
