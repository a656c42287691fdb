"""Profile and preference endpoints, limited to the caller's own rows."""

from typing import Any

from django.http import Http404

from accounts.models import UserModelChoice, UserProfile, UserSettings, WorkProfile
from config.api.exceptions import PreconditionFailed
from config.api.serializers import BaseSerializer
from config.api.singletons import SingletonViewSet, WritableSingletonViewSet
from config.api.viewsets import TenantViewSet

OWNER = {"user": {"read_only": True}}


class UserProfileSerializer(BaseSerializer):
    """Contact and work details of a user."""

    class Meta:
        model = UserProfile
        extra_kwargs = OWNER
        fields = (
            "user",
            "display_name",
            "date_of_birth",
            "phone_number",
            "alternate_phone",
            "personal_address",
            "job_title",
            "company",
            "department",
            "work_phone",
            "work_email",
            "work_address",
            "preferred_contact_method",
            "emergency_contact",
            "bio",
            "website",
            "linkedin",
            "twitter",
            "github",
        )


class UserSettingsSerializer(BaseSerializer):
    """Settings of a user."""

    class Meta:
        model = UserSettings
        extra_kwargs = OWNER
        fields = (
            "user",
            "theme",
            "language",
            "timezone",
            "notifications_enabled",
            "notification_preferences",
            "web_search_provider",
            "preferences",
        )


class UserModelChoiceSerializer(BaseSerializer):
    """The model that a user chose for a purpose."""

    class Meta:
        model = UserModelChoice
        extra_kwargs = OWNER
        fields = ("user", "purpose", "model")


class WorkProfileSerializer(BaseSerializer):
    """Goals, habits and preferences of a user."""

    class Meta:
        model = WorkProfile
        extra_kwargs = OWNER
        fields = (
            "user",
            "calendar_event_weights",
            "agent_settings",
            "personal_goals",
            "work_style_preferences",
            "productivity_patterns",
            "interview_insights",
            "project_preferences",
            "default_code_style",
            "git_integrations",
        )


def get_own_row_id(view: Any) -> Any:
    """Return the id of the caller's row, or None."""
    rows = view.model.objects.filter(user_id=view.credential.user_id)
    return rows.values_list("id", flat=True).first()


class OwnRowViewSet(SingletonViewSet):
    """Singleton endpoint for the caller's own row."""

    def own_id(self) -> Any:
        found = get_own_row_id(self)
        if found is None:
            raise Http404
        return found


class WritableOwnRowViewSet(OwnRowViewSet, WritableSingletonViewSet):
    """Singleton endpoint whose PATCH creates the row if it does not exist."""

    def update(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if get_own_row_id(self) is not None:
            return super().update(request, *args, **kwargs)
        if "HTTP_IF_MATCH" in request.META:
            raise PreconditionFailed
        serializer = self.validate(self.get_serializer(data=request.data))
        row = serializer.save(user_id=self.credential.user_id)
        return self.respond_with(row.pk)


class UserProfileViewSet(WritableOwnRowViewSet):
    """Your profile. The first PATCH creates it."""

    serializer_class = UserProfileSerializer
    resource = "profile"


class UserSettingsViewSet(WritableOwnRowViewSet):
    """Your settings. The first PATCH creates them."""

    serializer_class = UserSettingsSerializer
    resource = "profile"


class WorkProfileViewSet(WritableOwnRowViewSet):
    """Your work profile. The first PATCH creates it."""

    serializer_class = WorkProfileSerializer
    resource = "profile"


class UserModelChoiceViewSet(TenantViewSet):
    """Your model choices by purpose."""

    serializer_class = UserModelChoiceSerializer
    resource = "profile"
    ordering_fields = ("created_at", "updated_at", "purpose")
    owner_field = "user_id"
