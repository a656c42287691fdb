"""Migration flows: a master flow and one flow per phase."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from config.db.constraints import unique_per_tenant
from config.db.ids import uuid7
from config.db.json_schema import validate_row_schemas
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from workflows import schemas
from workflows.choices import (
    AssessmentFramework,
    AssessmentType,
    AutomationTier,
    DiscoveryType,
    FlowStatus,
    FlowType,
)
from workflows.constraints import PERCENT, choices_check, order_check, range_check

DISCOVERY_PHASES = (
    "initialization",
    "agent_loading",
    "environment_scanning",
    "data_collection",
    "analysis",
    "reporting",
)


def discovery_phases() -> dict[str, Any]:
    """Return the phases of a discovery flow that has not started."""
    return {phase: {"status": "pending"} for phase in DISCOVERY_PHASES}


class EngagementFlow(TenantModel):
    """Base of the flows of an engagement, which cannot be deleted while it has flows."""

    engagement = TenantForeignKey(
        "tenants.Engagement",
        models.RESTRICT,
        related_name="%(class)ss",
        help_text="Engagement of the flow.",
    )
    user = MemberForeignKey(help_text="User who started the flow.", editable=False)
    status = models.CharField(
        max_length=50,
        choices=FlowStatus,
        default=FlowStatus.INITIALIZED,
        db_default=FlowStatus.INITIALIZED,
        help_text="Flow status.",
    )
    current_phase = models.CharField(max_length=100, blank=True, default="", help_text="Current phase.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="End time.")

    class Meta(TenantModel.Meta):
        abstract = True
        indexes = [
            models.Index(fields=["tenant", "engagement", "-id"], name="wf_%(class)s_eng"),
            models.Index(fields=["tenant", "user"], name="wf_%(class)s_user"),
            models.Index(fields=["tenant", "status"], name="wf_%(class)s_status"),
        ]
        constraints = [choices_check("status", FlowStatus)]


class MasterFlow(EngagementFlow):
    """A flow that leads an engagement through its phases and records their history."""

    json_schemas = {"phase_history": schemas.PhaseHistory}

    audit_omit = ("state", "execution_metrics")

    flow_type = models.CharField(
        max_length=50, choices=FlowType, default=FlowType.DISCOVERY, help_text="First phase."
    )
    display_name = models.CharField(max_length=255, blank=True, default="", help_text="Display name.")
    description = models.TextField(blank=True, default="", help_text="Goals of the flow.")
    config = models.JSONField(default=dict, db_default={}, blank=True, help_text="Settings.")
    state = models.JSONField(null=True, blank=True, help_text="Runtime state of the agent crew.")
    phase_history = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text='Past phases, oldest first: [{"phase": "discovery", "status": "completed"}].',
    )
    execution_metrics = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Times, tokens and counts."
    )

    class Meta(EngagementFlow.Meta):
        indexes = [
            *EngagementFlow.Meta.indexes,
            GinIndex(fields=["execution_metrics"], name="wf_masterflow_metrics"),
        ]
        constraints = [*EngagementFlow.Meta.constraints, choices_check("flow_type", FlowType)]

    def __str__(self) -> str:
        return self.display_name or f"{self.get_flow_type_display()} flow"

    def clean(self) -> None:
        super().clean()
        validate_row_schemas(self)


class PhaseFlow(EngagementFlow):
    """Base of phase flows, with or without a master flow."""

    flow_id = models.UUIDField(default=uuid7, help_text="ID of the flow in the agent crew runtime.")
    master_flow = TenantForeignKey(
        MasterFlow,
        models.SET_NULL,
        related_name="%(class)ss",
        help_text="Master flow of this phase.",
    )
    recommendations = models.JSONField(default=list, db_default=[], blank=True, help_text="Recommendations.")

    class Meta(EngagementFlow.Meta):
        abstract = True
        indexes = [
            *EngagementFlow.Meta.indexes,
            models.Index(fields=["tenant", "master_flow"], name="wf_%(class)s_master"),
        ]
        constraints = [
            *EngagementFlow.Meta.constraints,
            unique_per_tenant(
                "flow_id", suffix="flow_id_once", message="A flow with this ID already exists."
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {str(self.flow_id)[-12:]}: {self.status}".capitalize()


class DiscoveryFlow(PhaseFlow):
    """A discovery flow, which takes inventory of existing assets."""

    json_schemas = {"phases": schemas.Phases}

    discovery_type = models.CharField(
        max_length=50,
        choices=DiscoveryType,
        default=DiscoveryType.AUTOMATED,
        db_default=DiscoveryType.AUTOMATED,
        help_text="Method.",
    )
    target_platforms = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Platforms to discover."
    )
    discovery_scope = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Included and excluded items."
    )
    phases = models.JSONField(
        default=discovery_phases,
        db_default=discovery_phases(),
        blank=True,
        help_text='Status of each phase: {"analysis": {"status": "pending"}}.',
    )
    discovered_assets_count = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Number of assets."
    )
    discovered_patterns = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Detected patterns."
    )

    class Meta(PhaseFlow.Meta):
        constraints = [*PhaseFlow.Meta.constraints, choices_check("discovery_type", DiscoveryType)]

    __str__ = PhaseFlow.__str__

    def clean(self) -> None:
        super().clean()
        validate_row_schemas(self)


class CollectionFlow(PhaseFlow):
    """A collection flow, which gathers data for the assessment."""

    discovery_flow = TenantForeignKey(
        DiscoveryFlow, models.SET_NULL, related_name="collection_flows", help_text="Preceding discovery flow."
    )
    automation_tier = models.CharField(
        max_length=20, choices=AutomationTier, blank=True, default="", help_text="Degree of automation."
    )
    collection_methods = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Collection methods."
    )
    target_systems = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Systems to collect from."
    )
    progress_percentage = models.FloatField(
        default=0, db_default=0, validators=PERCENT, help_text="Progress in percent."
    )
    data_quality_score = models.FloatField(
        null=True,
        blank=True,
        help_text="Data quality, on the scale of the source: from 0 to 1, or in percent.",
    )
    completeness_percentage = models.FloatField(
        null=True, blank=True, validators=PERCENT, help_text="Completeness of the data in percent."
    )
    validation_errors_count = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Number of invalid values."
    )
    total_items_collected = models.PositiveIntegerField(default=0, db_default=0, help_text="Number of items.")
    items_processed = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Number of processed items."
    )
    items_failed = models.PositiveIntegerField(default=0, db_default=0, help_text="Number of failed items.")

    class Meta(PhaseFlow.Meta):
        indexes = [
            *PhaseFlow.Meta.indexes,
            models.Index(fields=["tenant", "discovery_flow"], name="wf_collectionflow_discovery"),
        ]
        constraints = [
            *PhaseFlow.Meta.constraints,
            choices_check("automation_tier", AutomationTier, blank=True),
            range_check("progress_percentage", 0, 100),
            range_check("completeness_percentage", 0, 100),
        ]

    __str__ = PhaseFlow.__str__


class AssessmentFlow(PhaseFlow):
    """An assessment flow: technical debt, complexity, risk and readiness."""

    discovery_flow = TenantForeignKey(
        DiscoveryFlow, models.SET_NULL, related_name="assessment_flows", help_text="Preceding discovery flow."
    )
    status = models.CharField(
        max_length=50,
        choices=FlowStatus,
        default=FlowStatus.PENDING,
        db_default=FlowStatus.PENDING,
        help_text="Flow status.",
    )
    assessment_type = models.CharField(
        max_length=50, choices=AssessmentType, blank=True, default="", help_text="Type of assessment."
    )
    assessment_framework = models.CharField(
        max_length=50, choices=AssessmentFramework, blank=True, default="", help_text="Framework."
    )
    stages_completed = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Completed stages."
    )
    technical_debt_score = models.FloatField(
        null=True, blank=True, help_text="Technical debt, on the scale of the framework; 0 is none."
    )
    complexity_score = models.FloatField(
        null=True, blank=True, help_text="Complexity, on the scale of the framework; 0 is the simplest."
    )
    risk_score = models.FloatField(
        null=True, blank=True, help_text="Risk, on the scale of the framework; 0 is none."
    )
    readiness_score = models.FloatField(
        null=True, blank=True, help_text="Migration readiness, on the scale of the framework; 0 is not ready."
    )

    class Meta(PhaseFlow.Meta):
        indexes = [
            *PhaseFlow.Meta.indexes,
            models.Index(fields=["tenant", "discovery_flow"], name="wf_assessmentflow_discovery"),
        ]
        constraints = [
            *PhaseFlow.Meta.constraints,
            choices_check("assessment_type", AssessmentType, blank=True),
            choices_check("assessment_framework", AssessmentFramework, blank=True),
        ]

    __str__ = PhaseFlow.__str__


class PlanningFlow(PhaseFlow):
    """A planning flow: waves, dates and effort."""

    assessment_flow = TenantForeignKey(
        AssessmentFlow, models.SET_NULL, related_name="planning_flows", help_text="Preceding assessment flow."
    )
    waves = models.JSONField(
        default=list, blank=True, help_text='Waves in order: [{"wave": 1, "name": "Pilot", "assets": 12}].'
    )
    wave_count = models.PositiveIntegerField(default=0, help_text="Number of waves.")
    planned_assets_count = models.PositiveIntegerField(default=0, help_text="Number of planned assets.")
    planned_start = models.DateField(null=True, blank=True, help_text="First day of the migration.")
    planned_end = models.DateField(null=True, blank=True, help_text="Last day of the migration.")
    progress_percentage = models.FloatField(default=0, validators=PERCENT, help_text="Progress in percent.")

    class Meta(PhaseFlow.Meta):
        indexes = [
            *PhaseFlow.Meta.indexes,
            models.Index(fields=["tenant", "assessment_flow"], name="wf_planningflow_assessment"),
        ]
        constraints = [
            *PhaseFlow.Meta.constraints,
            range_check("progress_percentage", 0, 100),
            order_check("planned_start", "planned_end"),
        ]

    __str__ = PhaseFlow.__str__


class ExecutionFlow(PhaseFlow):
    """An execution flow, which carries out the plan wave by wave."""

    planning_flow = TenantForeignKey(
        PlanningFlow, models.SET_NULL, related_name="execution_flows", help_text="Preceding planning flow."
    )
    current_wave = models.PositiveIntegerField(null=True, blank=True, help_text="Current wave.")
    assets_total = models.PositiveIntegerField(default=0, help_text="Number of assets.")
    assets_migrated = models.PositiveIntegerField(default=0, help_text="Number of migrated assets.")
    assets_failed = models.PositiveIntegerField(default=0, help_text="Number of failed assets.")
    progress_percentage = models.FloatField(default=0, validators=PERCENT, help_text="Progress in percent.")
    issues = models.JSONField(default=list, blank=True, help_text="Issues.")

    class Meta(PhaseFlow.Meta):
        indexes = [
            *PhaseFlow.Meta.indexes,
            models.Index(fields=["tenant", "planning_flow"], name="wf_executionflow_planning"),
        ]
        constraints = [*PhaseFlow.Meta.constraints, range_check("progress_percentage", 0, 100)]

    __str__ = PhaseFlow.__str__
