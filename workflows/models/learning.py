"""Insights of agents."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from pgvector.django import HalfVectorField, HnswIndex

from config.tenancy.models import TenantForeignKey, TenantModel
from workflows.choices import InsightType
from workflows.constraints import SHARE, choices_check, range_check


class AgentLearningPattern(TenantModel):
    """An insight of an agent, with its evidence and success rate."""

    audit_omit = ("embedding", "raw_evidence", "applied_count", "success_rate", "last_applied_at")

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
    embedding = HalfVectorField(dimensions=1536, help_text="Vector of the evidence.")
    embedding_model = models.CharField(
        max_length=100,
        blank=True,
        default="",
        editable=False,
        help_text="Embedding model. Vectors of different models are not compared.",
    )
    raw_evidence = models.JSONField(default=dict, help_text="Supporting data and its context.")
    confidence_score = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Confidence, from 0 to 1."
    )
    discovered_by = models.CharField(max_length=100, blank=True, default="", help_text="Agent that found it.")
    validated = models.BooleanField(default=False, help_text="Whether a user confirmed it.")
    applied_count = models.PositiveIntegerField(default=0, help_text="Number of applications.")
    success_rate = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Share of applications that helped."
    )
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
        ]

    def __str__(self) -> str:
        return f"{self.get_insight_type_display()} by {self.discovered_by or 'an agent'}"
