"""Enumerated values of workflows."""

from django.db.models import TextChoices


class WorkflowStatus(TextChoices):
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class RunOutcome(TextChoices):
    SUCCESS = "success"
    FAILED = "failed"
    PARTIAL = "partial"


class StepKind(TextChoices):
    AGENT = "agent"
    EXPERT_GROUP = "expert_group"
    TOOL = "tool"
    MCP = "mcp"
    RETRIEVAL = "retrieval"
    HTTP = "http"
    CONDITION = "condition"
    SWITCH = "switch"
    MAP = "map"
    JOIN = "join"
    DELAY = "delay"
    WAIT_EVENT = "wait_event"
    APPROVAL = "approval"
    FORM = "form"
    TRANSFORM = "transform"
    WORKFLOW = "workflow"
    EMIT = "emit"


class TriggerType(TextChoices):
    MANUAL = "manual"
    SCHEDULED = "scheduled"
    WEBHOOK = "webhook"
    EVENT = "event"


class MisfirePolicy(TextChoices):
    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class OverlapPolicy(TextChoices):
    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_RUNNING = "cancel_running"


class WebhookScheme(TextChoices):
    STANDARD_WEBHOOKS = "standard-webhooks"
    GITHUB = "github"


class FiringStatus(TextChoices):
    STARTED = "started"
    QUEUED = "queued"
    SKIPPED = "skipped"
    FAILED = "failed"


class ExecutionStatus(TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_RUNS = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})


class MapItemStatus(TextChoices):
    COMPLETED = "completed"
    FAILED = "failed"


class LaneStatus(TextChoices):
    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"


class RunEventKind(TextChoices):
    RUN_STARTED = "run.started"
    RUN_WAITING = "run.waiting"
    RUN_RESUMED = "run.resumed"
    RUN_PAUSED = "run.paused"
    RUN_COMPENSATING = "run.compensating"
    RUN_COMPLETED = "run.completed"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"
    RUN_REDRIVEN = "run.redriven"
    STEP_WAITING = "step.waiting"
    STEP_RETRIED = "step.retried"
    STEP_COMPLETED = "step.completed"
    STEP_FAILED = "step.failed"
    STEP_SKIPPED = "step.skipped"


class StepStatus(TextChoices):
    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class ApprovalStatus(TextChoices):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Decision(TextChoices):
    APPROVED = "approved"
    REJECTED = "rejected"


class DecisionChannel(TextChoices):
    API = "api", "API"
    CONSOLE = "console"
    LINK = "link"


class RejectionRule(TextChoices):
    FAIL = "fail"
    BRANCH = "branch"


class FlowType(TextChoices):
    DISCOVERY = "discovery"
    COLLECTION = "collection"
    ASSESSMENT = "assessment"
    PLANNING = "planning"
    EXECUTION = "execution"


class FlowStatus(TextChoices):
    PENDING = "pending"
    INITIALIZED = "initialized"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DiscoveryType(TextChoices):
    AUTOMATED = "automated"
    MANUAL = "manual"
    HYBRID = "hybrid"


class AutomationTier(TextChoices):
    TIER_1 = "tier_1"
    TIER_2 = "tier_2"
    TIER_3 = "tier_3"
    TIER_4 = "tier_4"


class AssessmentType(TextChoices):
    TECHNICAL = "technical"
    BUSINESS = "business"
    SECURITY = "security"


class AssessmentFramework(TextChoices):
    SIX_R = "6R", "6R"
    CUSTOM = "custom"


class AssetType(TextChoices):
    SERVER = "server"
    APPLICATION = "application"
    DATABASE = "database"
    SERVICE = "service"
    NETWORK = "network"
    STORAGE = "storage"


class Environment(TextChoices):
    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"
    TEST = "test"
    DR = "dr", "Disaster recovery"


class Criticality(TextChoices):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class SixR(TextChoices):
    REHOST = "rehost"
    REPLATFORM = "replatform"
    REFACTOR = "refactor"
    REPURCHASE = "repurchase"
    RETIRE = "retire"
    RETAIN = "retain"
    REWRITE = "rewrite"


class DependencyType(TextChoices):
    RUNTIME = "runtime"
    COMPILE = "compile"
    NETWORK = "network"
    DATA = "data"


class Direction(TextChoices):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    BIDIRECTIONAL = "bidirectional"


class Strength(TextChoices):
    WEAK = "weak"
    STRONG = "strong"
    CRITICAL = "critical"


class DiscoveredBy(TextChoices):
    AGENT = "agent"
    MANUAL = "manual"
    IMPORT = "import"


class AgentTaskStatus(TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class InsightType(TextChoices):
    FIELD_MAPPING_SUGGESTION = "field_mapping_suggestion"
    RISK_PATTERN = "risk_pattern"
    OPTIMIZATION_OPPORTUNITY = "optimization_opportunity"
    ANOMALY_DETECTION = "anomaly_detection"
    WORKFLOW_IMPROVEMENT = "workflow_improvement"


class ProjectStatus(TextChoices):
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class TaskStatus(TextChoices):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class MemberAccess(TextChoices):
    READ = "read"
    WRITE = "write"


class TaskPriority(TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


class TaskType(TextChoices):
    GENERAL = "general"
    CODING = "coding"
    RESEARCH = "research"
    PLANNING = "planning"
    REVIEW = "review"
    MEETING = "meeting"


class Difficulty(TextChoices):
    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"
    EXPERT = "expert"


class EventCategory(TextChoices):
    DEFAULT = "default"
    WORK = "work"
    MEETING = "meeting"
    FOCUS = "focus"
    PERSONAL = "personal"
    FAMILY = "family"
    HEALTH = "health"
    SOCIAL = "social"
    TRAVEL = "travel"
    LEARNING = "learning"
