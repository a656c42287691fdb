"""Profiles and preferences: users see their own rows, platform staff see all."""

from django.contrib import admin

from accounts.models import UserModelChoice, UserProfile, UserSettings, WorkProfile
from config.admin.bases import BaseModelAdmin, fieldset


class OwnRowsAdmin(BaseModelAdmin):
    """Base admin for rows of the signed-in user."""

    resource = "profile"
    owner = "user"
    search_fields = ("user__email", "user__first_name", "user__last_name")
    readonly_fields = ("user",)


@admin.register(UserProfile)
class UserProfileAdmin(OwnRowsAdmin):
    icon = "contact_page"
    title = "My profile"
    position = 60
    list_display = ("__str__", "user", "job_title", "department", "company", "updated_at")
    fieldsets = (
        fieldset(None, "user", ("display_name", "date_of_birth"), "bio"),
        fieldset("Work", ("job_title", "department"), "company", ("work_phone", "work_email")),
        fieldset("Contact", ("phone_number", "alternate_phone"), "preferred_contact_method"),
        fieldset("Addresses", "personal_address", "work_address", "emergency_contact", collapse=True),
        fieldset("Links", "website", ("linkedin", "twitter", "github"), collapse=True),
    )


@admin.register(UserSettings)
class UserSettingsAdmin(OwnRowsAdmin):
    icon = "tune"
    title = "My settings"
    position = 61
    list_display = ("__str__", "user", "theme", "timezone", "language", "notifications_enabled")
    list_filter = ("theme", "notifications_enabled")
    fieldsets = (
        fieldset(None, "user", ("theme", "language"), "timezone", "web_search_provider"),
        fieldset("Notifications", "notifications_enabled", "notification_preferences"),
        fieldset("Data", "preferences", collapse=True),
    )


@admin.register(UserModelChoice)
class UserModelChoiceAdmin(OwnRowsAdmin):
    icon = "model_training"
    title = "My models"
    position = 62
    list_display = ("purpose", "model", "user", "updated_at")
    list_filter = ("purpose",)
    search_fields = ("model", "user__email")
    fieldsets = (fieldset(None, "user", ("purpose", "model")),)


@admin.register(WorkProfile)
class WorkProfileAdmin(OwnRowsAdmin):
    icon = "self_improvement"
    title = "My work profile"
    position = 63
    list_display = ("__str__", "user", "updated_at")
    fieldsets = (
        fieldset(None, "user", "personal_goals", "work_style_preferences", "calendar_event_weights"),
        fieldset("Projects", "project_preferences", "default_code_style", "git_integrations"),
        fieldset("Assistants", "agent_settings", "productivity_patterns", "interview_insights"),
    )
