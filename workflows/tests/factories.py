"""Factories of workflows."""

import datetime as dt

import factory

from accounts.tests.factories import MembershipFactory
from agents.tests.factories import AgentFactory
from config.db.ids import uuid7
from config.testing.factories import BaseFactory, ReportFactory, member_user
from tenants.tests.factories import EngagementFactory
from workflows import models
from workflows.tests.checkpoint_factories import (  # noqa: F401 (found here by the registry)
    GraphChannelValueFactory,
    GraphCheckpointFactory,
    GraphWriteFactory,
)
from workflows.tests.engine_factories import (  # noqa: F401 (found here by the registry)
    MapItemFactory,
    MapRangeFactory,
    MapStateFactory,
    WorkflowEventFactory,
    WorkflowGateFactory,
    WorkflowLaneFactory,
)

MOMENT = dt.datetime(2026, 5, 4, 9, tzinfo=dt.UTC)
STEPS = [
    {"id": "draft", "kind": "agent", "agent": "writer"},
    {"id": "review", "kind": "approval", "prompt": "Publish this?"},
]


def _vector(place):
    """A unit vector of 1,536 numbers."""
    return [1.0 if index == place % 1536 else 0.0 for index in range(1536)]


class WorkflowFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Workflow {n}")
    slug = factory.Sequence(lambda n: f"workflow-{n}")
    definition = factory.LazyFunction(lambda: {"steps": STEPS})
    retry_config = factory.LazyFunction(lambda: {"maximum_attempts": 3, "initial_interval": 1})
    created_by = factory.LazyFunction(member_user)

    class Meta:
        model = models.Workflow


class WorkflowAgentFactory(BaseFactory):
    workflow = factory.SubFactory(WorkflowFactory)
    agent = factory.SubFactory(AgentFactory)

    class Meta:
        model = models.WorkflowAgent


class WorkflowVersionFactory(BaseFactory):
    workflow = factory.SubFactory(WorkflowFactory)
    version = factory.Sequence(lambda n: n + 1)
    snapshot = factory.LazyAttribute(lambda row: {"definition": row.workflow.definition})

    class Meta:
        model = models.WorkflowVersion


class WorkflowTriggerFactory(BaseFactory):
    workflow = factory.SubFactory(WorkflowFactory)
    name = factory.Sequence(lambda n: f"Trigger {n}")
    trigger_type = "webhook"
    config = factory.LazyFunction(lambda: {"scheme": "standard-webhooks"})
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    class Meta:
        model = models.WorkflowTrigger


class WorkflowExecutionFactory(BaseFactory):
    workflow = factory.SubFactory(WorkflowFactory)
    user = factory.LazyFunction(member_user)
    status = "running"
    current_step = "draft"
    steps_total = 2
    input_data = factory.LazyFunction(lambda: {"topic": "partitions"})

    class Meta:
        model = models.WorkflowExecution


class TriggerFiringFactory(BaseFactory):
    trigger = factory.SubFactory(WorkflowTriggerFactory)
    key = factory.Sequence(lambda n: f"msg_{n}")

    class Meta:
        model = models.TriggerFiring


class WorkflowRunsDailyFactory(ReportFactory):
    class Meta:
        model = models.WorkflowRunsDaily

    @classmethod
    def counted(cls, **values):
        return {"workflow_id": WorkflowExecutionFactory(**values).workflow_id}


class StepExecutionFactory(BaseFactory):
    execution = factory.SubFactory(WorkflowExecutionFactory)
    step_id = "draft"
    kind = "agent"
    attempt = factory.Sequence(lambda n: n + 1)

    class Meta:
        model = models.StepExecution


class ApprovalFactory(BaseFactory):
    step = factory.SubFactory(StepExecutionFactory, step_id="review", kind="approval", status="waiting")
    prompt = "Publish this?"
    candidate_roles = factory.LazyFunction(lambda: ["admin"])

    class Meta:
        model = models.Approval


