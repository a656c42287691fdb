"""Forms that grant permissions, limited to the permissions of the signed-in user."""

from typing import Any

from django.core.exceptions import ValidationError

from accounts.admin.access import Access
from accounts.choices import MemberRole, MemberStatus
from accounts.roles import role_scopes
from accounts.services.members import get_member_scopes, require_other_administrator
from config.admin.forms import BaseModelForm
from config.api.scopes import beyond


def require_grantable(access: Access, scopes: Any) -> None:
    """Reject scopes that exceed those of the signed-in user.

    Raises:
        ValidationError: Lists the scopes that exceed the user's own.
    """
    if not isinstance(scopes, list):
        raise ValidationError("Enter a list of permissions.")
    if exceeding := beyond(access.scopes, scopes):
        raise ValidationError(f"You cannot grant permissions that you do not have: {', '.join(exceeding)}.")


def outranks(access: Access, member: Any) -> bool:
    """Return whether the signed-in user has every permission of `member`."""
    return not beyond(access.scopes, get_member_scopes(member))


class GrantForm(BaseModelForm):
    """Base form with the signed-in user's access; `AccessFormMixin` sets `access`."""

    access: Access


class AccessFormMixin:
    """Passes the user's access to the form. List this mixin before the base admin class."""

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.access = request.console
        return form


class PermissionsForm(GrantForm):
    """Form for a row with a `permissions` field."""

    def clean_permissions(self) -> Any:
        permissions = self.cleaned_data["permissions"]
        if "permissions" in self.changed_data:
            require_grantable(self.access, permissions)
        return permissions


class MembershipForm(PermissionsForm):
    """Membership form that checks the role and keeps one active administrator."""

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
    """Role assignment form."""

    def clean_role(self) -> Any:
        role = self.cleaned_data["role"]
        if role is not None:
            require_grantable(self.access, role.permissions)
        return role
