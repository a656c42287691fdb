"""Projects, tasks, calendars and events."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from config.db.constraints import USER_CLAUSE, unique_per_tenant
from config.db.json_schema import validate_row_schemas
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from workflows import schemas
from workflows.bases import SharedWithModel, dependent_rows, member_rows, shared_rows
from workflows.choices import (
    Difficulty,
    EventCategory,
    MemberAccess,
    ProjectStatus,
    TaskPriority,
    TaskStatus,
    TaskType,
)
from workflows.constraints import (
    NOT_NEGATIVE,
    PERCENT,
    SHARE,
    choices_check,
    min_check,
    order_check,
    range_check,
)

PRIORITY_VALUES = {
    TaskPriority.LOW: 1,
    TaskPriority.MEDIUM: 2,
    TaskPriority.HIGH: 3,
    TaskPriority.URGENT: 4,
}
MAX_SCORE = 1e12
WEIGHTS = ("importance_weight", "urgency_weight", "complexity_weight", "user_priority_weight")


class EmbeddedTextMixin(models.Model):
    """Mixin for keywords, category, tags and embedding derived from the text of a row."""

    json_schemas = {"semantic_tags": schemas.SemanticTags}

    semantic_keywords = models.JSONField(null=True, blank=True, help_text="Extracted keywords.")
    semantic_embedding = TenantForeignKey(
        "knowledge.Embedding",
        models.SET_NULL,
        editable=False,
        related_name="+",
        help_text="Embedding of the text.",
    )
    semantic_category = models.CharField(max_length=255, blank=True, default="", help_text="Category.")
    semantic_tags = models.JSONField(
        null=True,
        blank=True,
        help_text='Tags: {"subtasks": [{"task": "…", "assigned_to": "…"}], '
        '"expert_assignments": {}, "workflow_metadata": {}}. Other keys are allowed.',
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        validate_row_schemas(self)


class Project(TenantModel):
    """A project with tasks, visible to its owner and its members."""

    scope_kind = "user"
    row_security = shared_rows("conclave_projects")

    user = MemberForeignKey(related_name="projects", help_text="Project owner.", editable=False)
    name = models.CharField(max_length=255, help_text="Name of the project.")
    description = models.TextField(blank=True, default="", help_text="Goals of the project.")
    project_type = models.CharField(max_length=100, blank=True, default="", help_text="Type of project.")
    programming_language = models.CharField(
        max_length=100, blank=True, default="", help_text="Main programming language."
    )
    framework = models.CharField(max_length=100, blank=True, default="", help_text="Framework.")
    repository_url = models.URLField(max_length=500, blank=True, default="", help_text="Repository.")
    local_path = models.CharField(max_length=1024, blank=True, default="", help_text="Local path.")
    status = models.CharField(
        max_length=50,
        choices=ProjectStatus,
        default=ProjectStatus.ACTIVE,
        db_default=ProjectStatus.ACTIVE,
        help_text="Project status.",
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user", "-id"], name="wf_project_user"),
            models.Index(fields=["tenant", "status"], name="wf_project_status"),
            GinIndex(fields=["metadata"], name="wf_project_metadata"),
        ]
        constraints = [choices_check("status", ProjectStatus)]

    def __str__(self) -> str:
        return self.name


class ProjectMember(SharedWithModel):
    """Access of a user to a project of another user."""

    row_security = member_rows("conclave_projects", "workflows_project", "project_id")

    project = TenantForeignKey(
        Project, models.CASCADE, related_name="members", help_text="Project that is shared."
    )

    class Meta(SharedWithModel.Meta):
        indexes = [models.Index(fields=["tenant", "user"], name="wf_project_member")]
        constraints = [
            unique_per_tenant("project", "user", message="This user is already a member of the project."),
            choices_check("access", MemberAccess),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"


class Task(EmbeddedTextMixin, TenantModel):
    """A task with its importance, urgency and complexity, visible to those who see its project.

    A task without a project is visible to its user.
    """

    scope_kind = "user"
    row_security = dependent_rows(
        "conclave_projects", "project_id", alone=f"(project_id IS NULL AND {USER_CLAUSE})"
    )

    user = MemberForeignKey(related_name="tasks", help_text="User who owns the task.")
    project = TenantForeignKey(
        Project,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="tasks",
        help_text="Project of the task.",
    )
    title = models.CharField(max_length=500, help_text="Title of the task.")
    description = models.TextField(blank=True, default="", help_text="Additional details.")
    status = models.CharField(
        max_length=20, choices=TaskStatus, default=TaskStatus.PENDING, help_text="Status of the task."
    )
    priority = models.CharField(
        max_length=20, choices=TaskPriority, default=TaskPriority.MEDIUM, help_text="Priority."
    )
    category = models.CharField(max_length=100, blank=True, default="", help_text="Category.")
    due_date = models.DateTimeField(null=True, blank=True, help_text="Due date.")
    estimated_hours = models.FloatField(
        null=True, blank=True, validators=NOT_NEGATIVE, help_text="Estimated duration in hours."
    )
    actual_hours = models.FloatField(
        null=True, blank=True, validators=NOT_NEGATIVE, help_text="Actual duration in hours."
    )
    completion_percentage = models.PositiveIntegerField(
        default=0, db_default=0, validators=PERCENT, help_text="Progress in percent."
    )
    semantic_summary = models.TextField(blank=True, default="", help_text="Summary.")
    importance_weight = models.FloatField(
        default=1.0, db_default=1.0, validators=NOT_NEGATIVE, help_text="Importance weight."
    )
    urgency_weight = models.FloatField(
        default=1.0, db_default=1.0, validators=NOT_NEGATIVE, help_text="Urgency weight."
    )
    complexity_weight = models.FloatField(
        default=1.0, db_default=1.0, validators=NOT_NEGATIVE, help_text="Complexity weight."
    )
    user_priority_weight = models.FloatField(
        default=1.0, db_default=1.0, validators=NOT_NEGATIVE, help_text="Weight set by the user."
    )
    calculated_score = models.FloatField(
        null=True, blank=True, editable=False, help_text="Score computed from the weights; highest first."
    )
    task_type = models.CharField(
        max_length=20, choices=TaskType, default=TaskType.GENERAL, help_text="Type of task."
    )
    programming_language = models.CharField(max_length=100, blank=True, default="", help_text="Language.")
    difficulty_level = models.CharField(
        max_length=20, choices=Difficulty, blank=True, default="", help_text="Difficulty."
    )
    code_context = models.JSONField(null=True, blank=True, help_text="Files and positions in the code.")
    repository_branch = models.CharField(
        max_length=255, blank=True, default="", help_text="Repository branch."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user", "status"], name="wf_task_user"),
            models.Index(fields=["tenant", "project", "-id"], name="wf_task_project"),
            models.Index(fields=["tenant", "status"], name="wf_task_status"),
            models.Index(fields=["tenant", "due_date"], name="wf_task_due"),
            models.Index(fields=["tenant", "-calculated_score"], name="wf_task_score"),
            models.Index(fields=["tenant", "semantic_embedding"], name="wf_task_embedding"),
            GinIndex(fields=["semantic_tags"], name="wf_task_tags"),
        ]
        constraints = [
            choices_check("status", TaskStatus),
            choices_check("priority", TaskPriority),
            choices_check("task_type", TaskType),
            choices_check("difficulty_level", Difficulty, blank=True),
            range_check("completion_percentage", 0, 100),
            min_check("estimated_hours"),
            min_check("actual_hours"),
            *(min_check(weight) for weight in WEIGHTS),
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the task with its score."""
        self.calculated_score = self.compute_score()
        if (names := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*names, "calculated_score"}
        super().save(*args, **kwargs)

    def compute_score(self) -> float | None:
        """Return `priority * (importance + urgency + user priority) / (1 + complexity)`, with 1 to 4 for the priority.

        Values that the database refuses have no score.
        """
        weights = [getattr(self, name) for name in WEIGHTS]
        value = PRIORITY_VALUES.get(TaskPriority(self.priority)) if self.priority in TaskPriority else None
        if value is None or not all(isinstance(each, int | float) and each >= 0 for each in weights):
            return None
        importance, urgency, complexity, own = weights
        return min(round(value * (importance + urgency + own) / (1 + complexity), 4), MAX_SCORE)


