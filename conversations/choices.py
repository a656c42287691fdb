"""Enumerated values of conversations."""

from django.db.models import TextChoices


class ConversationStatus(TextChoices):
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


class ConversationMode(TextChoices):
    SINGLE = "single"
    MULTI = "multi"
    COLLABORATIVE = "collaborative"


class ParticipantRole(TextChoices):
    OWNER = "owner"
    MEMBER = "member"
    AGENT = "agent"


class MessageRole(TextChoices):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class MessageStatus(TextChoices):
    PENDING = "pending"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"


class MessageFeedback(TextChoices):
    """Feedback of a user on an answer."""

    HELPFUL = "helpful"
    UNHELPFUL = "unhelpful"


class LeaseKind(TextChoices):
    """Kind of work that a lease covers."""

    ANSWER = "answer"
    MEETING = "meeting"


class StepKind(TextChoices):
    """Kind of a turn step."""

    MESSAGES = "messages"
    CALL = "call"
    RESULT = "result"
    PARKED = "parked"


class ToolStatus(TextChoices):
    PENDING = "pending"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    DENIED = "denied"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"


class ChatMode(TextChoices):
    """How agents answer in a session."""

    SIMPLE = "simple"
    EXPERT_GROUP = "expert-group"
    SMART_ROUTER = "smart-router"
    SOCRATIC = "socratic"


class MeetingPhase(TextChoices):
    """Phase of an expert meeting."""

    QUESTIONING = "questioning"
    EXPERT_INPUT = "expert_input"
    PLANNING = "planning"
    EXECUTION = "execution"
    SUMMARY = "summary"


class StreamType(TextChoices):
    """Type of a stream event."""

    MESSAGE = "message"
    MEETING_START = "meeting_start"
    PM_QUESTION = "pm_question", "Project manager's question"
    EXPERT_RESPONSE = "expert_response"
    TODO_UPDATE = "todo_update"
    MEETING_SUMMARY = "meeting_summary"
    STREAM_COMPLETE = "stream_complete"


class ComplexityLevel(TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ResolutionStatus(TextChoices):
    COMPLETED = "completed"
    PARTIAL = "partial"
    UNRESOLVED = "unresolved"
    ABANDONED = "abandoned"
