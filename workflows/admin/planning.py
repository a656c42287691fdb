"""Projects, tasks, calendars and events."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.inlines import BaseInline, ReadOnlyInline
from config.admin.permissions import OwnerOnlyChangesMixin
from workflows.choices import MemberAccess
from workflows.models import Calendar, CalendarEvent, CalendarMember, Project, ProjectMember, Task

EMBEDDED_TEXT_FIELDS = ("semantic_category", "semantic_keywords", "semantic_tags", "semantic_embedding")


class SharedAdmin(BaseModelAdmin):
    """Rows that members may share: a member with read access cannot change them."""

    # The project or calendar of a row, with its members; empty for the row itself.
    shared = ""

    def has_change_permission(self, request, obj=None):
        """Return whether the user owns the row or has write access."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or request.console.is_platform or self._is_writer(request, obj))

    def has_delete_permission(self, request, obj=None):
        """Return whether the user can change the row, or owns it if it is shared itself."""
        if obj is None or self.shared or request.console.is_platform:
            return super().has_delete_permission(request, obj) and self.has_change_permission(request, obj)
        return super().has_delete_permission(request, obj) and obj.user_id == request.user.pk

    def _is_writer(self, request, obj):
        row = getattr(obj, self.shared) if self.shared else obj
        if row is None or row.user_id == request.user.pk:
            return True
        return row.members.filter(user_id=request.user.pk, access=MemberAccess.WRITE).exists()


class MemberInline(OwnerOnlyChangesMixin, BaseInline):
    """Members, whom only the owner changes."""

    fields = ("user", "access")
    hide_title = False

    def has_add_permission(self, request, obj=None):
        return super().has_add_permission(request, obj) and self._own(request, obj)


class ProjectMemberInline(MemberInline):
    model = ProjectMember
    resource = "projects"


class CalendarMemberInline(MemberInline):
    model = CalendarMember
    resource = "calendars"


class TaskInline(ReadOnlyInline):
    """Tasks of a project, 20 per page; edited on separate pages."""

    model = Task
    resource = "projects"
    fields = ("title", "status", "priority", "user", "due_date", "completion_percentage")
    ordering = ("-id",)


@admin.register(Project)
class ProjectAdmin(SharedAdmin):
    resource = "projects"
    icon = "folder_special"
    position = 500
    owner = "user"
    list_display = ("name", "user", "project_type", "programming_language", "status", "updated_at")
    list_filter = ("status",)
    search_fields = ("name", "description")
    date_hierarchy = "created_at"
    inlines = (ProjectMemberInline, TaskInline)
    fieldsets = (
        fieldset(None, "name", "description", ("project_type", "status"), "user"),
        fieldset("Code", ("programming_language", "framework"), "repository_url", "local_path"),
        fieldset("Data", "metadata", collapse=True),
    )


@admin.register(Task)
class TaskAdmin(SharedAdmin):
    shared = "project"
    resource = "projects"
    owner = "user"
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
class CalendarAdmin(SharedAdmin):
    resource = "calendars"
    icon = "calendar_month"
    position = 520
    owner = "user"
    list_display = ("name", "user", "description", "updated_at")
    search_fields = ("name",)
    inlines = (CalendarMemberInline,)
    fieldsets = (fieldset(None, "name", "description", "user"),)


@admin.register(CalendarEvent)
class CalendarEventAdmin(SharedAdmin):
    shared = "calendar"
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


class MemberAdmin(ReadOnlyAdmin):
    """Members, edited on the page of their project or calendar."""

    in_sidebar = False
    list_filter = ("access",)
    search_fields = ("user__email",)


@admin.register(ProjectMember)
class ProjectMemberAdmin(MemberAdmin):
    resource = "projects"
    icon = "group"
    list_display = ("project", "user", "access", "created_at")


@admin.register(CalendarMember)
class CalendarMemberAdmin(MemberAdmin):
    resource = "calendars"
    icon = "group"
    list_display = ("calendar", "user", "access", "created_at")
