"""Forms and pages that change permissions."""

from typing import Any

from accounts.admin.access import Access
from accounts.choices import MemberRole, MemberStatus
from accounts.services.grants import check_assignment, check_member, check_role, is_covered, require_covered
from accounts.services.keys import check_api_key
from accounts.services.members import require_other_administrator
from config.admin.forms import BaseModelForm


class GrantForm(BaseModelForm):
    """Base form with the signed-in user's access; `GrantAdminMixin` sets `access`."""

    access: Access

    def clean(self) -> Any:
        cleaned = super().clean()
        if not self.errors:
            # The instance still has the values before the change.
            row = None if self.instance._state.adding else self.instance
            changes = {
                name: value for name, value in cleaned.items() if row is None or name in self.changed_data
            }
            self.check(changes, row)
        return cleaned

    def check(self, changes: dict[str, Any], row: Any) -> None:
        """Check that the user may make these changes.

        `row` is None when a row is added.

        Raises:
            django.core.exceptions.ValidationError: The user may not.
        """
        raise NotImplementedError


class RoleForm(GrantForm):
    """Form of a role."""

    def check(self, changes: dict[str, Any], row: Any) -> None:
        check_role(changes, caller=self.access, role=row)


class MembershipForm(GrantForm):
    """Form of a member, which keeps one active administrator."""

    def check(self, changes: dict[str, Any], row: Any) -> None:
        check_member(changes, caller=self.access, member=row)
        values = self.cleaned_data
        stays = values.get("role") == MemberRole.ADMIN and values.get("status") == MemberStatus.ACTIVE
        if row is not None and not stays:
            require_other_administrator(row)


class AssignmentForm(GrantForm):
    """Form of a role assignment."""

    def check(self, changes: dict[str, Any], row: Any) -> None:
        check_assignment(changes.get("role"), caller=self.access, assignment=row)


class ApiKeyForm(GrantForm):
    """Form of an API key. A new key acts as the signed-in user."""

    def check(self, changes: dict[str, Any], row: Any) -> None:
        if row is None:
            changes |= {"user_id": self.access.user_id}
        check_api_key(changes, caller=self.access, key=row)


class GrantAdminMixin:
    """Mixin that limits changes to rows that the user covers. List it before the base admin class."""

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.access = request.console
        return form

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and self._covers(request, obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and self._covers(request, obj)

    def check_deletion(self, request, obj):
        """Check that the user may delete the row.

        Raises:
            django.core.exceptions.ValidationError: The user may not.
        """
        require_covered(request.console, obj)

    def delete_model(self, request, obj):
        # Deleting selected rows checks no permission for each row.
        self.check_deletion(request, obj)
        super().delete_model(request, obj)

    def _covers(self, request, obj):
        if obj is None or obj._state.adding:
            return True
        # A page asks for each of its parts.
        known = request.__dict__.setdefault("covered_rows", {})
        if obj.pk not in known:
            known[obj.pk] = is_covered(request.console, obj)
        return known[obj.pk]
