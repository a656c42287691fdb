"""Migration flow endpoints."""

from config.api.serializers import BaseSerializer
from config.api.viewsets import TenantViewSet
from workflows import schemas
from workflows.models import (
    AssessmentFlow,
    CollectionFlow,
    DiscoveryFlow,
    ExecutionFlow,
    MasterFlow,
    PlanningFlow,
)

from .fields import SchemaField

HEAD = ("engagement", "user", "status", "current_phase")
PHASE = (*HEAD, "flow_id", "master_flow", "recommendations")


class MasterFlowSerializer(BaseSerializer):
    """A migration, which leads an engagement through its phases."""

    phase_history = SchemaField(shape=schemas.PhaseHistory)

    class Meta:
        model = MasterFlow
        fields = (
            *HEAD,
            "flow_type",
            "display_name",
            "description",
            "config",
            "state",
            "phase_history",
            "execution_metrics",
            "completed_at",
        )


class DiscoveryFlowSerializer(BaseSerializer):
    """A discovery flow, which takes inventory of existing assets."""

    phases = SchemaField(shape=schemas.Phases)

    class Meta:
        model = DiscoveryFlow
        fields = (
            *PHASE,
            "discovery_type",
            "target_platforms",
            "discovery_scope",
            "phases",
            "discovered_assets_count",
            "discovered_patterns",
            "completed_at",
        )


class CollectionFlowSerializer(BaseSerializer):
    """A collection flow, which gathers data for the assessment."""

    class Meta:
        model = CollectionFlow
        fields = (
            *PHASE,
            "discovery_flow",
            "automation_tier",
            "collection_methods",
            "target_systems",
            "progress_percentage",
            "data_quality_score",
            "completeness_percentage",
            "validation_errors_count",
            "total_items_collected",
            "items_processed",
            "items_failed",
            "completed_at",
        )


class AssessmentFlowSerializer(BaseSerializer):
    """An assessment flow, which evaluates the collected data."""

    class Meta:
        model = AssessmentFlow
        fields = (
            *PHASE,
            "discovery_flow",
            "assessment_type",
            "assessment_framework",
            "stages_completed",
            "technical_debt_score",
            "complexity_score",
            "risk_score",
            "readiness_score",
            "completed_at",
        )


class PlanningFlowSerializer(BaseSerializer):
    """A planning flow, which schedules the migration."""

    class Meta:
        model = PlanningFlow
        fields = (
            *PHASE,
            "assessment_flow",
            "waves",
            "wave_count",
            "planned_assets_count",
            "planned_start",
            "planned_end",
            "progress_percentage",
            "completed_at",
        )


class ExecutionFlowSerializer(BaseSerializer):
    """An execution flow, which carries out the plan."""

    class Meta:
        model = ExecutionFlow
        fields = (
            *PHASE,
            "planning_flow",
            "current_wave",
            "assets_total",
            "assets_migrated",
            "assets_failed",
            "progress_percentage",
            "issues",
            "completed_at",
        )


class FlowViewSet(TenantViewSet):
    """Base viewset of all flows."""

    resource = "flows"
    ordering_fields = ("created_at", "updated_at", "status")
    owner_field = "user_id"


class MasterFlowViewSet(FlowViewSet):
    """Migrations, which lead engagements through their phases."""

    serializer_class = MasterFlowSerializer


class DiscoveryFlowViewSet(FlowViewSet):
    """Discovery flows, which take inventory of existing assets."""

    serializer_class = DiscoveryFlowSerializer


class CollectionFlowViewSet(FlowViewSet):
    """Collection flows, which gather data for the assessment."""

    serializer_class = CollectionFlowSerializer


class AssessmentFlowViewSet(FlowViewSet):
    """Assessment flows, which evaluate the collected data."""

    serializer_class = AssessmentFlowSerializer


class PlanningFlowViewSet(FlowViewSet):
    """Planning flows, which schedule the migration."""

    serializer_class = PlanningFlowSerializer


class ExecutionFlowViewSet(FlowViewSet):
    """Execution flows, which carry out the plan."""

    serializer_class = ExecutionFlowSerializer
