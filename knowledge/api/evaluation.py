"""API of search evaluations."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.api.serializers import BaseSerializer, ObjectField
from config.api.viewsets import CreateMixin, DestroyMixin, ReadOnlyTenantViewSet
from knowledge.models import RagEvaluation
from knowledge.services.evaluation import (
    MAX_GRADE,
    MAX_GRADES,
    MAX_QUESTIONS,
    JudgementError,
    check_judgements,
    request_evaluation,
)

GRADES = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": MAX_GRADES,
    "additionalProperties": {"type": "integer", "minimum": 0, "maximum": MAX_GRADE},
}


@extend_schema_field(
    {
        "type": "object",
        "minProperties": 1,
        "maxProperties": MAX_QUESTIONS,
        "additionalProperties": GRADES,
        "description": "For each question, the relevance grade of each document by its source.",
        "example": {"When is high water?": {"tides.md": 2, "moon.md": 1}},
    }
)
class JudgementsField(ObjectField):
    """Relevance grades by question and document source."""


class RagEvaluationSerializer(BaseSerializer):
    """An evaluation: judged questions and the metrics of each retrieval strategy."""

    judgements = JudgementsField(
        help_text="For each question, the relevance grade of each document by its source."
    )

    class Meta:
        model = RagEvaluation
        fields = ("name", "collection", "judgements", "status", "results", "error_message", "completed_at")
        read_only_fields = ("status", "results", "error_message", "completed_at")

    def validate_judgements(self, value: Any) -> Any:
        """Relevance grades by question and document source."""
        try:
            return check_judgements(value)
        except JudgementError as error:
            raise serializers.ValidationError(str(error), code="invalid") from error


class RagEvaluationViewSet(CreateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Search evaluations on judged questions; a job computes the metrics."""

    serializer_class = RagEvaluationSerializer
    resource = "collections"
    ordering_fields = ("created_at", "updated_at", "completed_at")

    def perform_create(self, serializer: BaseSerializer) -> Any:
        return request_evaluation(**serializer.validated_data)
