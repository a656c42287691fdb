"""What searches say about the knowledge, in the API."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from config.api.views import ApiView, json_response
from knowledge.services.analytics import MOST_DAYS, search_analytics

USUAL_DAYS = 30


class AskedSerializer(serializers.Serializer):
    """The time that is looked at."""

    days = serializers.IntegerField(default=USUAL_DAYS, min_value=1, max_value=MOST_DAYS)


class QuestionSerializer(serializers.Serializer):
    """A question; shown when it was one's own, nobody's, or asked by at least two people."""

    question = serializers.CharField(help_text="Its words, in small letters.")
    searches = serializers.IntegerField(help_text="How often it was asked.")
    without_answer = serializers.IntegerField(help_text="How often nothing fitting was found.")
    slowest_ms = serializers.IntegerField(help_text="Its longest time.")


class UsedDocumentSerializer(serializers.Serializer):
    """A document that searches found."""

    id = serializers.UUIDField(help_text="Id of the document.")
    title = serializers.CharField(help_text="Its title.")
    source = serializers.CharField(help_text="Where it is from.")
    searches = serializers.IntegerField(help_text="Searches that found it.")
    first = serializers.IntegerField(help_text="Searches that found it first.")


class AnalyticsSerializer(serializers.Serializer):
    """The organisation's searches."""

    since = serializers.DateTimeField(help_text="From when on.")
    searches = serializers.IntegerField(help_text="How many there were.")
    without_answer = serializers.IntegerField(
        help_text="Nothing was found, or only something faintly alike, or the asker said that it did not help."
    )
    helpful = serializers.IntegerField(help_text="Verdicts that it helped.")
    unhelpful = serializers.IntegerField(help_text="Verdicts that it did not.")
    median_ms = serializers.FloatField(allow_null=True, help_text="Half of them took less.")
    slow_ms = serializers.FloatField(allow_null=True, help_text="One in twenty took longer.")
    poor = QuestionSerializer(many=True, help_text="Questions without good answers, the most frequent first.")
    slow = QuestionSerializer(many=True, help_text="The slowest questions.")
    documents = UsedDocumentSerializer(many=True, help_text="The documents that were found most.")


class SearchAnalyticsView(ApiView):
    """Questions without good answers, slow ones, and the documents that are used most."""

    resource = "collections"
    verbs = {"GET": "read"}
    extra_parameters = ("days",)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "days",
                {"type": "integer", "minimum": 1, "maximum": MOST_DAYS, "default": USUAL_DAYS},
                description="Days to look back.",
            )
        ],
        responses={200: AnalyticsSerializer},
        operation_id="search_analytics",
    )
    def get(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """What the organisation searched for lately, and what it found."""
        asked = AskedSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        return json_response(search_analytics(asked.validated_data["days"]).as_dict())
