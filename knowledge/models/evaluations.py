"""Search quality of a tenant, measured on judged questions."""

from django.db import models

from config.db.constraints import choices_constraint
from config.tenancy.models import TenantForeignKey, TenantModel
from knowledge.choices import EvaluationStatus


class RagEvaluation(TenantModel):
    """Questions with the documents that answer them, and the results of each search strategy."""

    audit_omit = ("judgements", "results")

    name = models.CharField(max_length=255, help_text="Name of the evaluation.")
    collection = TenantForeignKey(
        "knowledge.Collection", models.CASCADE, related_name="+", help_text="Searched collection."
    )
    judgements = models.JSONField(
        help_text="Grades of the relevant documents for each question, by document source."
    )
    status = models.CharField(
        max_length=20,
        choices=EvaluationStatus,
        default=EvaluationStatus.PENDING,
        editable=False,
        help_text="Status of the evaluation.",
    )
    results = models.JSONField(
        default=list, editable=False, help_text="nDCG@10, recall@10 and MRR per strategy."
    )
    error_message = models.TextField(default="", blank=True, editable=False, help_text="Error message.")
    completed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the evaluation finished."
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "collection", "status"], name="knowledge_evaluation_coll")]
        constraints = [choices_constraint("status", EvaluationStatus.values)]

    def __str__(self) -> str:
        return self.name
