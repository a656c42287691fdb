"""Judged questions of collections, and evaluations of search quality."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from config.db.constraints import SYSTEM_CLAUSE, TENANT_CLAUSE, USER_CLAUSE, choices_constraint
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from knowledge.choices import EvaluationStatus, QuestionOrigin, QuestionStatus
from knowledge.evaluation.regression import DEFAULT_TOLERANCE
from knowledge.fields import LanguageField

MAX_GRADES, MAX_GRADE = 100, 10
MAX_GOLD, MAX_GOLD_LENGTH = 20, 1000


def are_grades(values: Iterable[Any]) -> bool:
    """Return whether all values are relevance grades: integers from 0 to `MAX_GRADE`."""
    return all(type(value) is int and 0 <= value <= MAX_GRADE for value in values)


def validate_grades(value: Any) -> None:
    """Check that `value` maps document sources to grades.

    Raises:
        ValidationError: If it does not, or has too many documents.
    """
    if not isinstance(value, dict) or len(value) > MAX_GRADES:
        raise ValidationError(f"Map at most {MAX_GRADES} document sources to grades.", code="invalid_grades")
    if not are_grades(value.values()):
        raise ValidationError(f"Grades must be integers from 0 to {MAX_GRADE}.", code="invalid_grades")


def validate_gold(value: Any) -> None:
    """Check that `value` is a list of texts of correct answers.

    Raises:
        ValidationError: If it is not, or is too long.
    """
    texts = value if isinstance(value, list) and len(value) <= MAX_GOLD else [None]
    if not all(isinstance(text, str) and 0 < len(text.strip()) <= MAX_GOLD_LENGTH for text in texts):
        raise ValidationError(
            f"Provide a list of at most {MAX_GOLD} texts of 1 to {MAX_GOLD_LENGTH} characters.",
            code="invalid_gold",
        )


class JudgedQuestion(TenantModel):
    """A question with the grades of the documents of a collection. Evaluations use the accepted ones.

    A suggestion is visible to the user whose feedback it comes from, and to the whole tenant once it is shared.
    Questions without a user, and those of two users, are shared.
    """

    scope_kind = "user"
    row_security = {"read": f"{TENANT_CLAUSE} AND (is_shared OR {USER_CLAUSE} OR {SYSTEM_CLAUSE})"}

    collection = TenantForeignKey(
        "knowledge.Collection", models.CASCADE, related_name="+", help_text="Collection of the documents."
    )
    question = models.TextField(max_length=2000, help_text="Text of the question.")
    grades = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_grades],
        help_text="Relevance grade of each document, from 0 to 10, by its source.",
    )
    gold = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_gold],
        help_text="Texts of which a correct answer contains at least one.",
    )
    chunk = TenantForeignKey(
        "knowledge.Chunk",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="Passage that answers the question, if known.",
    )
    language = LanguageField(
        editable=False, help_text="Language of the question as ISO 639-1 code. Empty: unknown."
    )
    origin = models.CharField(
        max_length=20,
        choices=QuestionOrigin,
        default=QuestionOrigin.MANUAL,
        editable=False,
        help_text="Origin of the question.",
    )
    status = models.CharField(
        max_length=20,
        choices=QuestionStatus,
        default=QuestionStatus.SUGGESTED,
        editable=False,
        help_text="Whether evaluations use the question.",
    )
    is_shared = models.BooleanField(
        default=False, editable=False, help_text="Whether the whole tenant can see the question."
    )
    user = MemberForeignKey(
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        help_text="User whose feedback it comes from. Empty: none, several, or accepted.",
    )
    conversation_id = models.UUIDField(
        null=True, blank=True, editable=False, help_text="Conversation of the rated answer."
    )
    source_id = models.UUIDField(
        null=True, blank=True, editable=False, help_text="Rated message or search. Empty: none, or accepted."
    )
    reviewed_by = MemberForeignKey(editable=False, help_text="User who accepted or rejected the question.")
    reviewed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it was accepted or rejected."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "collection", "status"], name="knowledge_judged_status"),
            models.Index(fields=["tenant", "conversation_id"], name="knowledge_judged_conversation"),
            models.Index(fields=["tenant", "chunk"], name="knowledge_judged_chunk"),
        ]
        constraints = [
            choices_constraint("origin", QuestionOrigin.values),
            choices_constraint("status", QuestionStatus.values),
            models.CheckConstraint(
                condition=~models.Q(status=QuestionStatus.ACCEPTED) | models.Q(is_shared=True),
                name="knowledge_judged_accepted_shared",
                violation_error_message="An accepted question must be shared.",
            ),
        ]

    def __str__(self) -> str:
        return self.question[:80]


class RagEvaluation(TenantModel):
    """The quality of search and answers of a collection, measured on judged questions."""

    audit_omit = ("judgements", "results", "scores", "differences")

    name = models.CharField(max_length=255, help_text="Name of the evaluation.")
    collection = TenantForeignKey(
        "knowledge.Collection", models.CASCADE, related_name="+", help_text="Searched collection."
    )
    judgements = models.JSONField(
        default=dict,
        blank=True,
        help_text="Grades of the relevant documents for each question, by document source. "
        "Empty: the accepted questions of the collection.",
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
    scores = models.JSONField(
        default=list,
        db_default=[],
        editable=False,
        help_text="Metrics of hybrid search and of the answer for each accepted question, by its ID.",
    )
    differences = models.JSONField(
        default=list,
        db_default=[],
        editable=False,
        help_text="Difference of each metric to the baseline, with its 95 % interval and p value.",
    )
    is_baseline = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="Whether later evaluations of the collection are compared with this one.",
    )
    tolerance = models.FloatField(
        default=DEFAULT_TOLERANCE,
        db_default=DEFAULT_TOLERANCE,
        editable=False,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Decrease of a metric below this baseline that is not a regression.",
    )
    error_message = models.TextField(default="", blank=True, editable=False, help_text="Error message.")
    completed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the evaluation finished."
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "collection", "status"], name="knowledge_evaluation_coll")]
        constraints = [
            choices_constraint("status", EvaluationStatus.values),
            models.UniqueConstraint(
                fields=["tenant", "collection"],
                condition=models.Q(is_baseline=True),
                name="knowledge_evaluation_baseline",
                violation_error_message="The collection already has a baseline.",
            ),
            models.CheckConstraint(
                condition=models.Q(tolerance__range=(0, 1)), name="knowledge_evaluation_tolerance"
            ),
        ]

    def __str__(self) -> str:
        return self.name
