"""Insights of agents in the API: written by the system."""

from config.api.serializers import HouseSerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from workflows.models import AgentLearningPattern

from .flows import MasterFlowSerializer


class AgentLearningPatternSerializer(HouseSerializer):
    """An insight of an agent."""

    class Meta:
        model = AgentLearningPattern
        expandable = {"master_flow": MasterFlowSerializer}
        fields = (
            "id",
            "engagement",
            "master_flow",
            "insight_type",
            "raw_evidence",
            "confidence_score",
            "discovered_by",
            "validated",
            "applied_count",
            "success_rate",
            "last_applied_at",
            "expires_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class AgentLearningPatternViewSet(ReadOnlyTenantViewSet):
    """What agents found out at work."""

    serializer_class = AgentLearningPatternSerializer
    resource = "agent-learning-patterns"
    filterset_fields = ("engagement", "master_flow", "insight_type", "discovered_by", "validated")
    ordering_fields = ("created_at", "updated_at", "applied_count")
