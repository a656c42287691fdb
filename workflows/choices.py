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
    TOOL = "tool"
    CONDITION = "condition"
    APPROVAL = "approval"
    WAIT = "wait"
    WORKFLOW = "workflow"


class TriggerType(TextChoices):
    MANUAL = "manual"
    SCHEDULED = "scheduled"
    WEBHOOK = "webhook"
    EVENT = "event"


class ExecutionStatus(TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepStatus(TextChoices):
    PENDING = "pending"
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
