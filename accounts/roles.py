"""What each role of a membership may do, as scopes `<resource>:<verb>`.

Verbs: `read`, `write` (make, change, delete), `execute` (agents: talk to them; workflows: start them).
`*` stands for any resource or verb. A tenant adds to these by `Role` and by `Membership.permissions`.
"""

from collections.abc import Iterable

from accounts.choices import MemberRole

ROLE_SCOPES: dict[str, frozenset[str]] = {
    MemberRole.ADMIN: frozenset({"*:*"}),
    MemberRole.ANALYST: frozenset(
        {
            "*:execute",
            "agents:read",
            "agents:write",
            "collections:read",
            "collections:write",
            "conversations:read",
            "conversations:write",
            "engagements:read",
            "engagements:write",
            "integrations:read",
            "members:read",
            "tenant:read",
            "usage:read",
        }
    ),
    MemberRole.USER: frozenset(
        {
            "agents:execute",
            "agents:read",
            "collections:read",
            "conversations:read",
            "conversations:write",
            "engagements:read",
            "tenant:read",
        }
    ),
    MemberRole.VIEWER: frozenset(
        {"agents:read", "collections:read", "conversations:read", "engagements:read", "tenant:read"}
    ),
}


def role_scopes(role: str | None, extra: Iterable[str] = ()) -> frozenset[str]:
    """The scopes of a membership: its role's and the `extra` ones granted to it."""
    return ROLE_SCOPES.get(role or "", frozenset()) | frozenset(extra)


def allows(scopes: Iterable[str], resource: str, verb: str) -> bool:
    """Whether `scopes` cover `<resource>:<verb>`."""
    return not {f"{resource}:{verb}", f"{resource}:*", f"*:{verb}", "*:*", "*"}.isdisjoint(scopes)


def covers(held: Iterable[str], scope: str) -> bool:
    """Whether `scope`, wildcards included, gives nothing that `held` lacks."""
    resource, _, verb = scope.partition(":")
    if resource == "*" and verb in ("*", ""):
        return not {"*:*", "*"}.isdisjoint(held)
    return allows(held, resource, verb)


def beyond(held: Iterable[str], wanted: Iterable[object]) -> list[str]:
    """Those of `wanted` that go beyond `held`, as texts in order."""
    held = frozenset(held)
    return sorted(str(scope) for scope in wanted if not (isinstance(scope, str) and covers(held, scope)))
