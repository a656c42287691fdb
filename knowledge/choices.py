"""Enumerated values of knowledge."""

from django.db.models import TextChoices


class CollectionStatus(TextChoices):
    ACTIVE = "active"
    INDEXING = "indexing"
    ARCHIVED = "archived"


class DocumentStatus(TextChoices):
    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class RetrievalStrategy(TextChoices):
    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    KEYWORD = "keyword"


class Feedback(TextChoices):
    HELPFUL = "helpful"
    UNHELPFUL = "unhelpful"
