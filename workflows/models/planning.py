"""Projects, tasks, calendars and events."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from config.db.json_schema import validate_row_schemas
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from workflows import schemas
from workflows.choices import Difficulty, EventCategory, ProjectStatus, TaskPriority, TaskStatus, TaskType
from workflows.constraints import (
    NOT_NEGATIVE,
    PERCENT,
    SHARE,
    choices_check,
    min_check,
    order_check,
    range_check,
    unique_per_tenant,
)

WEIGHTS = ("importance_weight", "urgency_weight", "complexity_weight", "user_priority_weight")


class EmbeddedTextMixin(models.Model):
    """Mixin for keywords, category, tags and embedding derived from a row's text."""

    json_schemas = {"semantic_tags": schemas.SemanticTags}

    semantic_keywords = models.JSONField(null=True, blank=True, help_text="Keywords found.")
    semantic_embedding = TenantForeignKey(
        "knowledge.Embedding",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="Its text as a vector.",
    )
    semantic_category = models.CharField(max_length=255, blank=True, default="", help_text="Category found.")
    semantic_tags = models.JSONField(
        null=True,
        blank=True,
        help_text='Parts and experts: {"subtasks": [{"task": "…", "assigned_to": "…"}], '
        '"expert_assignments": {}, "workflow_metadata": {}}; further keys are free.',
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        validate_row_schemas(self)


class Project(TenantModel):
    """A project with tasks."""

    user = MemberForeignKey(related_name="projects", help_text="Whose project it is.", editable=False)
    name = models.CharField(max_length=255, help_text="Name of the project.")
    description = models.TextField(blank=True, default="", help_text="Goal and extent.")
    project_type = models.CharField(max_length=100, blank=True, default="", help_text="Kind of project.")
    programming_language = models.CharField(
        max_length=100, blank=True, default="", help_text="Main language."
    )
    framework = models.CharField(max_length=100, blank=True, default="", help_text="Framework used.")
    repository_url = models.URLField(max_length=500, blank=True, default="", help_text="Address of its code.")
    local_path = models.CharField(max_length=1024, blank=True, default="", help_text="Folder of its code.")
    status = models.CharField(
        max_length=50, choices=ProjectStatus, default=ProjectStatus.ACTIVE, help_text="Where it stands."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user", "-id"], name="wf_project_user"),
            models.Index(fields=["tenant", "status"], name="wf_project_status"),
            GinIndex(fields=["metadata"], name="wf_project_metadata"),
        ]
        constraints = [choices_check("status", ProjectStatus)]

    def __str__(self) -> str:
        return self.name


class Task(EmbeddedTextMixin, TenantModel):
    """A task, with its importance, urgency and complexity."""

    user = MemberForeignKey(related_name="tasks", help_text="Whose task it is.")
    project = TenantForeignKey(
        Project,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="tasks",
        help_text="Project that it belongs to.",
    )
    title = models.CharField(max_length=500, help_text="What is to be done.")
    description = models.TextField(blank=True, default="", help_text="More about it.")
    status = models.CharField(
        max_length=20, choices=TaskStatus, default=TaskStatus.PENDING, help_text="How far it is."
    )
    priority = models.CharField(
        max_length=20, choices=TaskPriority, default=TaskPriority.MEDIUM, help_text="How pressing it is."
    )
    category = models.CharField(max_length=100, blank=True, default="", help_text="Category.")
    due_date = models.DateTimeField(null=True, blank=True, help_text="When it has to be done.")
    estimated_hours = models.FloatField(
        null=True, blank=True, validators=NOT_NEGATIVE, help_text="Hours it may take."
    )
    actual_hours = models.FloatField(
        null=True, blank=True, validators=NOT_NEGATIVE, help_text="Hours it took."
    )
    completion_percentage = models.PositiveIntegerField(
        default=0, validators=PERCENT, help_text="Progress, from 0 to 100."
    )
    semantic_summary = models.TextField(blank=True, default="", help_text="Summary.")
    importance_weight = models.FloatField(
        default=1.0, validators=NOT_NEGATIVE, help_text="Weight of importance."
    )
    urgency_weight = models.FloatField(default=1.0, validators=NOT_NEGATIVE, help_text="Weight of urgency.")
    complexity_weight = models.FloatField(
        default=1.0, validators=NOT_NEGATIVE, help_text="Weight of complexity."
    )
    user_priority_weight = models.FloatField(
        default=1.0, validators=NOT_NEGATIVE, help_text="Weight that the person gives it."
    )
    calculated_score = models.FloatField(
        null=True, blank=True, editable=False, help_text="Score from the weights; higher comes first."
    )
    task_type = models.CharField(
        max_length=20, choices=TaskType, default=TaskType.GENERAL, help_text="Kind of task."
    )
    programming_language = models.CharField(max_length=100, blank=True, default="", help_text="Language.")
    difficulty_level = models.CharField(
        max_length=20, choices=Difficulty, blank=True, default="", help_text="How hard it is."
    )
    code_context = models.JSONField(null=True, blank=True, help_text="Files and places in the code.")
    repository_branch = models.CharField(
        max_length=255, blank=True, default="", help_text="Branch of the code."
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


class Calendar(TenantModel):
    """A user's calendar."""

    user = MemberForeignKey(
        models.CASCADE, related_name="calendars", help_text="Whose calendar it is.", editable=False
    )
    name = models.CharField(max_length=255, default="Default Calendar", help_text="Name of the calendar.")
    description = models.TextField(blank=True, default="", help_text="What it holds.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "user"], name="wf_calendar_user")]

    def __str__(self) -> str:
        return self.name


class CalendarEvent(EmbeddedTextMixin, TenantModel):
    """A calendar event, with its flexibility."""

    json_schemas = {"semantic_tags": schemas.SemanticTags, "attendees": schemas.Attendees}

    calendar = TenantForeignKey(Calendar, models.CASCADE, related_name="events", help_text="Its calendar.")
    google_event_id = models.CharField(
        max_length=1024, blank=True, default="", help_text="Its id at Google; empty: not from there."
    )
    summary = models.CharField(max_length=500, help_text="Title.")
    description = models.TextField(blank=True, default="", help_text="More about it.")
    start_time = models.DateTimeField(help_text="When it begins.")
    end_time = models.DateTimeField(help_text="When it ends.")
    category = models.CharField(
        max_length=20, choices=EventCategory, default=EventCategory.DEFAULT, help_text="Part of life."
    )
    movability_score = models.FloatField(
        default=0.5, validators=SHARE, help_text="How easily it moves, from 0 (not at all) to 1."
    )
    is_movable = models.BooleanField(default=True, help_text="Cleared: it stays where it is.")
    event_type = models.CharField(max_length=50, default="meeting", help_text="Kind of event.")
    attendees = models.JSONField(
        default=list, blank=True, help_text='Who is invited: [{"email": "ada@example.com", "name": "Ada"}].'
    )
    location = models.CharField(max_length=500, blank=True, default="", help_text="Where it is.")
    recurrence_rule = models.CharField(
        max_length=500, blank=True, default="", help_text="How it recurs (RFC 5545), such as FREQ=WEEKLY."
    )
    reminder_minutes = models.PositiveIntegerField(
        default=15, help_text="Minutes before it that a reminder comes."
    )
    importance_weight = models.FloatField(
        default=1.0, validators=NOT_NEGATIVE, help_text="Weight of importance."
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
                name="google_once",
                message="The calendar has this event of Google already.",
                condition=~models.Q(google_event_id=""),
            ),
            choices_check("category", EventCategory),
            order_check("start_time", "end_time"),
            range_check("movability_score", 0, 1),
            min_check("importance_weight"),
        ]

    def __str__(self) -> str:
        return self.summary
