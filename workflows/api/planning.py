"""Project, task, calendar and event endpoints."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action

from config.api.serializers import BaseSerializer
from config.api.similarity import SimilarRequestSerializer, build_similar_serializer
from config.api.viewsets import TenantViewSet
from workflows import schemas
from workflows.models import Calendar, CalendarEvent, Project, Task
from workflows.services.similarity import similar_events, similar_tasks

from .fields import SchemaField
from .similarity import EmbeddingMixin

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


class ProjectViewSet(TenantViewSet):
    """Projects."""

    serializer_class = ProjectSerializer
    resource = "projects"
    ordering_fields = ("created_at", "updated_at", "name")
    owner_field = "user_id"


class TaskViewSet(EmbeddingMixin, TenantViewSet):
    """Tasks."""

    serializer_class = TaskSerializer
    resource = "projects"
    ordering_fields = ("created_at", "updated_at", "title", "priority", "completion_percentage")

    @extend_schema(
        request=SimilarRequestSerializer, responses=build_similar_serializer("task", TaskSerializer)
    )
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return tasks similar to a text, most similar first."""
        given = self.validate_body(SimilarRequestSerializer)
        return self.similar_response("task", similar_tasks(given["text"], limit=given["limit"]))


class CalendarViewSet(TenantViewSet):
    """Calendars."""

    serializer_class = CalendarSerializer
    resource = "calendars"
    ordering_fields = ("created_at", "updated_at", "name")
    owner_field = "user_id"


class CalendarEventViewSet(EmbeddingMixin, TenantViewSet):
    """Calendar events."""

    serializer_class = CalendarEventSerializer
    resource = "calendars"
    ordering_fields = ("created_at", "updated_at", "start_time", "end_time", "movability_score")

    @extend_schema(
        request=SimilarRequestSerializer, responses=build_similar_serializer("event", CalendarEventSerializer)
    )
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return events similar to a text, most similar first."""
        given = self.validate_body(SimilarRequestSerializer)
        return self.similar_response("event", similar_events(given["text"], limit=given["limit"]))
