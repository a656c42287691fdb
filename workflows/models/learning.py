"""Insights of agents."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from pgvector.django import HalfVectorField, HnswIndex

from config.tenancy.models import TenantForeignKey, TenantModel
from workflows.choices import InsightType
from workflows.constraints import SHARE, choices_check, range_check


class AgentLearningPattern(TenantModel):
    """An insight of an agent, with its evidence and success rate."""

    audit_omit = (
        "embedding",
        "raw_evidence",
        "occurrences",
        "applied_count",
        "failure_count",
        "success_rate",
        "confidence_score",
        "last_seen_at",
        "last_applied_at",
        "expires_at",
    )

    engagement = TenantForeignKey(
        "tenants.Engagement",
        models.SET_NULL,
        related_name="learning_patterns",
        help_text="Engagement of the insight. Empty: applies to all engagements.",
    )
    master_flow = TenantForeignKey(
        "workflows.MasterFlow",
        models.SET_NULL,
        related_name="learning_patterns",
        help_text="Flow of the insight.",
    )
    insight_type = models.CharField(max_length=50, choices=InsightType, help_text="Type of insight.")
    key = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="What was learned from answers: agent and model or tool. Empty: observed by a client.",
    )
    embedding = HalfVectorField(
        dimensions=1536,
        null=True,
        blank=True,
        help_text="Vector of the evidence. Empty if it was learned from answers.",
    )
    embedding_model = models.CharField(
        max_length=100,
        blank=True,
        default="",
        editable=False,
        help_text="Embedding model. Vectors of different models are not compared.",
    )
    raw_evidence = models.JSONField(default=dict, help_text="Supporting data and its context.")
    confidence_score = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Confidence at the last occurrence, from 0 to 1."
    )
    discovered_by = models.CharField(max_length=100, blank=True, default="", help_text="Agent that found it.")
    validated = models.BooleanField(default=False, db_default=False, help_text="Whether a user confirmed it.")
    occurrences = models.PositiveIntegerField(default=1, db_default=1, help_text="Number of occurrences.")
    applied_count = models.PositiveIntegerField(default=0, db_default=0, help_text="Number of applications.")
    failure_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of failures and rejections."
    )
    success_rate = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Share of applications that helped."
    )
    last_seen_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Last occurrence.")
    last_applied_at = models.DateTimeField(null=True, blank=True, help_text="Latest application.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Expiry time, if any.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "engagement"], name="wf_pattern_engagement"),
            models.Index(fields=["tenant", "master_flow"], name="wf_pattern_master_flow"),
            models.Index(fields=["tenant", "insight_type"], name="wf_pattern_insight"),
            models.Index(fields=["tenant", "expires_at"], name="wf_pattern_expires"),
            GinIndex(fields=["raw_evidence"], name="wf_pattern_evidence"),
            HnswIndex(
                fields=["embedding"],
                opclasses=["halfvec_cosine_ops"],
                m=16,
                ef_construction=64,
                name="wf_pattern_embedding",
            ),
        ]
        constraints = [
            choices_check("insight_type", InsightType),
            range_check("confidence_score", 0, 1),
            range_check("success_rate", 0, 1),
            models.CheckConstraint(
                condition=models.Q(failure_count__lte=models.F("applied_count")),
                name="workflows_agentlearningpattern_outcomes",
                violation_error_message="There cannot be more failures than outcomes.",
            ),
            models.CheckConstraint(
                condition=~models.Q(key="") | models.Q(embedding__isnull=False),
                name="workflows_agentlearningpattern_vector",
                violation_error_message="An observed insight needs a vector.",
            ),
            models.UniqueConstraint(
                fields=["tenant", "engagement", "key"],
                condition=~models.Q(key=""),
                nulls_distinct=False,
                name="workflows_agentlearningpattern_once",
                violation_error_message="This pattern already exists.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_insight_type_display()} by {self.discovered_by or 'an agent'}"