class ApprovalAssigneeFactory(BaseFactory):
    approval = factory.SubFactory(ApprovalFactory)
    user = factory.LazyFunction(member_user)

    class Meta:
        model = models.ApprovalAssignee


class ApprovalDecisionFactory(BaseFactory):
    approval = factory.SubFactory(ApprovalFactory)
    user = factory.LazyFunction(member_user)
    decision = "approved"
    channel = "api"

    class Meta:
        model = models.ApprovalDecision


class ApprovalLinkFactory(BaseFactory):
    approval = factory.SubFactory(ApprovalFactory)
    user = factory.LazyFunction(member_user)
    token_digest = factory.LazyFunction(lambda: uuid7().bytes)
    expires_at = MOMENT

    class Meta:
        model = models.ApprovalLink


class MasterFlowFactory(BaseFactory):
    engagement = factory.SubFactory(EngagementFactory)
    user = factory.LazyFunction(member_user)
    display_name = factory.Sequence(lambda n: f"Migration {n}")
    status = "running"
    current_phase = "discovery"
    phase_history = factory.LazyFunction(lambda: [{"phase": "discovery", "status": "running"}])

    class Meta:
        model = models.MasterFlow


class DiscoveryFlowFactory(BaseFactory):
    master_flow = factory.SubFactory(MasterFlowFactory)
    engagement = factory.SelfAttribute("master_flow.engagement")
    user = factory.LazyFunction(member_user)
    target_platforms = factory.LazyFunction(lambda: ["vmware"])

    class Meta:
        model = models.DiscoveryFlow


class CollectionFlowFactory(BaseFactory):
    discovery_flow = factory.SubFactory(DiscoveryFlowFactory)
    master_flow = factory.SelfAttribute("discovery_flow.master_flow")
    engagement = factory.SelfAttribute("discovery_flow.engagement")
    automation_tier = "tier_2"
    progress_percentage = 40

    class Meta:
        model = models.CollectionFlow


class AssessmentFlowFactory(BaseFactory):
    discovery_flow = factory.SubFactory(DiscoveryFlowFactory)
    master_flow = factory.SelfAttribute("discovery_flow.master_flow")
    engagement = factory.SelfAttribute("discovery_flow.engagement")
    assessment_type = "technical"
    assessment_framework = "6R"
    risk_score = 0.25

    class Meta:
        model = models.AssessmentFlow


class PlanningFlowFactory(BaseFactory):
    assessment_flow = factory.SubFactory(AssessmentFlowFactory)
    master_flow = factory.SelfAttribute("assessment_flow.master_flow")
    engagement = factory.SelfAttribute("assessment_flow.engagement")
    waves = factory.LazyFunction(lambda: [{"wave": 1, "name": "Pilot", "assets": 12}])
    wave_count = 1
    planned_assets_count = 12

    class Meta:
        model = models.PlanningFlow


class ExecutionFlowFactory(BaseFactory):
    planning_flow = factory.SubFactory(PlanningFlowFactory)
    master_flow = factory.SelfAttribute("planning_flow.master_flow")
    engagement = factory.SelfAttribute("planning_flow.engagement")
    current_wave = 1
    assets_total = 12

    class Meta:
        model = models.ExecutionFlow


class AssetFactory(BaseFactory):
    engagement = factory.SubFactory(EngagementFactory)
    asset_name = factory.Sequence(lambda n: f"Server {n}")
    hostname = factory.Sequence(lambda n: f"srv{n}")
    ip_address = factory.Sequence(lambda n: f"10.0.{n // 250 % 250}.{n % 250 + 1}")
    environment = "production"
    business_criticality = "high"
    technology_stack = factory.LazyFunction(lambda: ["linux", "postgresql"])
    cpu_cores = 8
    memory_gb = 32

    class Meta:
        model = models.Asset


class AssetEmbeddingFactory(BaseFactory):
    id = factory.LazyFunction(lambda: AssetFactory().pk)
    embedding_model = "test-1536"
    embedding = factory.Sequence(_vector)

    class Meta:
        model = models.AssetEmbedding


