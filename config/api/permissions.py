"""Scope-based permissions. Access is denied unless the view declares a resource and verb."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .credentials import Credential

# For views that return only data about the caller.
ANY_CREDENTIAL = "*self*"
READ, WRITE, EXECUTE = "read", "write", "execute"
ACTION_VERBS = {
    "list": READ,
    "retrieve": READ,
    "create": WRITE,
    "update": WRITE,
    "partial_update": WRITE,
    "destroy": WRITE,
}
METHOD_VERBS = {"GET": READ, "HEAD": READ, "POST": WRITE, "PUT": WRITE, "PATCH": WRITE, "DELETE": WRITE}


def required_verb(view: Any, method: str) -> str | None:
    """Return the verb that a request needs. None, if the view declares none, denies access.

    A viewset declares the verb of an extra action: `verbs = {"publish": "write"}`.
    """
    verbs = getattr(view, "verbs", {})
    action = getattr(view, "action", None)
    if action is None:
        return verbs.get(method) or METHOD_VERBS.get(method)
    return verbs.get(action) or ACTION_VERBS.get(action)


class ResourcePermission(BasePermission):
    """Require `<resource>:<verb>` from both the caller's role and the key's scopes."""

    message = "Your role or API key does not grant this permission."
    code = "permission_denied"

    def has_permission(self, request: Request, view: Any) -> bool:
        credential = request.auth
        resource = getattr(view, "resource", None)
        if not isinstance(credential, Credential) or not resource:
            return False
        if resource == ANY_CREDENTIAL:
            return True
        verb = required_verb(view, request.method or "")
        return verb is not None and credential.allows(resource, verb)
