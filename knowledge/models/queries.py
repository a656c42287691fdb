"""Queries to the knowledge and their results."""

from django.db import models

from config.db.constraints import SYSTEM_CLAUSE, TENANT_CLAUSE, USER_CLAUSE, choices_constraint
from config.db.partitions import PartitionedMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantForeignKey, TenantModel
from knowledge.choices import Feedback, RetrievalStrategy


class RagQuery(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """One retrieval: query, passages with scores, response time and feedback.

    A query is visible to the user who searched; those of jobs are visible to the whole tenant.
    """

    scope_kind = "user"
    row_security = {
        "read": f"{TENANT_CLAUSE} AND ({USER_CLAUSE} OR user_id IS NULL OR {SYSTEM_CLAUSE})",
        "write": f"{TENANT_CLAUSE} AND ({USER_CLAUSE} OR {SYSTEM_CLAUSE})",
    }
    audit_exempt = "itself a log of reads"

    updated_at = None
    collection = TenantForeignKey(
        "knowledge.Collection",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="+",
        help_text="Searched collection. Empty: several.",
    )
    agent_id = models.UUIDField(null=True, blank=True, help_text="Agent that searched.")
    conversation_id = models.UUIDField(null=True, blank=True, help_text="Conversation of the search.")
    user_id = models.UUIDField(null=True, blank=True, help_text="User who searched.")
    query_text = models.TextField(help_text="Text of the query.")
    results = models.JSONField(default=list, help_text="Chunk IDs and scores, best first.")
    top_score = models.FloatField(null=True, help_text="Score of the best, from 0 to 1.")
    retrieval_strategy = models.CharField(
        max_length=50,
        choices=RetrievalStrategy,
        default=RetrievalStrategy.HYBRID,
        help_text="Retrieval strategy.",
    )
    filters = models.JSONField(default=dict, help_text="Applied filters.")
    response_time_ms = models.PositiveIntegerField(default=0, help_text="Duration in milliseconds.")
    user_feedback = models.CharField(
        max_length=20, choices=Feedback, blank=True, default="", help_text="Feedback of the user."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "-id"], name="knowledge_ragquery_latest"),
            models.Index(fields=["tenant", "collection"], name="knowledge_ragquery_collection"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(top_score=None) | models.Q(top_score__range=(0, 1)),
                name="knowledge_ragquery_top_score",
            ),
            choices_constraint(
                "retrieval_strategy", RetrievalStrategy.values, name="knowledge_ragquery_strategy_known"
            ),
            choices_constraint(
                "user_feedback", ["", *Feedback.values], name="knowledge_ragquery_feedback_known"
            ),
        ]

    def __str__(self) -> str:
        return self.query_text[:80]
