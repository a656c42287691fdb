"""Scopes (`<resource>:<verb>`) of each membership role.

Verbs: `read`, `write` (create, change, delete), `execute` (talk to agents, start workflows).
`*` matches any resource or verb. A tenant adds permissions with `Role` and `Membership.permissions`.
"""

from collections.abc import Iterable

from accounts.choices import MemberRole

# Resources owned by one user; row-level security hides those of other users.
OWN_SCOPES = frozenset(
    {
        "credentials:read",
        "credentials:write",
        "learning-patterns:read",
        "learning-patterns:write",
        "profile:read",
        "profile:write",
        "prompts:read",
        "prompts:write",
        "terms:read",
        "terms:write",
    }
)
ROLE_SCOPES: dict[str, frozenset[str]] = {
    MemberRole.ADMIN: frozenset({"*:*"}),
    MemberRole.ANALYST: frozenset(
        {
            "*:execute",
            "activities:read",
            "activities:write",
            "agent-learning-patterns:read",
            "agent-tasks:read",
            "agents:read",
            "agents:write",
            "assets:read",
            "assets:write",
            "calendars:read",
            "calendars:write",
            "collections:read",
            "collections:write",
            "conversations:read",
            "conversations:write",
            "engagements:read",
            "engagements:write",
            "flows:read",
            "flows:write",
            "integrations:read",
            "mcp-servers:read",
            "members:read",
            "projects:read",
            "projects:write",
            "purchases:read",
            "talents:read",
            "talents:write",
            "templates:read",
            "templates:write",
            "tenant:read",
            "usage:read",
            "workflows:read",
            "workflows:write",
        }
    )
    | OWN_SCOPES,
    MemberRole.USER: frozenset(
        {
            "activities:read",
            "agents:execute",
            "agents:read",
            "assets:read",
            "calendars:read",
            "calendars:write",
            "collections:read",
            "conversations:read",
            "conversations:write",
            "engagements:read",
            "flows:read",
            "mcp-servers:read",
            "projects:read",
            "projects:write",
            "talents:read",
            "templates:read",
            "tenant:read",
            "workflows:execute",
            "workflows:read",
        }
    )
    | OWN_SCOPES,
    MemberRole.VIEWER: frozenset(
        {
            "activities:read",
            "agents:read",
            "assets:read",
            "collections:read",
            "conversations:read",
            "engagements:read",
            "flows:read",
            "projects:read",
            "talents:read",
            "templates:read",
            "tenant:read",
            "workflows:read",
        }
    )
    | {scope for scope in OWN_SCOPES if scope.endswith(":read")},
    # Works with assigned roles alone, for example in one engagement.
    MemberRole.GUEST: frozenset({"profile:read", "profile:write", "tenant:read"}),
}


def role_scopes(role: str | None, extra: Iterable[str] = ()) -> frozenset[str]:
    """Return the scopes of `role` combined with the `extra` scopes."""
    return ROLE_SCOPES.get(role or "", frozenset()) | frozenset(extra)


# Resources with rows of engagements. A role in an engagement grants nothing else, because everything else belongs to
# the whole tenant.
ENGAGEMENT_RESOURCES = ("agent-learning-patterns", "assets", "flows")


def engagement_scopes(permissions: Iterable[str]) -> frozenset[str]:
    """Return the scopes that roles assigned in an engagement grant there.

    Each of them may also read the engagement itself.
    """
    found = {"engagements:read"}
    for permission in permissions:
        resource, _, verb = permission.partition(":")
        found |= {f"{each}:{verb or '*'}" for each in ENGAGEMENT_RESOURCES if resource in ("*", each)}
    return frozenset(found)
