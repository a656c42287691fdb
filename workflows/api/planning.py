"""Project, task, calendar and event endpoints."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Forbidden
from config.api.serializers import BaseSerializer
from config.api.similarity import SimilarRequestSerializer, build_similar_serializer
from config.api.views import json_response
from config.api.viewsets import TenantViewSet
from workflows import schemas
from workflows.choices import EventCategory
from workflows.models import Calendar, CalendarEvent, CalendarMember, Project, ProjectMember, Task
from workflows.services.members import remove_member, save_member
from workflows.services.planning import MAX_DAYS, get_default_priority, get_event_weight, plan_tasks
from workflows.services.similarity import similar_events, similar_tasks

from .fields import SchemaField
from .similarity import EmbeddingMixin

PLAN_DAYS = 7
EMBEDDED_TEXT_FIELDS = ("semantic_keywords", "semantic_embedding", "semantic_category", "semantic_tags")


class ProjectSerializer(BaseSerializer):
    """A project with tasks."""

    class Meta:
        model = Project
        fields = (
            "user",
            "name",
            "description",
            "project_type",
            "programming_language",
            "framework",
            "repository_url",
            "local_path",
            "status",
            "metadata",
        )


class ProjectMemberSerializer(BaseSerializer):
    """A user with access to a project."""

    class Meta:
        model = ProjectMember
        fields = ("project", "user", "access")


class CalendarMemberSerializer(BaseSerializer):
    """A user with access to a calendar."""

    class Meta:
        model = CalendarMember
        fields = ("calendar", "user", "access")


class TaskSerializer(BaseSerializer):
    """A task."""

    semantic_tags = SchemaField(shape=schemas.SemanticTags, allow_null=True)

    class Meta:
        model = Task
        fields = (
            "user",
            "project",
            "title",
            "description",
            "status",
            "priority",
            "category",
            "due_date",
            "estimated_hours",
            "actual_hours",
            "completion_percentage",
            *EMBEDDED_TEXT_FIELDS,
            "semantic_summary",
            "importance_weight",
            "urgency_weight",
            "complexity_weight",
            "user_priority_weight",
            "calculated_score",
            "task_type",
            "programming_language",
            "difficulty_level",
            "code_context",
            "repository_branch",
        )


class CalendarSerializer(BaseSerializer):
    """A user's calendar."""

    class Meta:
        model = Calendar
        fields = ("user", "name", "description")


class CalendarEventSerializer(BaseSerializer):
    """A calendar event."""

    semantic_tags = SchemaField(shape=schemas.SemanticTags, allow_null=True)
    attendees = SchemaField(shape=schemas.Attendees)

    class Meta:
        model = CalendarEvent
        fields = (
            "calendar",
            "google_event_id",
            "summary",
            "description",
            "start_time",
            "end_time",
            "category",
            "movability_score",
            "is_movable",
            *EMBEDDED_TEXT_FIELDS,
            "event_type",
            "attendees",
            "location",
            "recurrence_rule",
            "reminder_minutes",
            "importance_weight",
        )


class PlanRequestSerializer(serializers.Serializer):
    """Query parameters of a plan."""

    start = serializers.DateTimeField(required=False)
    days = serializers.IntegerField(default=PLAN_DAYS, min_value=1, max_value=MAX_DAYS)


class PlannedPartSerializer(serializers.Serializer):
    """Time for a task."""

    task = serializers.UUIDField(source="task.pk", help_text="Id of the task.")
    title = serializers.CharField(source="task.title", help_text="Title of the task.")
    start = serializers.DateTimeField(help_text="Start time.")
    end = serializers.DateTimeField(help_text="End time.")
    is_late = serializers.BooleanField(help_text="Whether it ends after the due date.")


class UnplannedTaskSerializer(serializers.Serializer):
    """A task that does not fit, or not completely."""

    task = serializers.UUIDField(source="task.pk", help_text="Id of the task.")
    title = serializers.CharField(source="task.title", help_text="Title of the task.")
    minutes = serializers.IntegerField(help_text="Minutes that are not planned.")


class TaskPlanSerializer(serializers.Serializer):
    """A plan of open tasks."""

    zone = serializers.CharField(help_text="Time zone of the working hours.")
    parts = PlannedPartSerializer(many=True, help_text="Planned parts, in order.")
    left = UnplannedTaskSerializer(many=True, help_text="Tasks that do not fit.")


class SharedViewSet(TenantViewSet):
    """Rows that the caller owns or that were shared with the caller."""

    def get_object(self, *, lock: bool = False) -> Any:
        """Return the row that the URL names.

        Raises:
            Forbidden: the caller may read the row, but not change it.
        """
        try:
            return super().get_object(lock=lock)
        except Http404:
            if not lock:
                raise
        return self.resolve_read_only(super().get_object())

    def resolve_read_only(self, instance: Any) -> Any:
        """Return a row to change that the caller may read, but not lock, or raise `Forbidden`."""
        raise Forbidden("You have read access only.")


