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
    """What a person thinks of an answer."""

    HELPFUL = "helpful"
    UNHELPFUL = "unhelpful"


class LeaseKind(TextChoices):
    """What a process works on."""

    ANSWER = "answer"
    MEETING = "meeting"


class StepKind(TextChoices):
    """What a step of a turn is."""

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
    """How a session is answered."""

    SIMPLE = "simple"
    EXPERT_GROUP = "expert-group"
    SMART_ROUTER = "smart-router"
    SOCRATIC = "socratic"


class MeetingPhase(TextChoices):
    """Where a meeting of experts stands."""

    QUESTIONING = "questioning"
    EXPERT_INPUT = "expert_input"
    PLANNING = "planning"
    EXECUTION = "execution"
    SUMMARY = "summary"


class StreamType(TextChoices):
    """What a chunk of a stream is."""

    MESSAGE = "message"
    MEETING_START = "meeting_start"
    PM_QUESTION = "pm_question", "Question of the project manager"
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
