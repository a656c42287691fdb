"""API of the report of a collection's evaluations."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from config.api.views import ApiView, json_response
from knowledge.evaluation.regression import METRICS
from knowledge.models import Collection
from knowledge.services.evaluation_report import build_evaluation_report


class MetricsSerializer(serializers.Serializer):
    """Metrics of hybrid search."""

    ndcg_at_10 = serializers.FloatField(help_text="nDCG@10.")
    recall_at_10 = serializers.FloatField(help_text="Recall@10.")
    gold = serializers.FloatField(
        allow_null=True, help_text="Share of answers that contain a gold text. Null without gold texts."
    )


class DifferenceSerializer(serializers.Serializer):
    """Difference of a metric to the baseline."""

    metric = serializers.ChoiceField(choices=METRICS, help_text="Name of the metric.")
    questions = serializers.IntegerField(help_text="Number of questions in both evaluations.")
    before = serializers.FloatField(help_text="Value of the baseline.")
    after = serializers.FloatField(help_text="Value of the evaluation.")
    mean = serializers.FloatField(help_text="Mean difference.")
    low = serializers.FloatField(help_text="Lower bound of the 95 % interval.")
    high = serializers.FloatField(help_text="Upper bound of the 95 % interval.")
    p_value = serializers.FloatField(help_text="Two-sided p value of a paired bootstrap.")
    is_regression = serializers.BooleanField(
        help_text="Whether the metric is significantly lower, by more than the tolerance."
    )


class EvaluationRunSerializer(MetricsSerializer):
    """An evaluation of the accepted questions."""

    id = serializers.UUIDField(help_text="ID of the evaluation.")
    name = serializers.CharField(help_text="Name of the evaluation.")
    completed_at = serializers.DateTimeField(help_text="When it finished.")
    is_baseline = serializers.BooleanField(help_text="Whether it is the baseline of the collection.")
    questions = serializers.IntegerField(help_text="Number of questions.")
    differences = DifferenceSerializer(many=True, help_text="Differences to the baseline of that time.")


class LanguageMetricsSerializer(MetricsSerializer):
    """Metrics of the questions in one language."""

    language = serializers.CharField(help_text="ISO 639-1 code. Empty: unknown.")
    questions = serializers.IntegerField(help_text="Number of questions.")


class GradedDocumentSerializer(serializers.Serializer):
    """A relevant document of a question."""

    id = serializers.UUIDField(allow_null=True, help_text="ID. Null if it is not in the collection.")
    title = serializers.CharField(help_text="Title of the document.")
    source = serializers.CharField(help_text="Source of the document.")
    grade = serializers.IntegerField(help_text="Relevance grade.")


class WorstQuestionSerializer(MetricsSerializer):
    """A question with low metrics."""

    id = serializers.UUIDField(help_text="ID of the judged question.")
    question = serializers.CharField(help_text="Text of the question.")
    language = serializers.CharField(help_text="ISO 639-1 code. Empty: unknown.")
    chunk = serializers.UUIDField(allow_null=True, help_text="Passage that answers it, if known.")
    documents = GradedDocumentSerializer(many=True, help_text="Relevant documents, best first.")


class EvaluationReportSerializer(serializers.Serializer):
    """Evaluations of a collection's accepted questions."""

    runs = EvaluationRunSerializer(many=True, help_text="The latest evaluations, newest first.")
    languages = LanguageMetricsSerializer(many=True, help_text="Metrics by language, of the newest one.")
    worst = WorstQuestionSerializer(
        many=True, help_text="Questions with the lowest metrics of the newest one."
    )


class EvaluationReportView(ApiView):
    """Report of a collection's evaluations."""

    resource = "collections"
    verbs = {"GET": "read"}

    @extend_schema(responses={200: EvaluationReportSerializer}, operation_id="collection_evaluation_report")
    def get(self, request: Any, collection_id: UUID | str) -> HttpResponse:
        """Return the latest evaluations, the metrics by language and the worst questions."""
        collection = Collection.objects.named(collection_id).first()
        if collection is None:
            raise Http404
        return json_response(build_evaluation_report(collection).as_dict())
