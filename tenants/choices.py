"""Enumerated values of tenants."""

from django.db.models import TextChoices


class TenantStatus(TextChoices):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class DeletionStatus(TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"


class PlanType(TextChoices):
    FREE = "free"
    STARTER = "starter"
    STANDARD = "standard"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class EngagementType(TextChoices):
    ASSESSMENT = "assessment"
    MIGRATION = "migration"
    MODERNIZATION = "modernization"


class EngagementStatus(TextChoices):
    PLANNING = "planning"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Complexity(TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


class KeyStatus(TextChoices):
    CURRENT = "current"
    DECRYPT_ONLY = "decrypt_only"


class BillingInterval(TextChoices):
    MONTHLY = "monthly"
    YEARLY = "yearly"


class SubscriptionStatus(TextChoices):
    TRIAL = "trial"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class QuotaResource(TextChoices):
    USERS = "users"
    AGENTS = "agents"
    ENGAGEMENTS = "engagements"
    DOCUMENTS = "documents"
    REQUESTS = "requests", "API requests"
    TOKENS = "tokens", "Model tokens"
    STORAGE_GB = "storage_gb", "Storage in gigabytes"
    ANSWERS = "answers", "Answers of models"
    CONCURRENT_RUNS = "concurrent_runs", "Agent runs at the same time"


class QuotaPeriod(TextChoices):
    DAY = "day"
    MONTH = "month"
    TOTAL = "total", "Total"


class BillingStatus(TextChoices):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    REFUNDED = "refunded"


class MetricType(TextChoices):
    API_CALLS = "api_calls", "API calls"
    TOKENS = "tokens"
    AGENT_EXECUTIONS = "agent_executions"
    TOOL_EXECUTIONS = "tool_executions"
    WORKFLOW_EXECUTIONS = "workflow_executions"
    RAG_QUERIES = "rag_queries", "RAG queries"
    DOCUMENTS = "documents"
    STORAGE_BYTES = "storage_bytes"
    EMBEDDINGS = "embeddings"


class UsageInterval(TextChoices):
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class RegionStatus(TextChoices):
    ACTIVE = "active"
    MAINTENANCE = "maintenance"
    INACTIVE = "inactive"


class TenantRegionRole(TextChoices):
    PRIMARY = "primary"
    REPLICA = "replica"


class TenantRegionStatus(TextChoices):
    PROVISIONING = "provisioning"
    ACTIVE = "active"
    DRAINING = "draining"
    INACTIVE = "inactive"


class ReplicationState(TextChoices):
    STREAMING = "streaming"
    LAGGING = "lagging"
    STOPPED = "stopped"
    FAILED = "failed"


class RegionSyncStatus(TextChoices):
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


class BridgeSyncStatus(TextChoices):
    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"


class DeliveryStatus(TextChoices):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    DEAD = "dead", "Dead letter"
