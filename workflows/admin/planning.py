"""Projects, tasks, calendars and events."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, fieldset
from config.admin.inlines import ReadOnlyInline
from workflows.models import Calendar, CalendarEvent, Project, Task

EMBEDDED_TEXT_FIELDS = ("semantic_category", "semantic_keywords", "semantic_tags", "semantic_embedding")


class TaskInline(ReadOnlyInline):
    """Tasks of a project, 20 per page; edited on separate pages."""

    model = Task
    resource = "projects"
    fields = ("title", "status", "priority", "user", "due_date", "completion_percentage")
    ordering = ("-id",)


@admin.register(Project)
class ProjectAdmin(BaseModelAdmin):
    resource = "projects"
    icon = "folder_special"
    position = 500
    owner = "user"
    list_display = ("name", "user", "project_type", "programming_language", "status", "updated_at")
    list_filter = ("status",)
    search_fields = ("name", "description")
    date_hierarchy = "created_at"
    inlines = (TaskInline,)
    fieldsets = (
        fieldset(None, "name", "description", ("project_type", "status"), "user"),
        fieldset("Code", ("programming_language", "framework"), "repository_url", "local_path"),
        fieldset("Data", "metadata", collapse=True),
    )


@admin.register(Task)
class TaskAdmin(BaseModelAdmin):
    resource = "projects"
    icon = "checklist"
    position = 510
    list_display = (
        "title",
        "project",
        "user",
        "status",
        "priority",
        "task_type",
        "due_date",
        "completion_percentage",
        "calculated_score",
    )
    list_filter = ("status", "priority", "task_type", "difficulty_level")
    search_fields = ("title", "description", "category")
    date_hierarchy = "due_date"
    fieldsets = (
        fieldset(None, "title", "description", ("project", "user"), ("status", "priority")),
        fieldset("Kind", ("task_type", "category"), ("difficulty_level", "programming_language")),
        fieldset("Time", ("due_date", "completion_percentage"), ("estimated_hours", "actual_hours")),
        fieldset(
            "Score",
            ("importance_weight", "urgency_weight"),
            ("complexity_weight", "user_priority_weight"),
            "calculated_score",
        ),
        fieldset("Code", "repository_branch", "code_context", collapse=True),
        fieldset("Embedding and summary", *EMBEDDED_TEXT_FIELDS, "semantic_summary", collapse=True),
    )


@admin.register(Calendar)
class CalendarAdmin(BaseModelAdmin):
    resource = "calendars"
    icon = "calendar_month"
    position = 520
    owner = "user"
    list_display = ("name", "user", "description", "updated_at")
    search_fields = ("name",)
    fieldsets = (fieldset(None, "name", "description", "user"),)


@admin.register(CalendarEvent)
class CalendarEventAdmin(BaseModelAdmin):
    resource = "calendars"
    icon = "event"
    title = "Events"
    position = 530
    list_display = (
        "summary",
        "calendar",
        "start_time",
        "end_time",
        "category",
        "is_movable",
        "movability_score",
    )
    list_filter = ("category", "is_movable")
    search_fields = ("summary", "location")
    date_hierarchy = "start_time"
    fieldsets = (
        fieldset(None, "summary", "description", ("calendar", "category", "event_type")),
        fieldset(
            "Time and place", ("start_time", "end_time"), ("recurrence_rule", "reminder_minutes"), "location"
        ),
        fieldset("Weight", ("is_movable", "movability_score", "importance_weight")),
        fieldset("People", "attendees"),
        fieldset("Embedding and summary", *EMBEDDED_TEXT_FIELDS, "google_event_id", collapse=True),
    )
