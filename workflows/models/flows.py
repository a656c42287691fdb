"""Migration flows: a master flow and one flow per phase."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db import models

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
from workflows.constraints import PERCENT, SHARE, choices_check, order_check, range_check, unique_per_tenant

DISCOVERY_PHASES = (
    "initialization",
    "agent_loading",
    "environment_scanning",
    "data_collection",
    "analysis",
    "reporting",
)


def discovery_phases() -> dict[str, Any]:
    """Return the phases of a discovery that has not started."""
    return {phase: {"status": "pending"} for phase in DISCOVERY_PHASES}


class EngagementFlow(TenantModel):
    """Base of flows of an engagement, which cannot be deleted while it has flows."""

    engagement = TenantForeignKey(
        "tenants.Engagement",
        models.RESTRICT,
        related_name="%(class)ss",
        help_text="Project that it belongs to.",
    )
    user = MemberForeignKey(help_text="Who started it.", editable=False)
    status = models.CharField(
        max_length=50, choices=FlowStatus, default=FlowStatus.INITIALIZED, help_text="Where it stands."
    )
    current_phase = models.CharField(max_length=100, blank=True, default="", help_text="Phase at work.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When it ended.")

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
        max_length=50, choices=FlowType, default=FlowType.DISCOVERY, help_text="Phase that it begins with."
    )
    display_name = models.CharField(max_length=255, blank=True, default="", help_text="Name shown to people.")
    description = models.TextField(blank=True, default="", help_text="Goal and extent.")
    config = models.JSONField(default=dict, blank=True, help_text="Settings.")
    state = models.JSONField(null=True, blank=True, help_text="State of the crew of agents at work.")
    phase_history = models.JSONField(
        default=list,
        blank=True,
        help_text='Phases gone through, oldest first: [{"phase": "discovery", "status": "completed"}].',
    )
    execution_metrics = models.JSONField(default=dict, blank=True, help_text="Times, tokens, counts.")

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

    flow_id = models.UUIDField(default=uuid7, help_text="Its id in the runtime of the crew of agents.")
    master_flow = TenantForeignKey(
        MasterFlow,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="%(class)ss",
        help_text="Flow that it is a phase of.",
    )
    recommendations = models.JSONField(default=list, blank=True, help_text="What it advises.")

    class Meta(EngagementFlow.Meta):
        abstract = True
        indexes = [
            *EngagementFlow.Meta.indexes,
            models.Index(fields=["tenant", "master_flow"], name="wf_%(class)s_master"),
        ]
        constraints = [
            *EngagementFlow.Meta.constraints,
            unique_per_tenant("flow_id", name="flow_id_once", message="A flow with this id exists already."),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {str(self.flow_id)[-12:]}: {self.status}".capitalize()


class DiscoveryFlow(PhaseFlow):
    """A discovery flow, which takes inventory of existing assets."""

    json_schemas = {"phases": schemas.Phases}

    discovery_type = models.CharField(
        max_length=50, choices=DiscoveryType, default=DiscoveryType.AUTOMATED, help_text="Way of searching."
    )
    target_platforms = models.JSONField(default=list, blank=True, help_text="Platforms to look at.")
    discovery_scope = models.JSONField(default=dict, blank=True, help_text="What to look at, and what not.")
    phases = models.JSONField(
        default=discovery_phases,
        blank=True,
        help_text='Where each phase stands: {"analysis": {"status": "pending"}}.',
    )
    discovered_assets_count = models.PositiveIntegerField(default=0, help_text="Assets found.")
    discovered_patterns = models.JSONField(default=list, blank=True, help_text="Patterns found.")

    class Meta(PhaseFlow.Meta):
        constraints = [*PhaseFlow.Meta.constraints, choices_check("discovery_type", DiscoveryType)]

    __str__ = PhaseFlow.__str__

    def clean(self) -> None:
        super().clean()
        validate_row_schemas(self)


class CollectionFlow(PhaseFlow):
    """A collection flow, which gathers data for the assessment."""

    discovery_flow = TenantForeignKey(
        DiscoveryFlow,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="collection_flows",
        help_text="Discovery that it follows.",
    )
    automation_tier = models.CharField(
        max_length=20, choices=AutomationTier, blank=True, default="", help_text="How much goes by itself."
    )
    collection_methods = models.JSONField(default=list, blank=True, help_text="Ways of gathering.")
    target_systems = models.JSONField(default=list, blank=True, help_text="Systems to gather from.")
    progress_percentage = models.FloatField(
        default=0, validators=PERCENT, help_text="Progress, from 0 to 100."
    )
    data_quality_score = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Quality of the data, from 0 to 1."
    )
    completeness_percentage = models.FloatField(
        null=True, blank=True, validators=PERCENT, help_text="How complete the data are, from 0 to 100."
    )
    validation_errors_count = models.PositiveIntegerField(default=0, help_text="Values found wrong.")
    total_items_collected = models.PositiveIntegerField(default=0, help_text="Items gathered.")
    items_processed = models.PositiveIntegerField(default=0, help_text="Items worked through.")
    items_failed = models.PositiveIntegerField(default=0, help_text="Items that failed.")

    class Meta(PhaseFlow.Meta):
        indexes = [
            *PhaseFlow.Meta.indexes,
            models.Index(fields=["tenant", "discovery_flow"], name="wf_collectionflow_discovery"),
        ]
        constraints = [
            *PhaseFlow.Meta.constraints,
            choices_check("automation_tier", AutomationTier, blank=True),
            range_check("progress_percentage", 0, 100),
            range_check("data_quality_score", 0, 1),
            range_check("completeness_percentage", 0, 100),
        ]

    __str__ = PhaseFlow.__str__


class AssessmentFlow(PhaseFlow):
    """An assessment flow: technical debt, complexity, risk and readiness."""

    discovery_flow = TenantForeignKey(
        DiscoveryFlow,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="assessment_flows",
        help_text="Discovery that it judges.",
    )
    status = models.CharField(
        max_length=50, choices=FlowStatus, default=FlowStatus.PENDING, help_text="Where it stands."
    )
    assessment_type = models.CharField(
        max_length=50, choices=AssessmentType, blank=True, default="", help_text="What it looks at."
    )
    assessment_framework = models.CharField(
        max_length=50, choices=AssessmentFramework, blank=True, default="", help_text="By which rules."
    )
    stages_completed = models.JSONField(default=list, blank=True, help_text="Stages that are done.")
    technical_debt_score = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Technical debt, from 0 (none) to 1."
    )
    complexity_score = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Complexity, from 0 to 1."
    )
    risk_score = models.FloatField(null=True, blank=True, validators=SHARE, help_text="Risk, from 0 to 1.")
    readiness_score = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Readiness to migrate, from 0 to 1."
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
            range_check("technical_debt_score", 0, 1),
            range_check("complexity_score", 0, 1),
            range_check("risk_score", 0, 1),
            range_check("readiness_score", 0, 1),
        ]

    __str__ = PhaseFlow.__str__


class PlanningFlow(PhaseFlow):
    """A planning flow: waves, dates and effort."""

    assessment_flow = TenantForeignKey(
        AssessmentFlow,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="planning_flows",
        help_text="Assessment that it rests on.",
    )
    waves = models.JSONField(
        default=list, blank=True, help_text='Waves in order: [{"wave": 1, "name": "Pilot", "assets": 12}].'
    )
    wave_count = models.PositiveIntegerField(default=0, help_text="Waves planned.")
    planned_assets_count = models.PositiveIntegerField(default=0, help_text="Assets planned.")
    planned_start = models.DateField(null=True, blank=True, help_text="First day of the move.")
    planned_end = models.DateField(null=True, blank=True, help_text="Last day of the move.")
    progress_percentage = models.FloatField(
        default=0, validators=PERCENT, help_text="Progress, from 0 to 100."
    )

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
        PlanningFlow,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="execution_flows",
        help_text="Plan that it carries out.",
    )
    current_wave = models.PositiveIntegerField(null=True, blank=True, help_text="Wave at work, from 1.")
    assets_total = models.PositiveIntegerField(default=0, help_text="Assets to move.")
    assets_migrated = models.PositiveIntegerField(default=0, help_text="Assets moved.")
    assets_failed = models.PositiveIntegerField(default=0, help_text="Assets that could not be moved.")
    progress_percentage = models.FloatField(
        default=0, validators=PERCENT, help_text="Progress, from 0 to 100."
    )
    issues = models.JSONField(default=list, blank=True, help_text="What went wrong.")

    class Meta(PhaseFlow.Meta):
        indexes = [
            *PhaseFlow.Meta.indexes,
            models.Index(fields=["tenant", "planning_flow"], name="wf_executionflow_planning"),
        ]
        constraints = [*PhaseFlow.Meta.constraints, range_check("progress_percentage", 0, 100)]

    __str__ = PhaseFlow.__str__
