"""Endpoints to observe, apply and search agent insights."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.constraint_errors import DOES_NOT_EXIST
from config.api.serializers import ObjectField, ReadOnlySerializer
from config.api.similarity import SimilarityMixin, SimilarRequestSerializer, build_similar_serializer
from knowledge.api.learning import ForgetMixin
from tenants.models import Engagement
from workflows.choices import InsightType
from workflows.models import AgentLearningPattern, MasterFlow
from workflows.services.learning import (
    confirm_insight,
    observe_insight,
    record_application,
    similar_insights,
)


class AgentLearningPatternSerializer(ReadOnlySerializer):
    """An insight of an agent."""

    class Meta:
        model = AgentLearningPattern
        fields = (
            "engagement",
            "master_flow",
            "insight_type",
            "key",
            "raw_evidence",
            "confidence_score",
            "discovered_by",
            "validated",
            "occurrences",
            "applied_count",
            "failure_count",
            "success_rate",
            "last_seen_at",
            "last_applied_at",
            "expires_at",
        )


class InsightSerializer(serializers.Serializer):
    """An observation to record as an insight."""

    insight_type = serializers.ChoiceField(choices=InsightType.choices, help_text="Type of insight.")
    raw_evidence = ObjectField(help_text="Supporting data and its context.")
    discovered_by = serializers.CharField(max_length=100, required=False, help_text="Name of the agent.")
    engagement = serializers.UUIDField(required=False, help_text="Engagement of the observation.")
    master_flow = serializers.UUIDField(required=False, help_text="Flow of the observation.")


class ApplicationSerializer(serializers.Serializer):
    """The outcome of applying an insight."""

    helped = serializers.BooleanField(help_text="Whether applying the insight helped.")


class ConfirmationSerializer(serializers.Serializer):
    """Whether a user confirms an insight."""

    validated = serializers.BooleanField(help_text="Whether the insight is right.")


class SimilarInsightsRequestSerializer(SimilarRequestSerializer):
    """A similarity query for insights."""

    insight_type = serializers.ChoiceField(
        choices=InsightType.choices, required=False, help_text="Limits the results to insights of this type."
    )
    engagement = serializers.UUIDField(
        required=False,
        help_text="Limits the results to this engagement and to insights without an engagement.",
    )


class AgentLearningPatternViewSet(SimilarityMixin, ForgetMixin):
    """Insights of agents."""

    serializer_class = AgentLearningPatternSerializer
    resource = "agent-learning-patterns"
    ordering_fields = ("created_at", "updated_at", "applied_count")
    verbs = {"observe": "write", "outcome": "write", "similar": "read", "forget": "write", "confirm": "write"}

    @extend_schema(request=InsightSerializer, responses={200: AgentLearningPatternSerializer})
    @action(detail=False, methods=["post"])
    def observe(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Record an insight, or confirm a similar existing one."""
        given = self.validate_body(InsightSerializer)
        for name, model in (("engagement", Engagement), ("master_flow", MasterFlow)):
            if name in given and not model.objects.filter(pk=given[name]).exists():
                raise serializers.ValidationError({name: DOES_NOT_EXIST}, code="does_not_exist")
        insight = observe_insight(
            given["insight_type"],
            given["raw_evidence"],
            discovered_by=given.get("discovered_by", ""),
            engagement_id=given.get("engagement"),
            master_flow_id=given.get("master_flow"),
        )
        return self.rendered_row(AgentLearningPatternSerializer, insight)

    @extend_schema(request=ApplicationSerializer, responses={200: AgentLearningPatternSerializer})
    @action(detail=True, methods=["post"])
    def outcome(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Record that an insight was applied and whether it helped."""
        given = self.validate_body(ApplicationSerializer)
        insight = record_application(self.get_object(lock=True), helped=given["helped"])
        return self.rendered_row(AgentLearningPatternSerializer, insight)

    @extend_schema(request=ConfirmationSerializer, responses={200: AgentLearningPatternSerializer})
    @action(detail=True, methods=["post"])
    def confirm(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Confirm an insight, or take the confirmation back."""
        given = self.validate_body(ConfirmationSerializer)
        insight = confirm_insight(self.get_object(lock=True), validated=given["validated"])
        return self.rendered_row(AgentLearningPatternSerializer, insight)

    @extend_schema(
        request=SimilarInsightsRequestSerializer,
        responses=build_similar_serializer("insight", AgentLearningPatternSerializer),
    )
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return current insights similar to a text, most similar first."""
        given = self.validate_body(SimilarInsightsRequestSerializer)
        found = similar_insights(
            given["text"],
            insight_type=given.get("insight_type", ""),
            engagement_id=given.get("engagement"),
            limit=given["limit"],
        )
        return self.similar_response("insight", found)
