"""Permissions required to change roles, assignments, members and API keys.

A change requires every permission that the row holds before and after it. Deleting a row is a change too.
"""

from collections.abc import Iterable, Mapping
from functools import singledispatch
from typing import Any, Protocol
from uuid import UUID

from django.core.exceptions import ValidationError

from accounts.models import ApiKey, Invitation, Membership, Role, RoleAssignment
from accounts.roles import role_scopes
from config.api.scopes import intersect_scopes

FIXED_IN_SYSTEM_ROLES = ("slug", "permissions")


class Caller(Protocol):
    """A credential of the API or an access to the console."""

    @property
    def kind(self) -> str: ...

    @property
    def id(self) -> UUID: ...

    @property
    def user_id(self) -> UUID: ...

    def beyond(self, scopes: Iterable[object]) -> list[str]:
        """Return the scopes that the caller does not cover."""


class GrantRefusedError(ValidationError):
    """The caller lacks permissions that a change requires.

    The API responds with 403 and `code`.
    """

    code = "beyond_own_rights"

    def __init__(self, message: str) -> None:
        super().__init__(message, code=type(self).code)


class SystemRoleError(GrantRefusedError):
    """The change is not allowed for system roles."""

    code = "system_role"


def require_grantable(caller: Caller, scopes: Any) -> None:
    """Require that the caller covers the scopes it grants.

    Raises:
        ValidationError: `scopes` is not a list.
        GrantRefusedError: Lists the scopes that the caller lacks.
    """
    if not isinstance(scopes, (list, frozenset)):
        raise ValidationError("Enter a list of permissions.")
    if exceeding := caller.beyond(scopes):
        raise GrantRefusedError(f"You cannot grant permissions that you do not have: {', '.join(exceeding)}.")


def is_covered(caller: Caller, row: Any) -> bool:
    """Return whether the caller covers every permission that `row` holds."""
    return not caller.beyond(get_scopes(row))


def require_covered(caller: Caller, row: Any) -> None:
    """Require that the caller covers every permission that `row` holds.

    Raises:
        GrantRefusedError: Lists the permissions that the caller lacks.
    """
    if exceeding := caller.beyond(get_scopes(row)):
        raise GrantRefusedError(
            f"This {row._meta.verbose_name} has permissions that you do not have: {', '.join(exceeding)}."
        )


@singledispatch
def get_scopes(row: Any) -> frozenset[str]:
    """Return the permissions of a role, assignment, member, invitation or API key."""
    raise TypeError(f"{type(row).__name__} has no permissions")


@get_scopes.register
def _(row: Membership) -> frozenset[str]:
    # Expired assignments count too: their expiry can be changed.
    assigned = RoleAssignment.objects.filter(tenant_id=row.tenant_id, user_id=row.user_id)
    lists = [row.permissions, *assigned.values_list("role__permissions", flat=True)]
    return role_scopes(row.role, [text for each in lists for text in _texts(each)])


@get_scopes.register
def _(row: Invitation) -> frozenset[str]:
    return role_scopes(row.role)


@get_scopes.register
def _(row: Role) -> frozenset[str]:
    return frozenset(_texts(row.permissions))


@get_scopes.register
def _(row: RoleAssignment) -> frozenset[str]:
    return get_scopes(row.role)


@get_scopes.register
def _(row: ApiKey) -> frozenset[str]:
    # A key allows what both its scopes and its user allow.
    owner = Membership.objects.get(tenant_id=row.tenant_id, user_id=row.user_id)
    return intersect_scopes(_texts(row.scopes), get_scopes(owner))


def check_role(changes: Mapping[str, Any], *, caller: Caller, role: Role | None = None) -> None:
    """Check that the caller may create a role, or change `role`.

    Raises:
        SystemRoleError: The changes affect the slug or the permissions of a system role.
        GrantRefusedError: The caller lacks permissions of the role.
    """
    if role is not None:
        require_covered(caller, role)
        fixed = [
            name
            for name in FIXED_IN_SYSTEM_ROLES
            if changes.get(name, getattr(role, name)) != getattr(role, name)
        ]
        if role.is_system and fixed:
            raise SystemRoleError("The slug and the permissions of a system role cannot be changed.")
    if "permissions" in changes:
        require_grantable(caller, changes["permissions"])


def check_role_deletion(role: Role, *, caller: Caller) -> None:
    """Check that the caller may delete a role.

    Raises:
        SystemRoleError: System roles cannot be deleted.
        GrantRefusedError: The caller lacks permissions of the role.
    """
    if role.is_system:
        raise SystemRoleError("System roles cannot be deleted.")
    require_covered(caller, role)


def check_assignment(role: Role | None, *, caller: Caller, assignment: RoleAssignment | None = None) -> None:
    """Check that the caller may assign `role`, or change `assignment` to it.

    Raises:
        GrantRefusedError: The caller lacks permissions of the roles.
    """
    if assignment is not None:
        require_covered(caller, assignment)
    if role is not None:
        require_grantable(caller, get_scopes(role))


def check_member(changes: Mapping[str, Any], *, caller: Caller, member: Membership | None = None) -> None:
    """Check that the caller may add a member, or change `member`.

    Raises:
        GrantRefusedError: The caller lacks permissions of the member.
    """
    if member is not None:
        require_covered(caller, member)
    if "role" in changes:
        require_grantable(caller, role_scopes(changes["role"]))
    if "permissions" in changes:
        require_grantable(caller, changes["permissions"])


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
