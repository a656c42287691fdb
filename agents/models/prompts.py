"""System prompts and their overrides."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from agents.managers import PromptManager
from config.db.constraints import TENANT_CLAUSE, USER_CLAUSE, unique_per_tenant
from config.tenancy.managers import ScopedQuerySet
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel


def validate_variables(value: Any) -> None:
    """Validate variable definitions: a list of objects with a `name`.

    Raises:
        ValidationError: Includes the index of the invalid definition.
    """
    if not isinstance(value, list):
        raise ValidationError("Must be a list of variables.")
    for place, each in enumerate(value):
        if not isinstance(each, dict) or not isinstance(each.get("name"), str) or not each["name"]:
            raise ValidationError(f"[{place}].name: must be a non-empty string.")


class OwnedPromptModel(TenantModel):
    """Base of rows that everyone can read as factory rows, or that belong to an organisation or to a user."""

    scope_kind = "user"
    row_security = {
        "read": f"(tenant_id IS NULL OR ({TENANT_CLAUSE} AND (user_id IS NULL OR {USER_CLAUSE})))",
        "write": f"({TENANT_CLAUSE} AND (user_id IS NULL OR {USER_CLAUSE}))",
    }

    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        help_text="Organisation that owns the prompt. Empty: a factory prompt.",
    )
    user = MemberForeignKey(
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        help_text="User who owns the prompt. Empty: the organisation's or a factory prompt.",
    )

    objects = PromptManager()
    unscoped = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(TenantModel.Meta):
        abstract = True


class SystemPrompt(OwnedPromptModel):
    """A factory prompt readable by all, or an override by an organisation or user."""

    audit_omit = ("usage_count", "last_used_at", "average_satisfaction", "success_rate", "verdict_count")

    prompt_key = models.CharField(max_length=100, help_text="Key used to look up the prompt.")
    prompt_category = models.CharField(max_length=100, help_text="Category of the prompt.")
    prompt_name = models.CharField(max_length=255, help_text="Display name.")
    description = models.TextField(blank=True, default="", help_text="Purpose of the prompt.")
    prompt_text = models.TextField(help_text="Prompt text. {{name}} inserts a variable.")
    variables = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_variables],
        help_text='Variables of the text, such as [{"name": "topic", "description": "Subject of the text"}].',
    )
    is_factory_default = models.GeneratedField(
        expression=models.Case(
            models.When(tenant=None, then=models.Value(True)),
            default=models.Value(False),
            output_field=models.BooleanField(),
        ),
        output_field=models.BooleanField(),
        db_persist=True,
        help_text="Whether it is a factory prompt.",
    )
    is_active = models.BooleanField(default=True, db_default=True, help_text="Whether the prompt is used.")
    version = models.PositiveIntegerField(
        default=1, db_default=1, validators=[MinValueValidator(1)], help_text="Version number, starting at 1."
    )
    change_note = models.CharField(
        max_length=500, blank=True, default="", help_text="Description of the latest change of the text."
    )
    usage_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of uses."
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest use.")
    average_satisfaction = models.FloatField(
        null=True, blank=True, editable=False, help_text="Average rating of its responses, from 0 to 5."
    )
    success_rate = models.FloatField(
        null=True, blank=True, editable=False, help_text="Share of good responses, from 0 to 1."
    )
    verdict_count = models.PositiveIntegerField(default=0, editable=False, help_text="Number of ratings.")

    class Meta(OwnedPromptModel.Meta):
        indexes = [
            models.Index(fields=["prompt_key"], name="agents_prompt_key"),
            models.Index(fields=["prompt_category"], name="agents_prompt_category"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "prompt_key"],
                nulls_distinct=False,
                name="agents_prompt_once",
                violation_error_message="You already have a prompt for this key.",
            ),
            models.CheckConstraint(
                condition=models.Q(tenant__isnull=False) | models.Q(user=None),
                name="agents_prompt_owner",
                violation_error_message="A user's prompt must belong to a tenant.",
            ),
            models.CheckConstraint(condition=models.Q(version__gte=1), name="agents_prompt_version"),
            models.CheckConstraint(
                condition=models.Q(average_satisfaction=None) | models.Q(average_satisfaction__range=(0, 5)),
                name="agents_prompt_satisfaction",
            ),
            models.CheckConstraint(
                condition=models.Q(success_rate=None) | models.Q(success_rate__range=(0, 1)),
                name="agents_prompt_success_rate",
            ),
        ]

    def __str__(self) -> str:
        return self.prompt_name

    _stored_text: str | None = None
    _stored_note: str | None = None

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Self:  # type: ignore[override]
        instance = super().from_db(db, field_names, values)
        if "prompt_text" in field_names:
            instance._stored_text = instance.prompt_text
        if "change_note" in field_names:
            instance._stored_note = instance.change_note
        return instance

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row; if the text changed, increment the version and drop the note of an earlier change."""
        if self._stored_text not in (None, self.prompt_text):
            self.version += 1
            if self.change_note == self._stored_note:
                self.change_note = ""
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "version", "change_note"}
        super().save(*args, **kwargs)
        self._stored_text, self._stored_note = self.prompt_text, self.change_note


class PromptVersion(OwnedPromptModel):
    """The text of a prompt at one version, added by a trigger whenever the text changes."""

    row_security = OwnedPromptModel.row_security | {"verbs": "SELECT, INSERT"}
    audit_exempt = "itself a log of prompts, which are audited"

    updated_at = None
    prompt = TenantForeignKey(
        SystemPrompt, models.DO_NOTHING, db_rule="CASCADE", related_name="versions", help_text="The prompt."
    )
    version = models.PositiveIntegerField(help_text="Version number, starting at 1.")
    prompt_text = models.TextField(help_text="Text of the prompt.")
    note = models.CharField(max_length=500, blank=True, default="", help_text="Description of the change.")
    created_by_id = models.UUIDField(null=True, blank=True, help_text="User who changed the text.")

    class Meta(OwnedPromptModel.Meta):
        constraints = [unique_per_tenant("prompt", "version", message="This version already exists.")]

    def __str__(self) -> str:
        return f"{self.prompt_id} v{self.version}"
