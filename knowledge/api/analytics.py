"""API of search analytics."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from config.api.views import ApiView, json_response
from knowledge.services.analytics import MAX_DAYS, compute_search_analytics

DEFAULT_DAYS = 30


class AskedSerializer(serializers.Serializer):
    """Query parameters of search analytics."""

    days = serializers.IntegerField(default=DEFAULT_DAYS, min_value=1, max_value=MAX_DAYS)


class QuestionSerializer(serializers.Serializer):
    """A question of the caller, of a job, or of at least two users."""

    question = serializers.CharField(help_text="Text of the question, in lower case.")
    searches = serializers.IntegerField(help_text="Number of searches with this question.")
    without_answer = serializers.IntegerField(help_text="Number of searches without a good answer.")
    slowest_ms = serializers.IntegerField(help_text="Longest response time in milliseconds.")


class UsedDocumentSerializer(serializers.Serializer):
    """A document that searches returned."""

    id = serializers.UUIDField(help_text="Id of the document.")
    title = serializers.CharField(help_text="Title of the document.")
    source = serializers.CharField(help_text="Source of the document.")
    searches = serializers.IntegerField(help_text="Number of searches that returned the document.")
    first = serializers.IntegerField(help_text="Number of searches that ranked the document first.")


class AnalyticsSerializer(serializers.Serializer):
    """Search analytics of the organisation."""

    since = serializers.DateTimeField(help_text="Start of the period.")
    searches = serializers.IntegerField(help_text="Number of searches.")
    without_answer = serializers.IntegerField(
        help_text="Searches with no results, only weakly similar results, or negative feedback."
    )
    helpful = serializers.IntegerField(help_text="Number of searches with positive feedback.")
    unhelpful = serializers.IntegerField(help_text="Number of searches with negative feedback.")
    median_ms = serializers.FloatField(allow_null=True, help_text="Median response time in milliseconds.")
    slow_ms = serializers.FloatField(
        allow_null=True, help_text="95th percentile of the response time in milliseconds."
    )
    poor = QuestionSerializer(many=True, help_text="Questions without good answers, most frequent first.")
    slow = QuestionSerializer(many=True, help_text="Questions with the longest response times.")
    documents = UsedDocumentSerializer(many=True, help_text="Documents returned most often.")


class SearchAnalyticsView(ApiView):
    """Search analytics of the organisation."""

    resource = "collections"
    verbs = {"GET": "read"}
    extra_parameters = ("days",)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "days",
                {"type": "integer", "minimum": 1, "maximum": MAX_DAYS, "default": DEFAULT_DAYS},
                description="Number of days to look back.",
            )
        ],
        responses={200: AnalyticsSerializer},
        operation_id="search_analytics",
    )
    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return questions without good answers, slow questions and the most used documents."""
        parameters = AskedSerializer(data=request.query_params.dict())
        parameters.is_valid(raise_exception=True)
        return json_response(compute_search_analytics(parameters.validated_data["days"]).as_dict())
