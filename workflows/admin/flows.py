"""Migration flows and their phases."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, fieldset
from workflows.models import (
    AssessmentFlow,
    CollectionFlow,
    DiscoveryFlow,
    ExecutionFlow,
    MasterFlow,
    PlanningFlow,
)


class PhaseFlowAdmin(BaseModelAdmin):
    """Base admin of phase flows; subclasses add the fields of their phase."""

    resource = "flows"
    owner = "user"
    list_display = (
        "__str__",
        "engagement",
        "master_flow",
        "status",
        "current_phase",
        "created_at",
        "completed_at",
    )
    list_filter = ("status",)
    search_fields = ("flow_id__exact", "engagement__name", "current_phase")
    search_help_text = "Exact flow ID, or part of the project or phase name."
    date_hierarchy = "created_at"
    own_fieldsets = ()

    def __init__(self, model, admin_site):
        super().__init__(model, admin_site)
        self.fieldsets = (
            fieldset(None, ("engagement", "master_flow"), ("status", "current_phase")),
            *self.own_fieldsets,
            fieldset("Origin", ("flow_id", "user"), "completed_at", collapse=True),
        )


@admin.register(MasterFlow)
class MasterFlowAdmin(BaseModelAdmin):
    resource = "flows"
    icon = "route"
    title = "Migrations"
    position = 100
    owner = "user"
    list_display = (
        "__str__",
        "engagement",
        "flow_type",
        "status",
        "current_phase",
        "created_at",
        "completed_at",
    )
    list_filter = ("status", "flow_type")
    search_fields = ("display_name", "engagement__name")
    date_hierarchy = "created_at"
    fieldsets = (
        fieldset(None, "display_name", "description", ("engagement", "flow_type")),
        fieldset("State", ("status", "current_phase"), ("user", "completed_at"), "phase_history"),
        fieldset("Data", "config", "state", "execution_metrics", collapse=True),
    )


@admin.register(DiscoveryFlow)
class DiscoveryFlowAdmin(PhaseFlowAdmin):
    icon = "travel_explore"
    title = "Discovery"
    position = 110
    list_filter = ("status", "discovery_type")
    own_fieldsets = (
        fieldset("Discovery", "discovery_type", "target_platforms", "discovery_scope", "phases"),
        fieldset("Results", "discovered_assets_count", "discovered_patterns", "recommendations"),
    )


@admin.register(CollectionFlow)
class CollectionFlowAdmin(PhaseFlowAdmin):
    icon = "inventory"
    title = "Collection"
    position = 120
    list_filter = ("status", "automation_tier")
    own_fieldsets = (
        fieldset("Collection", ("discovery_flow", "automation_tier"), "collection_methods", "target_systems"),
        fieldset("Progress", ("progress_percentage", "completeness_percentage", "data_quality_score")),
        fieldset(
            "Results",
            ("total_items_collected", "items_processed", "items_failed"),
            "validation_errors_count",
            "recommendations",
        ),
    )


@admin.register(AssessmentFlow)
class AssessmentFlowAdmin(PhaseFlowAdmin):
    icon = "rule"
    title = "Assessment"
    position = 130
    list_filter = ("status", "assessment_type", "assessment_framework")
    own_fieldsets = (
        fieldset(
            "Assessment", "discovery_flow", ("assessment_type", "assessment_framework"), "stages_completed"
        ),
        fieldset(
            "Results",
            ("technical_debt_score", "complexity_score"),
            ("risk_score", "readiness_score"),
            "recommendations",
        ),
    )


@admin.register(PlanningFlow)
class PlanningFlowAdmin(PhaseFlowAdmin):
    icon = "event_note"
    title = "Planning"
    position = 140
    own_fieldsets = (
        fieldset("Plan", "assessment_flow", ("planned_start", "planned_end"), "waves"),
        fieldset("Results", ("wave_count", "planned_assets_count", "progress_percentage"), "recommendations"),
    )


@admin.register(ExecutionFlow)
class ExecutionFlowAdmin(PhaseFlowAdmin):
    icon = "moving"
    title = "Execution"
    position = 150
    own_fieldsets = (
        fieldset("Move", ("planning_flow", "current_wave")),
        fieldset("Progress", ("assets_total", "assets_migrated", "assets_failed"), "progress_percentage"),
        fieldset("Results", "issues", "recommendations"),
    )
