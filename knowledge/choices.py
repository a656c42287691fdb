"""Enumerated values of knowledge."""

from django.db.models import TextChoices


class CollectionStatus(TextChoices):
    ACTIVE = "active"
    INDEXING = "indexing"
    ARCHIVED = "archived"


class DocumentStatus(TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    INDEXED = "indexed"
    FAILED = "failed"


class DocumentOrigin(TextChoices):
    """Origin of a document, which determines where its file is fetched from."""

    UPLOAD = "upload"
    FOLDER = "folder"
    URL = "url", "URL"
    IMPORT = "import"
    CONNECTOR = "connector"


class ConnectorKind(TextChoices):
    """Kind of an outside source that a connector reads."""

    WEBSITE = "website"
    GIT = "git", "Git repository"
    FOLDER = "folder", "Server folder"
    S3 = "s3", "S3 bucket"
    IMAP = "imap", "IMAP mailbox"
    RSS = "rss", "RSS or Atom feed"


class SyncStatus(TextChoices):
    """Status of a connector's latest sync; `partial` deleted no documents."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"


class RelationKind(TextChoices):
    RELATED = "related"
    SYNONYM = "synonym"


class RetrievalStrategy(TextChoices):
    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    KEYWORD = "keyword"


class Feedback(TextChoices):
    HELPFUL = "helpful"
    UNHELPFUL = "unhelpful"


class EvaluationStatus(TextChoices):
    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


class QuestionOrigin(TextChoices):
    """Origin of a judged question."""

    ANSWER_FEEDBACK = "answer_feedback", "Feedback on an answer"
    SEARCH_FEEDBACK = "search_feedback", "Feedback on a search"
    MODEL = "model"
    MANUAL = "manual"


class QuestionStatus(TextChoices):
    """Status of a judged question; evaluations use the accepted ones."""

    SUGGESTED = "suggested"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class TermContext(TextChoices):
    TECHNICAL = "technical"
    BUSINESS = "business"
    PERSONAL = "personal"
    CASUAL = "casual"


class PatternType(TextChoices):
    TERMINOLOGY_USAGE = "terminology_usage"
    AI_PREFERENCE = "ai_preference"
    WORKFLOW_PATTERN = "workflow_pattern"
    COMMUNICATION_STYLE = "communication_style"
    TOOL_USAGE = "tool_usage"
    OTHER = "other"