class OwnedViewSet(SharedViewSet):
    """Rows that only their owner can delete."""

    owner_field = "user_id"

    def perform_destroy(self, instance: Any) -> None:
        if instance.user_id != self.credential.user_id:
            raise Forbidden("Only the owner can delete this.")
        super().perform_destroy(instance)


class MemberViewSet(SharedViewSet):
    """Members. The owner changes them, and members can remove themselves."""

    def resolve_read_only(self, instance: Any) -> Any:
        """Return the row for a deletion: the caller may be the member."""
        if self.request.method == "DELETE":
            return instance
        raise Forbidden("Only the owner can change members.")

    def perform_create(self, serializer: Any) -> Any:
        return self._save(self.model(**serializer.validated_data))

    def perform_update(self, serializer: Any) -> None:
        for name, value in serializer.validated_data.items():
            setattr(serializer.instance, name, value)
        self._save(serializer.instance)

    def _save(self, member: Any) -> Any:
        try:
            return save_member(member, actor=self.credential.user_id)
        except PermissionDenied as error:
            raise Forbidden(str(error)) from error

    def perform_destroy(self, instance: Any) -> None:
        try:
            remove_member(instance, actor=self.credential.user_id)
        except PermissionDenied as error:
            raise Forbidden(str(error)) from error


class ProjectViewSet(OwnedViewSet):
    """Projects."""

    serializer_class = ProjectSerializer
    resource = "projects"
    ordering_fields = ("created_at", "updated_at", "name")


class ProjectMemberViewSet(MemberViewSet):
    """Members of projects."""

    serializer_class = ProjectMemberSerializer
    resource = "projects"


class TaskViewSet(EmbeddingMixin, SharedViewSet):
    """Tasks."""

    serializer_class = TaskSerializer
    resource = "projects"
    verbs = {**EmbeddingMixin.verbs, "plan": "read"}
    ordering_fields = ("created_at", "updated_at", "title", "priority", "completion_percentage")

    def perform_create(self, serializer: Any) -> Any:
        """Create a task, of the caller unless the body names another user."""
        if serializer.validated_data.get("user") is None:
            serializer.validated_data["user_id"] = self.credential.user_id
        if "priority" not in serializer.validated_data:
            serializer.validated_data["priority"] = get_default_priority(self.credential.user_id)
        return super().perform_create(serializer)

    @extend_schema(
        parameters=[
            OpenApiParameter("start", {"type": "string", "format": "date-time"}, description="Default: now."),
            OpenApiParameter(
                "days",
                {"type": "integer", "minimum": 1, "maximum": MAX_DAYS, "default": PLAN_DAYS},
                description="Number of days to plan.",
            ),
        ],
        responses={200: TaskPlanSerializer},
        filters=False,
    )
    @action(detail=False, methods=["get"], extra_parameters=("start", "days"), pagination_class=None)
    def plan(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return a plan of your open tasks in your working hours, around your calendar events."""
        parameters = PlanRequestSerializer(data=request.query_params.dict())
        parameters.is_valid(raise_exception=True)
        start = parameters.validated_data.get("start") or timezone.now()
        try:
            plan = plan_tasks(self.credential.user_id, start=start, days=parameters.validated_data["days"])
        except OverflowError as error:
            raise serializers.ValidationError({"start": "This date is too early or too late."}) from error
        return json_response(TaskPlanSerializer(plan).data)

    @extend_schema(
        request=SimilarRequestSerializer, responses=build_similar_serializer("task", TaskSerializer)
    )
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return tasks similar to a text, most similar first."""
        given = self.validate_body(SimilarRequestSerializer)
        return self.similar_response("task", similar_tasks(given["text"], limit=given["limit"]))


class CalendarViewSet(OwnedViewSet):
    """Calendars."""

    serializer_class = CalendarSerializer
    resource = "calendars"
    ordering_fields = ("created_at", "updated_at", "name")


class CalendarMemberViewSet(MemberViewSet):
    """Members of calendars."""

    serializer_class = CalendarMemberSerializer
    resource = "calendars"


class CalendarEventViewSet(EmbeddingMixin, SharedViewSet):
    """Calendar events."""

    serializer_class = CalendarEventSerializer
    resource = "calendars"
    ordering_fields = ("created_at", "updated_at", "start_time", "end_time", "movability_score")

    def perform_create(self, serializer: Any) -> Any:
        """Create an event, with the weight of its category in the work profile unless the body has one."""
        data = serializer.validated_data
        if "importance_weight" not in data:
            category = data.get("category", EventCategory.DEFAULT)
            data["importance_weight"] = get_event_weight(self.credential.user_id, category)
        return super().perform_create(serializer)

    @extend_schema(
        request=SimilarRequestSerializer, responses=build_similar_serializer("event", CalendarEventSerializer)
    )
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return events similar to a text, most similar first."""
        given = self.validate_body(SimilarRequestSerializer)
        return self.similar_response("event", similar_events(given["text"], limit=given["limit"]))
