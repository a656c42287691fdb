"""API of search evaluations."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.exceptions import Conflict
from config.api.serializers import BaseSerializer, ObjectField
from config.api.viewsets import CreateMixin, DestroyMixin, ReadOnlyTenantViewSet
from knowledge.evaluation.regression import DEFAULT_TOLERANCE
from knowledge.models import RagEvaluation
from knowledge.models.evaluations import MAX_GRADE, MAX_GRADES
from knowledge.services.collection_evaluation import NoQuestionsError, save_baseline
from knowledge.services.evaluation import MAX_QUESTIONS, JudgementError, check_judgements, request_evaluation

GRADES = {
    "type": "object",
    "maxProperties": MAX_GRADES,
    "additionalProperties": {"type": "integer", "minimum": 0, "maximum": MAX_GRADE},
}


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_QUESTIONS,
        "additionalProperties": GRADES | {"minProperties": 1},
        "description": "For each question, the relevance grade of each document by its source. Empty: the accepted "
        "questions of the collection.",
        "example": {"When is high water?": {"tides.md": 2, "moon.md": 1}},
    }
)
class JudgementsField(ObjectField):
    """Relevance grades by question and document source."""


class RagEvaluationSerializer(BaseSerializer):
    """An evaluation: judged questions, the metrics of each retrieval strategy, and their change."""

    judgements = JudgementsField(
        required=False,
        help_text="For each question, the relevance grade of each document by its source. "
        "By default, the accepted questions of the collection are used.",
    )

    class Meta:
        model = RagEvaluation
        fields = (
            "name",
            "collection",
            "judgements",
            "status",
            "results",
            "differences",
            "is_baseline",
            "tolerance",
            "error_message",
            "completed_at",
        )
        read_only_fields = ("status", "results", "error_message", "completed_at")

    def validate_judgements(self, value: Any) -> Any:
        """Relevance grades by question and document source."""
        try:
            return check_judgements(value) if value else {}
        except JudgementError as error:
            raise serializers.ValidationError(str(error), code="invalid") from error


class BaselineSerializer(serializers.Serializer):
    """Request to compare later evaluations with an evaluation."""

    tolerance = serializers.FloatField(
        default=DEFAULT_TOLERANCE,
        min_value=0,
        max_value=1,
        help_text="Decrease of a metric that is not a regression.",
    )


class RagEvaluationViewSet(CreateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Search evaluations on judged questions; a job computes the metrics."""

    serializer_class = RagEvaluationSerializer
    resource = "collections"
    ordering_fields = ("created_at", "updated_at", "completed_at")
    verbs = {"set_baseline": "write"}

    def perform_create(self, serializer: BaseSerializer) -> Any:
        return request_evaluation(**serializer.validated_data)

    @extend_schema(request=BaselineSerializer, responses={200: RagEvaluationSerializer})
    @action(detail=True, methods=["post"], url_path="set-baseline")
    def set_baseline(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Compare later evaluations of the collection with this one. It replaces the earlier baseline."""
        parameters = self.validate_body(BaselineSerializer)
        evaluation = self.get_object(lock=True)
        try:
            save_baseline(evaluation, tolerance=parameters["tolerance"])
        except NoQuestionsError as error:
            raise Conflict(str(error), code="no_scores") from error
        return self.respond_with(evaluation.pk)
