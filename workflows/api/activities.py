"""Activities in the API."""

from config.api.serializers import HouseSerializer
from config.api.viewsets import TenantViewSet
from workflows.models import Activity, ActivityAssignment, ActivityStatus, ActivityType


class ActivityTypeSerializer(HouseSerializer):
    """A kind of activity."""

    class Meta:
        model = ActivityType
        fields = ("id", "name", "created_at", "updated_at")


class ActivityStatusSerializer(HouseSerializer):
    """A state of activities."""

    class Meta:
        model = ActivityStatus
        fields = ("id", "name", "created_at", "updated_at")


class ActivitySerializer(HouseSerializer):
    """Something that people do together for a time."""

    class Meta:
        model = Activity
        expandable = {"activity_type": ActivityTypeSerializer, "status": ActivityStatusSerializer}
        fields = (
            "id",
            "name",
            "description",
            "activity_type",
            "status",
            "start_date",
            "end_date",
            "created_at",
            "updated_at",
        )


class ActivityAssignmentSerializer(HouseSerializer):
    """That a person works on an activity."""

    class Meta:
        model = ActivityAssignment
        expandable = {"activity": ActivitySerializer}
        fields = ("id", "activity", "user", "role", "assigned_at", "created_at", "updated_at")


class ActivityTypeViewSet(TenantViewSet):
    """Kinds of activities."""

    serializer_class = ActivityTypeSerializer
    resource = "activities"
    filterset_fields = ("name",)
    ordering_fields = ("created_at", "updated_at", "name")


class ActivityStatusViewSet(TenantViewSet):
    """States of activities."""

    serializer_class = ActivityStatusSerializer
    resource = "activities"
    filterset_fields = ("name",)
    ordering_fields = ("created_at", "updated_at", "name")


class ActivityViewSet(TenantViewSet):
    """Activities."""

    serializer_class = ActivitySerializer
    resource = "activities"
    filterset_fields = ("name", "activity_type", "status", "start_date", "end_date")
    ordering_fields = ("created_at", "updated_at", "name")


class ActivityAssignmentViewSet(TenantViewSet):
    """Who works on which activity."""

    serializer_class = ActivityAssignmentSerializer
    resource = "activities"
    filterset_fields = ("activity", "user", "role")
    ordering_fields = ("created_at", "updated_at", "assigned_at")
