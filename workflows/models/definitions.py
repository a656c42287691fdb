"""Workflows, their versions and triggers."""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from config.db.constraints import unique_per_tenant
from config.db.json_schema import validate_row_schemas, validate_schemas
from config.encryption.fields import EncryptedTextField
from config.tenancy.models import MemberForeignKey, SoftDeleteMixin, TenantForeignKey, TenantModel
from workflows import schemas
from workflows.choices import RunOutcome, TriggerType, WorkflowStatus
from workflows.constraints import choices_check, range_check
from workflows.language.upgrades import upgrade_document, upgrade_retry

MAX_SECONDS = 366 * schemas.DAY
# Key in `metadata` of the definition as it was imported, in an earlier or foreign form.
IMPORTED = "imported"


class Workflow(SoftDeleteMixin, TenantModel):
    """A sequence or graph of steps run by agents, tools and people."""

    json_schemas = {"definition": schemas.WorkflowDefinition, "retry_config": schemas.RetryPolicy}

    audit_omit = ("last_run_at", "last_run_status", "run_count", "success_count", "error_count")

    name = models.CharField(max_length=255, help_text="Display name.")
    slug = models.SlugField(max_length=100, help_text="Unique name in the API.")
    description = models.TextField(blank=True, default="", help_text="Purpose of the workflow.")
    definition = models.JSONField(
        default=dict,
        blank=True,
        help_text='Document conclave.workflow/1: {"steps": [{"id": "draft", "kind": "agent", "agent": "writer"}]}.',
    )
    config = models.JSONField(default=dict, blank=True, help_text="Settings available to the steps.")
    agents = models.ManyToManyField(
        "agents.Agent",
        through="workflows.WorkflowAgent",
        related_name="workflows",
        help_text="Participating agents.",
    )
    timeout = models.PositiveIntegerField(
        default=3600,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_SECONDS)],
        help_text="Time limit for a run, in seconds.",
    )
    retry_config = models.JSONField(
        default=dict,
        blank=True,
        help_text='Retry policy of failed steps: {"maximum_attempts": 3, "initial_interval": 1}.',
    )
    status = models.CharField(
        max_length=50,
        choices=WorkflowStatus,
        default=WorkflowStatus.ACTIVE,
        db_default=WorkflowStatus.ACTIVE,
        help_text="Only active workflows can start.",
    )
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Latest published version.")
    tags = models.JSONField(default=list, blank=True, help_text="Tags for filtering.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")
    created_by = MemberForeignKey(help_text="User who created the workflow.", editable=False)
    last_run_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Start of the latest run."
    )
    last_run_status = models.CharField(
        max_length=50,
        choices=RunOutcome,
        blank=True,
        default="",
        editable=False,
        help_text="Result of the latest run.",
    )
    run_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of runs."
    )
    success_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of successes."
    )
    error_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of failures."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(
                fields=["tenant", "status"], condition=models.Q(deleted_at=None), name="wf_workflow_live"
            ),
            models.Index(fields=["tenant", "created_by"], name="wf_workflow_created_by"),
            models.Index(fields=["tenant", "-last_run_at"], name="wf_workflow_last_run"),
            GinIndex(fields=["tags"], name="wf_workflow_tags"),
            GinIndex(fields=["metadata"], name="wf_workflow_metadata"),
        ]
        constraints = [
            unique_per_tenant(
                "slug",
                suffix="slug_once",
                message="A workflow with this slug already exists.",
                condition=models.Q(deleted_at=None),
            ),
            choices_check("status", WorkflowStatus),
            choices_check("last_run_status", RunOutcome, blank=True),
            range_check("timeout", 1, MAX_SECONDS),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        validate_row_schemas(self)

    def save(self, *, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save the workflow. Earlier and foreign forms of the definition are stored in the current form."""
        if isinstance(self.retry_config, dict):
            self.retry_config = upgrade_retry(self.retry_config)
        if update_fields is None or "definition" in update_fields:
            upgraded = upgrade_document(self.definition)
            if upgraded != self.definition:
                self.metadata = {**self.metadata, IMPORTED: self.definition}
                self.definition = upgraded
                update_fields = None if update_fields is None else {*update_fields, "metadata"}
        super().save(update_fields=update_fields, **kwargs)


class WorkflowAgent(TenantModel):
    """An agent that participates in a workflow."""

    workflow = TenantForeignKey(
        Workflow, models.CASCADE, related_name="participations", help_text="The workflow."
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.CASCADE,
        related_name="workflow_participations",
        help_text="Participating agent.",
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "agent"], name="wf_workflowagent_agent")]
        constraints = [
            unique_per_tenant("workflow", "agent", message="The agent already participates in it.")
        ]

    def __str__(self) -> str:
        return f"{self.agent} in {self.workflow}"


class WorkflowVersion(TenantModel):
    """An immutable version of a workflow, which runs follow."""

    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None
    workflow = TenantForeignKey(
        Workflow, models.DO_NOTHING, db_rule="CASCADE", related_name="versions", help_text="The workflow."
    )
    version = models.PositiveIntegerField(help_text="Version number, starting at 1.")
    snapshot = models.JSONField(help_text="Definition and settings when it was published.")
    note = models.CharField(max_length=500, blank=True, default="", help_text="Description of changes.")
    created_by = MemberForeignKey(
        models.DO_NOTHING, db_rule="SET NULL", null=True, help_text="User who published the version."
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "created_by"], name="wf_version_created_by")]
        constraints = [unique_per_tenant("workflow", "version", message="This version already exists.")]

    def __str__(self) -> str:
        return f"{self.workflow} v{self.version}"


class WorkflowTrigger(TenantModel):
    """A trigger of a workflow: manual, scheduled, webhook or event."""

    json_schemas = {"config": tuple(schemas.TRIGGERS.values())}

    audit_omit = ("last_fired_at", "next_fire_at")

    workflow = TenantForeignKey(
        Workflow, models.CASCADE, related_name="triggers", help_text="Workflow to start."
    )
    name = models.CharField(max_length=255, help_text="Display name.")
    trigger_type = models.CharField(
        max_length=20, choices=TriggerType, default=TriggerType.MANUAL, help_text="Type of trigger."
    )
    config = models.JSONField(
        default=dict,
        blank=True,
        help_text='Scheduled: {"cron": "0 6 * * 1", "timezone": "UTC"}. Event: {"event": "document.ready", '
        '"filter": {}}. Webhook: {"scheme": "standard-webhooks"}. Each can include an "input".',
    )
    secret = EncryptedTextField(
        null=True,
        blank=True,
        editable=False,
        help_text="Secret that signs webhook requests (`whsec_…`), encrypted.",
    )
    previous_secret = EncryptedTextField(
        null=True, blank=True, editable=False, help_text="Secret before the rotation, encrypted."
    )
    rotation_ends_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until when the previous secret is accepted too."
    )
    is_enabled = models.BooleanField(default=True, help_text="Whether the trigger can start runs.")
    next_fire_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Next scheduled start."
    )
    last_fired_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Start of the latest run."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "trigger_type", "is_enabled"], name="wf_trigger_type"),
            models.Index(fields=["next_fire_at"], condition=models.Q(is_enabled=True), name="wf_trigger_due"),
        ]
        constraints = [
            unique_per_tenant(
                "workflow",
                "name",
                suffix="name_once",
                message="The workflow already has a trigger with this name.",
            ),
            choices_check("trigger_type", TriggerType),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.workflow}"

    def clean(self) -> None:
        super().clean()
        shape = schemas.TRIGGERS.get(self.trigger_type)
        if shape:
            validate_schemas(config=(shape, self.config))
