"""Agents, their collections and published versions."""

from decimal import Decimal

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from agents.choices import AgentStatus, Provider, validate_tools
from agents.schemas import SchemaValidator
from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import MemberForeignKey, SoftDeleteMixin, TenantForeignKey, TenantModel

# Upper bounds on how long one turn can occupy a thread.
MAX_SECONDS = 600
MAX_ITERATIONS = 100
DEFAULT_PROMPT = (
    "You answer questions from the knowledge you can search. Cite the passages you use. "
    "When they do not answer the question, say so."
)


class Agent(SoftDeleteMixin, TenantModel):
    """An assistant with its model, instructions, knowledge and tools."""

    name = models.CharField(max_length=255, help_text="Display name.")
    slug = models.SlugField(max_length=100, help_text="Unique name in the API.")
    description = models.TextField(blank=True, default="", help_text="Purpose of the agent.")
    model_provider = models.CharField(
        max_length=50, choices=Provider, default=Provider.EXTRACTIVE, help_text="Model provider."
    )
    model_name = models.CharField(
        max_length=100, default="extractive-1", help_text="Model name at the provider."
    )
    integration = TenantForeignKey(
        "agents.Integration",
        models.SET_NULL,
        related_name="agents",
        help_text="Account and endpoint at the provider. Not needed for the offline model.",
    )
    temperature = models.DecimalField(
        max_digits=3,
        decimal_places=2,
        default=Decimal("0.70"),
        validators=[MinValueValidator(0), MaxValueValidator(2)],
        help_text="Sampling temperature, from 0 to 2.",
    )
    max_tokens = models.PositiveIntegerField(
        default=2048, validators=[MinValueValidator(1)], help_text="Maximum tokens in a response."
    )
    system_prompt = models.TextField(
        default=DEFAULT_PROMPT, blank=True, help_text="Instructions for the model."
    )
    capabilities = models.JSONField(default=list, blank=True, help_text="Capability labels.")
    tools = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_tools],
        help_text='Tools in addition to search, such as ["calculator", "mcp:files"].',
    )
    approvals = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_tools],
        help_text='Tools whose calls require approval by a user, such as ["http_fetch"].',
    )
    tool_timeout = models.PositiveIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_SECONDS)],
        help_text="Time limit for one tool call, in seconds.",
    )
    prompt_key = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="Key of a system prompt that replaces the agent's instructions.",
    )
    template_id = models.UUIDField(null=True, blank=True, editable=False, help_text="Template of the agent.")
    collections = models.ManyToManyField(
        "knowledge.Collection",
        through="agents.AgentCollection",
        related_name="agents",
        help_text="Collections that the agent can search.",
    )
    timeout = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_SECONDS)],
        help_text="Time limit for a response, in seconds.",
    )
    max_iterations = models.PositiveIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_ITERATIONS)],
        help_text="Maximum number of model requests per response.",
    )
    memory_enabled = models.BooleanField(default=True, help_text="Whether earlier messages are sent.")
    status = models.CharField(
        max_length=50,
        choices=AgentStatus,
        default=AgentStatus.ACTIVE,
        db_default=AgentStatus.ACTIVE,
        help_text="Only active agents run.",
    )
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Latest published version.")
    tags = models.JSONField(default=list, blank=True, help_text="Tags for filtering.")
    config = models.JSONField(
        default=dict,
        blank=True,
        validators=[SchemaValidator("AgentConfig")],
        help_text="Additional model settings.",
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")
    created_by = MemberForeignKey(help_text="User who created the agent.", editable=False)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(
                fields=["tenant", "status"], condition=models.Q(deleted_at=None), name="agents_agent_live"
            ),
            GinIndex(fields=["capabilities"], name="agents_agent_capabilities"),
            GinIndex(fields=["tags"], name="agents_agent_tags"),
            GinIndex(fields=["metadata"], name="agents_agent_metadata"),
        ]
        constraints = [
            unique_per_tenant(
                "slug",
                suffix="slug",
                message="An agent with this slug already exists.",
                condition=models.Q(deleted_at=None),
            ),
            models.CheckConstraint(
                condition=models.Q(temperature__range=(0, 2)),
                name="agents_agent_temperature",
                violation_error_message="The temperature must be between 0 and 2.",
            ),
            models.CheckConstraint(condition=models.Q(max_tokens__gt=0), name="agents_agent_max_tokens"),
            models.CheckConstraint(
                condition=models.Q(timeout__range=(1, MAX_SECONDS)), name="agents_agent_timeout"
            ),
            models.CheckConstraint(
                condition=models.Q(tool_timeout__range=(1, MAX_SECONDS)), name="agents_agent_tool_timeout"
            ),
            models.CheckConstraint(
                condition=models.Q(max_iterations__range=(1, MAX_ITERATIONS)),
                name="agents_agent_max_iterations",
            ),
            choices_constraint("status", AgentStatus.values),
            choices_constraint("model_provider", Provider.values, name="agents_agent_provider_known"),
        ]

    def __str__(self) -> str:
        return self.name


class AgentCollection(TenantModel):
    """Permission of an agent to search a collection."""

    agent = TenantForeignKey(Agent, models.CASCADE, related_name="knowledge", help_text="The agent.")
    collection = TenantForeignKey(
        "knowledge.Collection", models.CASCADE, related_name="readers", help_text="Searchable collection."
    )

    class Meta(TenantModel.Meta):
        constraints = [
            unique_per_tenant("agent", "collection", message="The agent already has this collection.")
        ]

    def __str__(self) -> str:
        return f"{self.agent} reads {self.collection}"


class AgentVersion(TenantModel):
    """An immutable snapshot of an agent's settings."""

    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None
    agent = TenantForeignKey(
        Agent, models.DO_NOTHING, db_rule="CASCADE", related_name="versions", help_text="The agent."
    )
    version = models.PositiveIntegerField(help_text="Version number, starting at 1.")
    snapshot = models.JSONField(help_text="Settings of the agent when it was published.")
    note = models.CharField(max_length=500, blank=True, default="", help_text="Description of changes.")
    created_by = MemberForeignKey(
        models.DO_NOTHING, db_rule="SET NULL", null=True, help_text="User who published the version."
    )

    class Meta(TenantModel.Meta):
        constraints = [unique_per_tenant("agent", "version", message="This version already exists.")]

    def __str__(self) -> str:
        return f"{self.agent} v{self.version}"
