"""Connectors: outside sources whose items a collection mirrors."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from config.db.constraints import choices_constraint, unique_per_tenant
from config.db.json_schema import validate_schemas
from config.encryption.fields import Ciphertext, EncryptedJSONField
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from knowledge.choices import ConnectorKind, SyncStatus
from knowledge.connectors.configs import CONFIGS, CREDENTIALS, get_target


class Connector(TenantModel):
    """An outside source, such as a website or a Git repository, that a collection mirrors."""

    json_schemas = {"config": tuple(CONFIGS.values())}
    # State of the latest sync.
    SYNC_FIELDS = (
        "status",
        "started_at",
        "finished_at",
        "added_count",
        "changed_count",
        "deleted_count",
        "unchanged_count",
        "failed_count",
        "item_errors",
        "error_message",
    )
    audit_omit = (*SYNC_FIELDS, "state")

    MAX_INTERVAL_MINUTES = 60 * 24 * 31

    collection = TenantForeignKey(
        "knowledge.Collection",
        models.CASCADE,
        related_name="connectors",
        help_text="Collection that receives the documents.",
    )
    name = models.CharField(max_length=255, help_text="Name, unique within the collection.")
    kind = models.CharField(max_length=20, choices=ConnectorKind, help_text="Kind of source.")
    config = models.JSONField(
        default=dict,
        blank=True,
        help_text='Settings of the source, such as {"url": "https://example.org/"} for a website.',
    )
    credentials = EncryptedJSONField(
        null=True,
        blank=True,
        help_text="Secrets of the source, encrypted. Git: token. S3: access_key, secret_key. "
        "IMAP: username, password. Enter them again to change the address of the source.",
    )
    interval_minutes = models.PositiveIntegerField(
        default=60,
        validators=[MaxValueValidator(MAX_INTERVAL_MINUTES)],
        help_text="Minutes between the starts of two syncs. 0: only on request.",
    )
    max_deletion_percent = models.PositiveSmallIntegerField(
        default=50,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Share of the documents that a sync may delete without confirmation.",
    )
    is_active = models.BooleanField(default=True, help_text="Whether syncs start at the interval.")
    status = models.CharField(
        max_length=20,
        choices=SyncStatus,
        default=SyncStatus.IDLE,
        editable=False,
        help_text="Status of the latest sync.",
    )
    started_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Start of the latest sync."
    )
    finished_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="End of the latest sync."
    )
    added_count = models.PositiveIntegerField(default=0, editable=False, help_text="Number of new items.")
    changed_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="Number of changed items."
    )
    deleted_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="Number of deleted documents."
    )
    unchanged_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="Number of unchanged items."
    )
    failed_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="Number of items that could not be read."
    )
    item_errors = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text="First errors of items: `source` and `error`.",
    )
    error_message = models.TextField(
        blank=True, default="", editable=False, help_text="Error, or why no documents were deleted."
    )
    state = models.JSONField(
        default=dict, blank=True, editable=False, help_text="Validators of the latest listing."
    )
    created_by = MemberForeignKey(editable=False, help_text="User who added the connector.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="knowledge_connector_status")]
        constraints = [
            unique_per_tenant(
                "collection",
                "name",
                suffix="name",
                message="The collection already has a connector with this name.",
            ),
            choices_constraint("kind", ConnectorKind.values),
            choices_constraint("status", SyncStatus.values),
            models.CheckConstraint(
                condition=models.Q(max_deletion_percent__lte=100), name="knowledge_connector_percent"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    _stored_target: tuple[str, str] | None = None

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Self:  # type: ignore[override]
        instance = super().from_db(db, field_names, values)
        if {"kind", "config"} <= set(field_names):
            instance._stored_target = get_target(instance.kind, instance.config)
        return instance

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row; clear stored credentials if the address changed without new ones."""
        target = get_target(self.kind, self.config)
        if self._stored_target not in (None, target) and self._keeps_credentials():
            self.credentials = None
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "credentials"}
        super().save(*args, **kwargs)
        self._stored_target = target

    def _keeps_credentials(self) -> bool:
        """Return whether the credentials are unchanged since the row was loaded."""
        credentials = self.__dict__.get("credentials")
        return isinstance(credentials, Ciphertext) or getattr(credentials, "ciphertext", None) is not None

    def clean(self) -> None:
        super().clean()
        if self.kind in CONFIGS:
            check_config(self.kind, self.config)
            if self.__dict__.get("credentials") is not None and not self._keeps_credentials():
                check_credentials(self.kind, self.credentials)


def check_config(kind: str, config: Any) -> None:
    """Require a configuration of the kind.

    Raises:
        ValidationError: Lists every error by path, as errors of `config`.
    """
    validate_schemas(config=(CONFIGS[kind], config))


def check_credentials(kind: str, credentials: Any) -> None:
    """Require the members of the kind's credentials. The message does not repeat their values.

    Raises:
        ValidationError: A member is unknown, missing or not a text.
    """
    names = CREDENTIALS[kind]
    if not names:
        raise ValidationError({"credentials": "A source of this kind has no credentials."})
    given = credentials if isinstance(credentials, dict) else {}
    texts = all(isinstance(value, str) and 0 < len(value) <= 4096 for value in given.values())
    if set(given) != set(names) or not texts:
        raise ValidationError({"credentials": f"Enter a JSON object with the texts {', '.join(names)}."})
