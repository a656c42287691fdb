"""Forms of rights: nobody hands out, or takes from another, more than they hold."""

from typing import Any

from django.core.exceptions import ValidationError

from accounts.admin.access import Access
from accounts.choices import MemberRole, MemberStatus
from accounts.roles import role_scopes
from accounts.services.members import require_other_administrator, scopes_of
from config.admin.forms import HouseForm
from config.api.scopes import beyond


def require_grantable(access: Access, scopes: Any) -> None:
    """Refuse scopes that go beyond what the person at the form may do.

    Raises:
        ValidationError: naming them.
    """
    if not isinstance(scopes, list):
        raise ValidationError("This is a list of permissions.")
    if exceeding := beyond(access.scopes, scopes):
        raise ValidationError(f"You cannot grant what you may not do: {', '.join(exceeding)}.")


def outranks(access: Access, member: Any) -> bool:
    """Whether the person at the form may do all that `member` may."""
    return not beyond(access.scopes, scopes_of(member))


class GrantForm(HouseForm):
    """A form that knows who is at it; `access` is set by `KnowsAccess`."""

    access: Access


class KnowsAccess:
    """Gives the form its access. List it before the base of the admin."""

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.access = request.console
        return form


class PermissionsForm(GrantForm):
    """A row with permissions of its own."""

    def clean_permissions(self) -> Any:
        permissions = self.cleaned_data["permissions"]
        if "permissions" in self.changed_data:
            require_grantable(self.access, permissions)
        return permissions


class MembershipForm(PermissionsForm):
    """A membership: the role is granted like permissions, and one administrator stays."""

    def clean_role(self) -> Any:
        role = self.cleaned_data["role"]
        if "role" in self.changed_data:
            require_grantable(self.access, sorted(role_scopes(role)))
        return role

    def clean(self) -> Any:
        cleaned = super().clean()
        stays = cleaned.get("role") == MemberRole.ADMIN and cleaned.get("status") == MemberStatus.ACTIVE
        if not self.instance._state.adding and not stays and not self.errors:
            require_other_administrator(self.instance)
        return cleaned


class AssignmentForm(GrantForm):
    """A role given to a person."""

    def clean_role(self) -> Any:
        role = self.cleaned_data["role"]
        if role is not None:
            require_grantable(self.access, role.permissions)
        return role
