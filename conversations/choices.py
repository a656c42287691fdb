"""Enumerated values of conversations."""

from django.db.models import TextChoices


class ConversationStatus(TextChoices):
    ACTIVE = "active"
    COMPLETED = "completed"
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
    COMPLETED = "completed"
    FAILED = "failed"


class ToolStatus(TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
