"""Session state, stream events and session summaries."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from config.db.constraints import choices_constraint
from config.db.partitions import PartitionedMixin
from config.tenancy.models import MemberForeignKey, PartitionedTimestampMixin, TenantForeignKey
from conversations.bases import ConversationRowModel
from conversations.choices import (
    ChatMode,
    ComplexityLevel,
    MeetingPhase,
    ResolutionStatus,
    StreamType,
)


class SessionState(ConversationRowModel):
    """State of a conversation between two requests, one row per conversation.

    `state` holds `context`, `expert_selections`, `workflow_state`, `todo_list` and `meeting_state`.
    """

    audit_omit = ("state",)

    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="session_states",
        help_text="The conversation.",
    )
    mode = models.CharField(
        max_length=50, choices=ChatMode, default=ChatMode.SIMPLE, help_text="Answer mode."
    )
    phase = models.CharField(
        max_length=50,
        choices=MeetingPhase,
        blank=True,
        default="",
        help_text="Phase of the expert meeting. Empty: no meeting.",
    )
    interview_type = models.CharField(
        max_length=100, blank=True, default="", help_text="Type of interview, if any."
    )
    state = models.JSONField(
        default=dict,
        blank=True,
        help_text="Context, selected experts, tasks, workflow state and meeting state.",
    )

    class Meta(ConversationRowModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "conversation"],
                name="conversations_state_once",
                violation_error_message="The conversation already has a state.",
            ),
            choices_constraint("mode", ChatMode.values, name="conversations_state_mode_known"),
            choices_constraint("phase", ["", *MeetingPhase.values], name="conversations_state_phase_known"),
        ]

    def __str__(self) -> str:
        return f"state of {self.conversation}"


class SessionSummary(ConversationRowModel):
    """Summary of a conversation for search, one row per conversation."""

    audit_omit = (
        "summary",
        "key_topics",
        "decisions_made",
        "user_preferences",
        "search_keywords",
        "follow_up_tasks",
    )

    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="summaries",
        help_text="The conversation.",
    )
    user = MemberForeignKey(help_text="Owner of the conversation.", editable=False)
    started_at = models.DateTimeField(help_text="Start of the conversation.")
    ended_at = models.DateTimeField(help_text="End of the conversation.")
    message_count = models.PositiveIntegerField(default=0, help_text="Number of messages.")
    total_tokens_used = models.PositiveBigIntegerField(null=True, blank=True, help_text="Tokens used.")
    conversation_domain = models.CharField(
        max_length=255, blank=True, default="", help_text="Classified subject."
    )
    summary = models.TextField(help_text="Short summary.")
    model = models.CharField(
        max_length=100, blank=True, default="", help_text="Model. Empty: summarised without a model."
    )
    key_topics = models.JSONField(default=list, blank=True, help_text="Main topics.")
    decisions_made = models.JSONField(default=list, blank=True, help_text="Decisions.")
    user_preferences = models.JSONField(
        default=dict, blank=True, help_text="Preferences that the user expressed."
    )
    tools_used = models.JSONField(default=list, blank=True, help_text="Tools used.")
    plans_created = models.PositiveIntegerField(default=0, db_default=0, help_text="Plans.")
    expert_questions_asked = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Questions to experts."
    )
    session_rating = models.FloatField(null=True, blank=True, help_text="Rating by the user, from 0 to 5.")
    complexity_level = models.CharField(
        max_length=20,
        choices=ComplexityLevel,
        default=ComplexityLevel.MEDIUM,
        db_default=ComplexityLevel.MEDIUM,
        help_text="Complexity.",
    )
    resolution_status = models.CharField(
        max_length=20,
        choices=ResolutionStatus,
        default=ResolutionStatus.COMPLETED,
        db_default=ResolutionStatus.COMPLETED,
        help_text="Whether the conversation was resolved.",
    )
    search_keywords = models.JSONField(default=list, blank=True, help_text="Search keywords.")
    follow_up_suggested = models.BooleanField(
        default=False, db_default=False, help_text="Whether tasks remain."
    )
    follow_up_tasks = models.JSONField(default=list, blank=True, help_text="Remaining tasks.")

    class Meta(ConversationRowModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user", "-ended_at"], name="conversations_summary_user"),
            models.Index(fields=["tenant", "resolution_status"], name="conversations_summary_status"),
            GinIndex(fields=["key_topics"], name="conversations_summary_topics"),
            GinIndex(fields=["search_keywords"], name="conversations_summary_keywords"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "conversation"],
                name="conversations_summary_once",
                violation_error_message="The conversation already has a summary.",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__gte=models.F("started_at")),
                name="conversations_summary_times",
                violation_error_message="The end must not be before the start.",
            ),
            models.CheckConstraint(
                condition=models.Q(session_rating=None) | models.Q(session_rating__range=(0, 5)),
                name="conversations_summary_rating",
                violation_error_message="The rating must be between 0 and 5.",
            ),
            choices_constraint(
                "complexity_level", ComplexityLevel.values, name="conversations_summary_complexity_known"
            ),
            choices_constraint(
                "resolution_status", ResolutionStatus.values, name="conversations_summary_resolution_known"
            ),
        ]

    def __str__(self) -> str:
        return self.summary[:80]


class StreamEvent(PartitionedTimestampMixin, PartitionedMixin, ConversationRowModel):
    """A chunk of a conversation's stream, stored so that the stream can be replayed in order."""

    audit_exempt = "a log of streamed chunks, append-only for tenants"
    row_security = ConversationRowModel.row_security | {"verbs": "SELECT, INSERT"}

    updated_at = None
    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="stream_events",
        help_text="The conversation.",
    )
    answer_id = models.UUIDField(
        null=True, blank=True, help_text="Answer of the chunk. Empty: part of a meeting."
    )
    sequence_number = models.PositiveIntegerField(
        help_text="Position in the stream of the answer or meeting, starting at 1."
    )
    event_type = models.CharField(
        max_length=50, choices=StreamType, default=StreamType.MESSAGE, help_text="Event type."
    )
    phase = models.CharField(
        max_length=50,
        choices=MeetingPhase,
        blank=True,
        default="",
        help_text="Phase of the meeting.",
    )
    expert_name = models.CharField(max_length=255, blank=True, default="", help_text="Expert's name.")
    message = models.JSONField(
        default=dict, help_text='Streamed event: {"role": …, "content": …, "metadata": {…}}.'
    )

    class Meta(ConversationRowModel.Meta):
        indexes = [
            models.Index(
                fields=["tenant", "conversation", "sequence_number"], name="conversations_stream_order"
            ),
            models.Index(
                fields=["tenant", "answer_id", "sequence_number"], name="conversations_stream_answer"
            ),
            models.Index(fields=["tenant", "event_type"], name="conversations_stream_type"),
        ]
        constraints = [
            choices_constraint("event_type", StreamType.values, name="conversations_stream_type_known"),
            choices_constraint("phase", ["", *MeetingPhase.values], name="conversations_stream_phase_known"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} #{self.sequence_number}"
