"""Patterns learned from the way users work."""

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from pgvector.django import HalfVectorField, HnswIndex

from config.db.constraints import choices_constraint
from config.tenancy.models import UserOwnedModel
from knowledge.choices import PatternType


class LearningPattern(UserOwnedModel):
    """A pattern in one user's work and its confidence."""

    audit_omit = (
        "embedding",
        "occurrences",
        "applied_count",
        "failure_count",
        "success_rate",
        "confidence",
        "last_seen_at",
    )

    pattern_type = models.CharField(max_length=100, choices=PatternType, help_text="Type of pattern.")
    key = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="What was learned from answers, such as `tool:calculator`. Empty: observed by a client.",
    )
    data = models.JSONField(default=dict, help_text="The pattern, in the format of its type.")
    confidence = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        default=0,
        db_default=0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Confidence at the last occurrence, from 0 to 1.",
    )
    occurrences = models.PositiveIntegerField(default=1, db_default=1, help_text="Number of occurrences.")
    applied_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of known outcomes."
    )
    failure_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of failures and rejections."
    )
    success_rate = models.DecimalField(
        max_digits=5,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Share of successful outcomes, from 0 to 1. Empty: unknown.",
    )
    embedding = HalfVectorField(
        dimensions=1536, null=True, blank=True, editable=False, help_text="Vector, if computed."
    )
    embedding_model = models.CharField(
        max_length=100,
        blank=True,
        default="",
        editable=False,
        help_text="Embedding model. Vectors of different models are not compared.",
    )
    last_seen_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Last occurrence.")

    class Meta(UserOwnedModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user", "-last_seen_at"], name="knowledge_pattern_user"),
            models.Index(fields=["tenant", "pattern_type"], name="knowledge_pattern_type"),
            models.Index(fields=["tenant", "-confidence"], name="knowledge_pattern_confidence"),
            GinIndex(fields=["data"], name="knowledge_pattern_data"),
            HnswIndex(
                fields=["embedding"], opclasses=["halfvec_cosine_ops"], name="knowledge_pattern_cosine"
            ),
        ]
        constraints = [
            choices_constraint("pattern_type", PatternType.values, name="knowledge_pattern_type_known"),
            models.CheckConstraint(
                condition=models.Q(confidence__range=(0, 1)),
                name="knowledge_pattern_confidence_range",
                violation_error_message="The confidence must be between 0 and 1.",
            ),
            models.CheckConstraint(
                condition=models.Q(success_rate=None) | models.Q(success_rate__range=(0, 1)),
                name="knowledge_pattern_success_range",
                violation_error_message="The success rate must be between 0 and 1.",
            ),
            models.CheckConstraint(
                condition=models.Q(failure_count__lte=models.F("applied_count")),
                name="knowledge_pattern_outcomes",
                violation_error_message="There cannot be more failures than outcomes.",
            ),
            models.UniqueConstraint(
                fields=["tenant", "user", "key"],
                condition=~models.Q(key=""),
                name="knowledge_pattern_once",
                violation_error_message="This pattern already exists.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_pattern_type_display()} ({self.confidence})"
