"""Members, roles and who has them."""

from django import forms
from django.contrib import admin
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.models import Membership, Role, RoleAssignment
from config.admin.bases import HouseAdmin
from config.admin.forms import HouseForm
from tenants.models import Tenant


class PlatformMembershipForm(HouseForm):
    """A membership in any organisation: the platform scope has none of its own."""

    organisation = forms.ModelChoiceField(Tenant.objects.none(), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["organisation"].queryset = Tenant.objects.order_by("name")

    def _post_clean(self):
        self.instance.tenant = self.cleaned_data.get("organisation")
        super()._post_clean()


@admin.register(Membership)
class MembershipAdmin(HouseAdmin):
    """Who belongs here, as what. New people come by invitation, or by the platform's staff."""

    resource = "members"
    icon = "badge"
    title = "Members"
    position = 10
    platform_adds = True
    list_display = ("user", "role", "status", "joined_at", "created_at")
    list_filter = ("role", "status")
    search_fields = ("user__email", "user__first_name", "user__last_name")
    fieldsets = (
        (None, {"fields": ("user", ("role", "status"), "permissions")}),
        ("Times", {"fields": ("joined_at",)}),
    )

    def has_add_permission(self, request, obj=None):
        # Inside a tenant nobody sees people who do not belong to it yet, so there is nobody to choose.
        return super().has_add_permission(request, obj) and request.console.is_platform

    def get_fieldsets(self, request, obj=None):
        sets = super().get_fieldsets(request, obj)
        return sets if obj else [("Where", {"fields": ["organisation"]}), *sets]

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is None:
            kwargs["form"] = PlatformMembershipForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(self, request, obj=None):
        readonly = super().get_readonly_fields(request, obj)
        return [*readonly, "user"] if obj else readonly


@admin.register(Role)
class RoleAdmin(HouseAdmin):
    resource = "roles"
    icon = "admin_panel_settings"
    position = 30
    list_display = ("name", "slug", "description", "is_system")
    list_filter = ("is_system",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = ((None, {"fields": (("name", "slug"), "description", "permissions", "is_system")}),)

    def get_prepopulated_fields(self, request, obj=None):
        return self.prepopulated_fields if self._writable(request, obj) and obj is None else {}


@admin.register(RoleAssignment)
class RoleAssignmentAdmin(HouseAdmin):
    resource = "roles"
    icon = "assignment_ind"
    position = 40
    owner = "granted_by"
    list_display = ("user", "role", "scope", "engagement", "is_active", "expires_at")
    list_filter = ("scope", "is_active")
    search_fields = ("user__email", "role__name")
    fieldsets = (
        (None, {"fields": (("user", "role"), ("scope", "engagement"), "is_active")}),
        ("Times", {"fields": ("expires_at", ("granted_at", "granted_by"))}),
    )
    readonly_fields = ("granted_at",)
