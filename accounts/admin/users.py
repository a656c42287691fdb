"""Users."""

from django.contrib import admin

from accounts.models import User
from config.admin.bases import BaseModelAdmin, fieldset

RIGHTS = ("is_staff", "is_superuser")


@admin.register(User)
class UserAdmin(BaseModelAdmin):
    """Users. Tenants see their members; platform staff manage all users."""

    resource = "members"
    icon = "person"
    title = "People"
    position = 20
    list_display = ("email", "full_name", "status", "is_active", "is_verified", "last_login")
    list_filter = ("status", "is_active", "is_staff")
    search_fields = ("email", "first_name", "last_name")
    fieldsets = (
        fieldset(None, "email", ("first_name", "last_name"), "username", "avatar_url"),
        fieldset("State", "status", ("is_active", "is_verified"), "last_login"),
        fieldset("Platform", RIGHTS),
    )
    readonly_fields = ("last_login",)

    @admin.display(description="Name")
    def full_name(self, obj):
        return obj.full_name

    def get_fieldsets(self, request, obj=None):
        sets = super().get_fieldsets(request, obj)
        return sets if request.console.is_platform else [each for each in sets if each[0] != "Platform"]

    def get_list_filter(self, request):
        filters = super().get_list_filter(request)
        return filters if request.console.is_platform else [each for each in filters if each not in RIGHTS]

    def get_readonly_fields(self, request, obj=None):
        readonly = super().get_readonly_fields(request, obj)
        return readonly if request.user.is_superuser else [*readonly, *RIGHTS]

    def save_model(self, request, obj, form, change):
        if not change:
            # Users set their own password with a password reset; staff never choose one for them.
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)

    def has_change_permission(self, request, obj=None):
        # Changing the e-mail address of a superuser would allow taking over the account.
        above = obj is not None and (obj.is_superuser or obj.is_staff) and not request.user.is_superuser
        return super().has_change_permission(request, obj) and not above

    def has_delete_permission(self, request, obj=None):
        """Users are deactivated, not deleted; the audit log refers to them."""
        return False
