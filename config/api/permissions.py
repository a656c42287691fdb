"""Scope-based permissions. Access is denied unless the view declares a resource and verb."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .credentials import Credential, PlatformCredential
from .exceptions import Forbidden
from .scopes import allows

# For views that return only data about the caller.
ANY_CREDENTIAL = "*self*"
READ, WRITE, EXECUTE = "read", "write", "execute"
VERBS = (READ, WRITE, EXECUTE)
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


def explain_missing(credential: Credential, resource: str, verb: str) -> str:
    """Return the text that names the missing scope, and whether the role or the key lacks it."""
    lacking = "API key" if allows(credential.scopes, resource, verb) else "role"
    return f"Your {lacking} does not grant {resource}:{verb}."


def require_permission(credential: Credential, resource: str, verb: str) -> None:
    """Require that both the role and the key grant `<resource>:<verb>`.

    Raises:
        Forbidden: one of them does not; the member `scope` names the missing scope.
    """
    if not credential.allows(resource, verb):
        raise Forbidden(explain_missing(credential, resource, verb), scope=f"{resource}:{verb}")


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
        if verb is None:
            return False
        require_permission(credential, resource, verb)
        return True


class PlatformPermission(BasePermission):
    """Require a platform API key with the scope `<resource>:<verb>` of the view."""

    message = "The platform API key does not grant this permission."
    code = "permission_denied"

    def has_permission(self, request: Request, view: Any) -> bool:
        credential = request.auth
        verb = required_verb(view, request.method or "")
        if not isinstance(credential, PlatformCredential) or not view.resource or verb is None:
            return False
        if not credential.allows(view.resource, verb):
            scope = f"{view.resource}:{verb}"
            raise Forbidden(f"The platform API key does not grant {scope}.", scope=scope)
        return True
