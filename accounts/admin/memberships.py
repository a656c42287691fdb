"""Members, roles and role assignments."""

from django.contrib import admin

from accounts.admin.grants import AssignmentForm, GrantAdminMixin, MembershipForm, RoleForm
from accounts.models import Membership, Role, RoleAssignment
from accounts.services.grants import FIXED_IN_SYSTEM_ROLES, check_role_deletion
from accounts.services.members import require_other_administrator
from config.admin.bases import BaseModelAdmin, fieldset


@admin.register(Membership)
class MembershipAdmin(GrantAdminMixin, BaseModelAdmin):
    """Members and their roles. New members are invited."""

    form = MembershipForm
    resource = "members"
    icon = "badge"
    title = "Members"
    position = 10
    list_display = ("user", "role", "status", "joined_at", "created_at")
    list_filter = ("role", "status")
    search_fields = ("user__email", "user__first_name", "user__last_name")
    fieldsets = (
        fieldset(None, "user", ("role", "status"), "permissions"),
        fieldset("Times", "joined_at"),
    )

    def has_add_permission(self, request, obj=None):
        # People become members by accepting an invitation.
        return False

    def check_deletion(self, request, obj):
        if not request.console.is_platform:
            require_other_administrator(obj)
        super().check_deletion(request, obj)

    def get_readonly_fields(self, request, obj=None):
        readonly = super().get_readonly_fields(request, obj)
        return [*readonly, "user"] if obj else readonly


@admin.register(Role)
class RoleAdmin(GrantAdminMixin, BaseModelAdmin):
    form = RoleForm
    resource = "roles"
    icon = "admin_panel_settings"
    position = 30
    list_display = ("name", "slug", "description", "is_system")
    list_filter = ("is_system",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (fieldset(None, ("name", "slug"), "description", "permissions", "is_system"),)

    def get_readonly_fields(self, request, obj=None):
        readonly = super().get_readonly_fields(request, obj)
        return [*readonly, *FIXED_IN_SYSTEM_ROLES] if obj and obj.is_system else readonly

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not (obj and obj.is_system)

    def check_deletion(self, request, obj):
        check_role_deletion(obj, caller=request.console)


@admin.register(RoleAssignment)
class RoleAssignmentAdmin(GrantAdminMixin, BaseModelAdmin):
    form = AssignmentForm
    resource = "roles"
    icon = "assignment_ind"
    position = 40
    owner = "granted_by"
    list_display = ("user", "role", "scope", "engagement", "is_active", "expires_at")
    list_filter = ("scope", "is_active")
    search_fields = ("user__email", "role__name")
    fieldsets = (
        fieldset(None, ("user", "role"), ("scope", "engagement"), "is_active"),
        fieldset("Times", "expires_at", ("granted_at", "granted_by")),
    )
    readonly_fields = ("granted_at",)