class Calendar(TenantModel):
    """A user's calendar, visible to its members too."""

    scope_kind = "user"
    row_security = shared_rows("conclave_calendars")

    user = MemberForeignKey(
        models.CASCADE, related_name="calendars", help_text="Owner of the calendar.", editable=False
    )
    name = models.CharField(
        max_length=255,
        default="Default Calendar",
        db_default="Default Calendar",
        help_text="Name of the calendar.",
    )
    description = models.TextField(blank=True, default="", help_text="Description.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "user"], name="wf_calendar_user")]

    def __str__(self) -> str:
        return self.name


class CalendarMember(SharedWithModel):
    """Access of a user to a calendar of another user."""

    row_security = member_rows("conclave_calendars", "workflows_calendar", "calendar_id")

    calendar = TenantForeignKey(
        Calendar, models.CASCADE, related_name="members", help_text="Calendar that is shared."
    )

    class Meta(SharedWithModel.Meta):
        indexes = [models.Index(fields=["tenant", "user"], name="wf_calendar_member")]
        constraints = [
            unique_per_tenant("calendar", "user", message="This user is already a member of the calendar."),
            choices_check("access", MemberAccess),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.calendar}"


class CalendarEvent(EmbeddedTextMixin, TenantModel):
    """A calendar event with its flexibility, visible to those who see its calendar."""

    scope_kind = "user"
    row_security = dependent_rows("conclave_calendars", "calendar_id")

    json_schemas = {"semantic_tags": schemas.SemanticTags, "attendees": schemas.Attendees}

    calendar = TenantForeignKey(Calendar, models.CASCADE, related_name="events", help_text="The calendar.")
    google_event_id = models.CharField(
        max_length=1024, blank=True, default="", help_text="ID of the event at Google, if imported."
    )
    summary = models.CharField(max_length=500, help_text="Title.")
    description = models.TextField(blank=True, default="", help_text="Description.")
    start_time = models.DateTimeField(help_text="Start time.")
    end_time = models.DateTimeField(help_text="End time.")
    category = models.CharField(
        max_length=20, choices=EventCategory, default=EventCategory.DEFAULT, help_text="Area of life."
    )
    movability_score = models.FloatField(
        default=0.5, validators=SHARE, help_text="Flexibility, from 0 (fixed) to 1."
    )
    is_movable = models.BooleanField(default=True, help_text="Whether the event can be moved.")
    event_type = models.CharField(
        max_length=50, default="meeting", db_default="meeting", help_text="Type of event."
    )
    attendees = models.JSONField(
        default=list, blank=True, help_text='Invited people: [{"email": "ada@example.com", "name": "Ada"}].'
    )
    location = models.CharField(max_length=500, blank=True, default="", help_text="Location.")
    recurrence_rule = models.CharField(
        max_length=500, blank=True, default="", help_text="Recurrence rule (RFC 5545), such as FREQ=WEEKLY."
    )
    reminder_minutes = models.PositiveIntegerField(
        default=15, db_default=15, help_text="Minutes before the event for the reminder."
    )
    importance_weight = models.FloatField(
        default=1.0, db_default=1.0, validators=NOT_NEGATIVE, help_text="Importance weight."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "calendar", "start_time"], name="wf_event_calendar"),
            models.Index(fields=["tenant", "start_time", "end_time"], name="wf_event_time"),
            models.Index(fields=["tenant", "end_time"], name="wf_event_end"),
            models.Index(fields=["tenant", "semantic_embedding"], name="wf_event_embedding"),
            GinIndex(fields=["semantic_tags"], name="wf_event_tags"),
        ]
        constraints = [
            unique_per_tenant(
                "calendar",
                "google_event_id",
                suffix="google_once",
                message="The calendar already has this Google event.",
                condition=~models.Q(google_event_id=""),
            ),
            choices_check("category", EventCategory),
            order_check("start_time", "end_time"),
            range_check("movability_score", 0, 1),
            min_check("importance_weight"),
        ]

    def __str__(self) -> str:
        return self.summary
