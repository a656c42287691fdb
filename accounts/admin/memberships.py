"""Members, roles and role assignments."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget

from accounts.admin.grants import AssignmentForm, GrantAdminMixin, MembershipForm, RoleForm
from accounts.choices import MemberRole
from accounts.models import Membership, Role, RoleAssignment
from accounts.roles import role_scopes
from accounts.services.grants import FIXED_IN_SYSTEM_ROLES, check_role_deletion, require_grantable
from accounts.services.members import add_member, get_or_create_user, require_other_administrator
from config.admin.bases import BaseModelAdmin, fieldset
from tenants.admin.platform_grants import PlatformGrantAdmin, PlatformGrantForm
from tenants.models import Tenant


class PlatformMembershipForm(PlatformGrantForm, MembershipForm):
    """Membership form for platform staff, who also choose the organisation."""

    organisation = forms.ModelChoiceField(Tenant.objects.none(), widget=UnfoldAdminSelectWidget)


class InviteForm(forms.Form):
    """Form that adds a user by e-mail address and role."""

    email = forms.EmailField(max_length=255, label="E-mail", widget=UnfoldAdminEmailInputWidget)
    role = forms.ChoiceField(choices=MemberRole, initial=MemberRole.USER, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args, access, **kwargs):
        super().__init__(*args, **kwargs)
        self.access = access

    def clean_role(self):
        role = self.cleaned_data["role"]
        require_grantable(self.access, role_scopes(role))
        return role


@admin.register(Membership)
class MembershipAdmin(GrantAdminMixin, PlatformGrantAdmin):
    """Members and their roles.

    Tenant administrators add users by e-mail address; platform staff can add them to any tenant.
    """

    form = MembershipForm
    add_form = PlatformMembershipForm
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
    actions_list = ("invite",)

    def has_invite_permission(self, request):
        return self._may(request, "write", "INSERT") and not request.console.is_platform

    @action(description="Add a member", url_path="invite", icon="person_add", permissions=["invite"])
    def invite(self, request):
        form = InviteForm(request.POST or None, access=request.console)
        if request.console.tenant_access is None:
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            # Users exist outside tenants. Do not reveal whether the address is already registered.
            user = get_or_create_user(form.cleaned_data["email"])
            try:
                with request.console.opened():
                    add_member(user, role=form.cleaned_data["role"])
            except (ValidationError, IntegrityError):
                form.add_error("email", "This person is already a member.")
            else:
                self.message_user(request, f"{user.email} is now a member.", messages.SUCCESS)
                return redirect("admin:accounts_membership_changelist")
        context = {**self.admin_site.each_context(request), "title": "Add a member", "form": form}
        return TemplateResponse(request, "console/invite.html", context)

    def has_add_permission(self, request, obj=None):
        # Users who are not members are hidden inside a tenant, so the form has no choices to offer.
        return super().has_add_permission(request, obj) and request.console.is_platform

    def delete_model(self, request, obj):
        if not request.console.is_platform:
            require_other_administrator(obj)
        super().delete_model(request, obj)

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

    def delete_model(self, request, obj):
        check_role_deletion(obj, caller=request.console)
        super().delete_model(request, obj)


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
