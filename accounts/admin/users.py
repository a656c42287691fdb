"""Users."""

from django.contrib import admin, messages

from accounts.models import User
from accounts.services.members import LastAdministratorError
from accounts.services.users import approve_user, restore_user, soft_delete_user
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
        fieldset("State", "status", ("is_active", "is_verified"), ("last_login", "deleted_at")),
        fieldset("Platform", RIGHTS),
    )
    readonly_fields = ("last_login", "deleted_at")
    actions = ("approve", "soft_delete", "restore")

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

    def has_manage_permission(self, request):
        return request.console.is_platform and self.has_change_permission(request)

    @admin.action(description="Approve", permissions=["manage"])
    def approve(self, request, queryset):
        self._apply(request, queryset.filter(deleted_at=None), approve_user, "approved")

    @admin.action(description="Mark as deleted", permissions=["manage"])
    def soft_delete(self, request, queryset):
        self._apply(request, queryset.filter(deleted_at=None), soft_delete_user, "marked as deleted")

    @admin.action(description="Restore", permissions=["manage"])
    def restore(self, request, queryset):
        self._apply(request, queryset.exclude(deleted_at=None), restore_user, "restored")

    def _apply(self, request, queryset, change, done):
        changed = 0
        for user in queryset:
            if not self.has_change_permission(request, user):
                continue
            try:
                changed += change(user) is not False
            except LastAdministratorError as refusal:
                self.message_user(request, f"{user}: {refusal.messages[0]}", messages.ERROR)
        self.message_user(request, f"{changed} accounts {done}.")

    def has_delete_permission(self, request, obj=None):
        """Users are deactivated, not deleted; the audit log refers to them."""
        return False
