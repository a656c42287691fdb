"""How good a tenant's search is, as measured on its own questions."""

from django.db import models

from config.tenancy.models import TenantForeignKey, TenantModel
from knowledge.choices import EvaluationStatus


class RagEvaluation(TenantModel):
    """Questions with the documents that answer them, and the figures of each way to search for them."""

    audit_omit = ("judgements", "results")

    name = models.CharField(max_length=255, help_text="What is measured.")
    collection = TenantForeignKey(
        "knowledge.Collection", models.CASCADE, related_name="+", help_text="Collection that is searched."
    )
    judgements = models.JSONField(
        help_text="For each question the grade of each document that answers it, by its source."
    )
    status = models.CharField(
        max_length=20,
        choices=EvaluationStatus,
        default=EvaluationStatus.PENDING,
        editable=False,
        help_text="Whether it was measured.",
    )
    results = models.JSONField(
        default=list, editable=False, help_text="nDCG@10, recall@10 and MRR of each strategy."
    )
    error_message = models.TextField(default="", blank=True, editable=False, help_text="Why it failed.")
    completed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it was measured."
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "collection", "status"], name="knowledge_evaluation_coll")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=EvaluationStatus.values),
                name="knowledge_ragevaluation_status_known",
            )
        ]

    def __str__(self) -> str:
        return self.name