class AssetDependencyFactory(BaseFactory):
    source = factory.SubFactory(AssetFactory)
    target = factory.SubFactory(AssetFactory, engagement=factory.SelfAttribute("..source.engagement"))
    dependency_type = "network"

    class Meta:
        model = models.AssetDependency


class AgentTaskFactory(BaseFactory):
    flow_id = factory.LazyFunction(uuid7)
    flow_type = "discovery"
    master_flow = factory.SubFactory(MasterFlowFactory)
    agent_name = "scanner"
    task_type = "scan"
    status = "completed"
    started_at = MOMENT
    completed_at = MOMENT + dt.timedelta(seconds=12)
    duration_seconds = 12
    tokens_used = 900

    class Meta:
        model = models.AgentTask


class AgentPerformanceDailyFactory(BaseFactory):
    date = factory.Sequence(lambda n: MOMENT.date() - dt.timedelta(days=n))
    agent_name = "scanner"
    flow_type = "discovery"
    total_tasks = 10
    successful_tasks = 9
    failed_tasks = 1
    p50_duration_seconds = 8
    p95_duration_seconds = 20
    p99_duration_seconds = 31
    error_rate = 0.1

    class Meta:
        model = models.AgentPerformanceDaily


class AgentLearningPatternFactory(BaseFactory):
    insight_type = "risk_pattern"
    embedding = factory.Sequence(_vector)
    raw_evidence = factory.LazyFunction(lambda: {"seen": "no backup"})
    confidence_score = 0.75
    discovered_by = "scanner"

    class Meta:
        model = models.AgentLearningPattern


class ActivityTypeFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Kind {n}")

    class Meta:
        model = models.ActivityType


class ActivityStatusFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"State {n}")

    class Meta:
        model = models.ActivityStatus


class ActivityFactory(BaseFactory):
    name = factory.Sequence(lambda n: f"Activity {n}")
    activity_type = factory.SubFactory(ActivityTypeFactory)
    status = factory.SubFactory(ActivityStatusFactory)
    start_date = MOMENT.date()

    class Meta:
        model = models.Activity


class ActivityAssignmentFactory(BaseFactory):
    activity = factory.SubFactory(ActivityFactory)
    user = factory.LazyFunction(member_user)
    role = "lead"

    class Meta:
        model = models.ActivityAssignment


class ProjectFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    name = factory.Sequence(lambda n: f"Project {n}")
    programming_language = "python"
    repository_url = "https://git.example.com/project"

    class Meta:
        model = models.Project


class ProjectMemberFactory(BaseFactory):
    project = factory.SubFactory(ProjectFactory)
    user = factory.LazyFunction(lambda: MembershipFactory().user)

    class Meta:
        model = models.ProjectMember


class TaskFactory(BaseFactory):
    project = factory.SubFactory(ProjectFactory)
    user = factory.SelfAttribute("project.user")
    title = factory.Sequence(lambda n: f"Task {n}")
    task_type = "coding"
    estimated_hours = 3

    class Meta:
        model = models.Task


class CalendarFactory(BaseFactory):
    user = factory.LazyFunction(member_user)
    name = factory.Sequence(lambda n: f"Calendar {n}")

    class Meta:
        model = models.Calendar


class CalendarMemberFactory(BaseFactory):
    calendar = factory.SubFactory(CalendarFactory)
    user = factory.LazyFunction(lambda: MembershipFactory().user)

    class Meta:
        model = models.CalendarMember


class CalendarEventFactory(BaseFactory):
    calendar = factory.SubFactory(CalendarFactory)
    summary = factory.Sequence(lambda n: f"Event {n}")
    start_time = MOMENT
    end_time = MOMENT + dt.timedelta(hours=1)
    category = "work"
    attendees = factory.LazyFunction(lambda: [{"email": "ada@example.com", "name": "Ada"}])

    class Meta:
        model = models.CalendarEvent
