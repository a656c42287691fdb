"""Activity endpoints."""

from typing import Any

from config.api.serializers import BaseSerializer
from config.api.viewsets import TenantViewSet
from workflows.models import Activity, ActivityAssignment, ActivityStatus, ActivityType
from workflows.services.activities import announce_assignment


class ActivityTypeSerializer(BaseSerializer):
    """A type of activity."""

    class Meta:
        model = ActivityType
        fields = ("name",)


class ActivityStatusSerializer(BaseSerializer):
    """A status of activities."""

    class Meta:
        model = ActivityStatus
        fields = ("name",)


class ActivitySerializer(BaseSerializer):
    """An activity of several people over a period."""

    class Meta:
        model = Activity
        fields = ("name", "description", "activity_type", "status", "start_date", "end_date")


class ActivityAssignmentSerializer(BaseSerializer):
    """An assignment of a user to an activity."""

    class Meta:
        model = ActivityAssignment
        fields = ("activity", "user", "role", "assigned_at")


class ActivityTypeViewSet(TenantViewSet):
    """Activity types."""

    serializer_class = ActivityTypeSerializer
    resource = "activities"
    ordering_fields = ("created_at", "updated_at", "name")


class ActivityStatusViewSet(TenantViewSet):
    """Activity statuses."""

    serializer_class = ActivityStatusSerializer
    resource = "activities"
    ordering_fields = ("created_at", "updated_at", "name")


class ActivityViewSet(TenantViewSet):
    """Activities."""

    serializer_class = ActivitySerializer
    resource = "activities"
    ordering_fields = ("created_at", "updated_at", "name")


class ActivityAssignmentViewSet(TenantViewSet):
    """Activity assignments."""

    serializer_class = ActivityAssignmentSerializer
    resource = "activities"
    ordering_fields = ("created_at", "updated_at", "assigned_at")

    def perform_create(self, serializer: Any) -> Any:
        assignment = super().perform_create(serializer)
        announce_assignment(assignment)
        return assignment

    def perform_update(self, serializer: Any) -> Any:
        before = serializer.instance.user_id
        assignment = super().perform_update(serializer)
        if serializer.instance.user_id != before:
            announce_assignment(serializer.instance)
        return assignment
