"""Scopes in requests, checked against the credential of the caller.

A caller cannot grant scopes beyond its own.
"""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from .credentials import Credential
from .exceptions import Forbidden
from .serializers import TextListField

SCOPE = r"^(\*|(\*|[a-z][a-z-]{0,49}):(\*|[a-z]{1,20}))$"


class ScopeListField(TextListField):
    """A list of scopes such as `agents:read`, `agents:*`, `*:read` or `*`."""

    child = serializers.RegexField(
        SCOPE, max_length=80, error_messages={"invalid": "Enter a scope such as agents:read, agents:* or *."}
    )


def require_grantable(credential: Credential, scopes: Iterable[Any]) -> None:
    """Check that the credential covers every scope it grants.

    Raises:
        Forbidden: a scope exceeds the credential's own.
    """
    if exceeding := credential.beyond(scopes):
        detail = f"You cannot grant permissions that you do not have: {', '.join(exceeding)}."
        raise Forbidden(detail, code="beyond_own_rights")
