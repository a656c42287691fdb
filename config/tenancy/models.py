"""Base models with IDs, timestamps, managers and row-level security.

Derive each model from one of these; never declare IDs, tenants, timestamps, managers or policies by hand.

| base | rows belong to | who sees them |
|---|---|---|
| TenantModel | one tenant | its tenant |
| UserOwnedModel | one user of a tenant | that user |
| ReportModel | one tenant, computed | its tenant |
| GlobalModel | the platform | as its `row_security` says |

When a concrete class is prepared, its model gets row-level security, a unique constraint on (tenant, id), a
SameTenant constraint for each reference between tenant tables, and an audit trigger.
"""

from typing import Any, ClassVar

from django.db import connections, models
from django.db.models.functions import Now
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import class_prepared
from django.db.models.sql import UpdateQuery
from django.utils import timezone

from config.db import constraints as db_constraints
from config.db.engagements import EngagementIsolation
from config.db.ids import UUIDv7
from config.db.session import current_scope
from config.encryption.fields import encrypted_columns

from .managers import LiveManager, ScopedManager, ScopedQuerySet

# Values of `scope_kind` of rows that belong to a person.
PERSON_KINDS = ("user", "conversation")


class UpdatedAtField(models.DateTimeField):
    """The time of the latest change, set by a trigger (`UpdatedAtTrigger`)."""

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return getattr(model_instance, self.attname) if add else Now()


class BaseModel(models.Model):
    """Base of all models: a UUIDv7 ID, timestamps and audit options."""

    # Reason why writes are not audited. Empty if they are.
    audit_exempt: ClassVar[str] = ""
    audit_level: ClassVar[str] = "row"
    audit_omit: ClassVar[tuple[str, ...]] = ()
    audit_redact: ClassVar[tuple[str, ...]] = ()
    # RowLevelSecurity options that override the defaults of the base model.
    row_security: ClassVar[dict[str, Any]] = {}

    id = models.UUIDField(primary_key=True, db_default=UUIDv7(), editable=False, help_text="UUIDv7.")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Creation time.")
    updated_at = UpdatedAtField(
        db_default=Now(), auto_now=True, editable=False, help_text="Time of the latest change."
    )

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["-id"]

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, values: Any, *options: Any) -> Any:
        """Update the row, and read `updated_at` back in the same statement."""
        if not values or not isinstance(getattr(type(self), "updated_at", None), DeferredAttribute):
            return super()._do_update(base_qs, using, pk_val, values, *options)  # type: ignore[misc]
        query = base_qs.filter(pk=pk_val).query.chain(UpdateQuery)
        query.add_update_fields(values)
        statement, params = query.get_compiler(using).as_sql()
        with connections[using].cursor() as cursor:
            cursor.execute(f"{statement} RETURNING updated_at", params)
            row = cursor.fetchone()
        if row is None:
            return False
        (self.updated_at,) = row
        return True


class TenantModel(BaseModel):
    """Base of tenant-owned models: each row belongs to one tenant."""

    scope_kind: ClassVar[str] = "tenant"
    # Tables of parents by column, for rows that are visible in an engagement with all their parents.
    engagement_parents: ClassVar[dict[str, str]] = {}

    tenant = models.ForeignKey(
        "tenants.Tenant",
        on_delete=models.CASCADE,
        related_name="+",
        editable=False,
        db_index=False,
        help_text="Tenant that owns the row.",
    )

    objects = ScopedManager()
    unscoped = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(BaseModel.Meta):
        abstract = True
        base_manager_name = "unscoped"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._fill_from_scope()
        super().save(*args, **kwargs)

    def clean_fields(self, exclude: Any = None) -> None:
        self._fill_from_scope()
        super().clean_fields(exclude=exclude)

    def _fill_from_scope(self) -> None:
        """Set the tenant and, in a new row, the engagement to those of the scope, unless they are given."""
        scope = current_scope()
        if scope is None:
            return
        if self.tenant_id is None:
            self.tenant_id = scope.tenant_id
        if self._state.adding and scope.engagement_id and getattr(self, "engagement_id", self) is None:
            self.engagement_id = scope.engagement_id


ON_DELETE_SQL = {
    models.CASCADE: "CASCADE",
    models.SET_NULL: "SET NULL",
    models.PROTECT: "RESTRICT",
    models.RESTRICT: "NO ACTION",
    models.DO_NOTHING: "NO ACTION",
}


class TenantForeignKey(models.ForeignKey):
    """A reference to a row of the same tenant, enforced by `SameTenant`.

    Args:
        on_delete: Django's rule, which the database also enforces. `SET_NULL` makes the reference optional.
        db_rule: The database's rule when Django does nothing (`on_delete=DO_NOTHING`), as for relations with
            too many rows to load.
    """

    target: ClassVar[dict[str, str]] = {}

    def __init__(self, to: Any, on_delete: Any, db_rule: str = "", **kwargs: Any) -> None:
        self.db_rule = db_rule
        kwargs["db_constraint"] = False
        if on_delete is models.SET_NULL:
            kwargs |= {"null": True, "blank": True}
        super().__init__(to, on_delete, **kwargs)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        # Migrations need only the column; the constraint belongs to the model's options.
        return name, "django.db.models.ForeignKey", args, kwargs

    @property
    def database_rule(self) -> str:
        return self.db_rule or ON_DELETE_SQL[self.remote_field.on_delete]  # type: ignore[index]


class MemberForeignKey(TenantForeignKey):
    """A reference to a user who is a member of the row's tenant, enforced by `SameTenant`."""

    def __init__(self, on_delete: Any = models.SET_NULL, **kwargs: Any) -> None:
        kwargs.setdefault("related_name", "+")
        kwargs.pop("to", None)
        super().__init__("accounts.User", on_delete, **kwargs)

    target: ClassVar[dict[str, str]] = {"target": "accounts.Membership", "column": "user_id"}


class UserOwnedModel(TenantModel):
    """Base of user-owned models: only the owner can see a row (promise G3)."""

    scope_kind: ClassVar[str] = "user"
    row_security: ClassVar[dict[str, Any]] = {
        "read": f"{db_constraints.TENANT_CLAUSE} AND {db_constraints.USER_CLAUSE}"
    }

    user = MemberForeignKey(models.CASCADE, help_text="Owner of the row.")

    class Meta(TenantModel.Meta):
        abstract = True


class ReportModel(TenantModel):
    """Base of materialised reports that the database computes (`config.db.reports`)."""

    is_report: ClassVar[bool] = True
    audit_exempt: ClassVar[str] = "computed from rows that are audited"
    row_security: ClassVar[dict[str, Any]] = {"verbs": "SELECT"}

    tenant = models.ForeignKey(
        "tenants.Tenant",
        # Reports are read-only, so Django must not cascade to them.
        on_delete=models.DO_NOTHING,
        related_name="+",
        editable=False,
        db_constraint=False,
        db_index=False,
        help_text="Tenant that the row describes.",
    )
    updated_at = None  # type: ignore[assignment]
    created_at = models.DateTimeField(editable=False, help_text="Start of the day.")
    date = models.DateField(help_text="The day, in UTC.")

    class Meta(TenantModel.Meta):
        abstract = True
        managed = False
        ordering: ClassVar[list[str]] = ["-date", "id"]


class GlobalModel(BaseModel):
    """Base of platform-wide models, readable by tenants unless `row_security` differs."""

    scope_kind: ClassVar[str] = "global"
    row_security: ClassVar[dict[str, Any]] = {"read": "true", "verbs": "SELECT"}

    objects = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(BaseModel.Meta):
        abstract = True


class SoftDeleteMixin(models.Model):
    """Mixin for rows that are hidden instead of deleted (promise G9).

    List it before the base model.
    """

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Deletion time.")

    objects = LiveManager()

    class Meta:
        abstract = True

    def soft_delete(self) -> None:
        """Hide the row without deleting it."""
        self.deleted_at = timezone.now()
        self.save(update_fields=["deleted_at", "updated_at"])  # type: ignore[misc]


class PartitionedTimestampMixin(models.Model):
    """Mixin for partitioned tables that derives `created_at` from the id.

    List it first, then `config.db.partitions.PartitionedMixin`, then the base model.
    """

    created_at = models.GeneratedField(
        expression=models.Func(models.F("id"), function="conclave_uuid_time"),
        output_field=models.DateTimeField(),
        db_persist=True,
        help_text="Creation time in milliseconds, taken from the ID.",
    )

    class Meta:
        abstract = True


def _constraint_prefix(model: type[BaseModel]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def _row_security_options(model: type[BaseModel]) -> dict[str, Any]:
    options = dict(model.row_security)
    if hidden := (*encrypted_columns(model), *options.get("hidden", ())):
        options["hidden"] = hidden
    return options


def _redacted_columns(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the columns whose values the audit log omits: secrets and private data.

    The audit log has more readers than user-owned rows. It records that these columns changed, not their values.
    """
    named = (*encrypted_columns(model), *model.audit_redact)
    if getattr(model, "scope_kind", "") != "user":
        return named
    plain = (models.ForeignKey, models.BooleanField, models.DateTimeField, models.GeneratedField)
    own = [
        str(field.column)
        for field in model._meta.local_concrete_fields
        if not isinstance(field, plain) and not field.primary_key
    ]
    return tuple(dict.fromkeys((*named, *(name for name in own if name not in model.audit_omit))))


def _build_engagement_isolation(model: type[TenantModel]) -> list[models.BaseConstraint]:
    """Return the constraint of models with rows of engagements."""
    name = f"{_constraint_prefix(model)}_engagement"
    if model._meta.label == "tenants.Engagement":
        return [EngagementIsolation(name=name, column="id")]
    if model.engagement_parents:
        return [EngagementIsolation(name=name, parents=model.engagement_parents)]
    return [
        EngagementIsolation(name=name, column=str(field.column), optional=field.null)
        for field in model._meta.local_fields
        if isinstance(field, TenantForeignKey) and field.name == "engagement"
    ]


def _build_constraints(model: type[BaseModel]) -> list[models.BaseConstraint]:
    prefix = _constraint_prefix(model)
    constraints: list[models.BaseConstraint] = [
        db_constraints.RowLevelSecurity(name=f"{prefix}_rls", **_row_security_options(model))
    ]
    if issubclass(model, TenantModel):
        constraints.append(models.UniqueConstraint(fields=["tenant", "id"], name=f"{prefix}_tenant_id"))
        constraints += _build_engagement_isolation(model)
    constraints += [
        db_constraints.SameTenant(
            field=field.name,
            name=f"{prefix}_{field.name}_same"[:60],
            on_delete=field.database_rule,
            **field.target,
        )
        for field in model._meta.local_fields
        if isinstance(field, TenantForeignKey)
    ]
    if any(field.name == "updated_at" for field in model._meta.local_concrete_fields):
        constraints.append(db_constraints.UpdatedAtTrigger(name=f"{prefix}_updated_at"))
    if not model.audit_exempt:
        constraints.append(
            db_constraints.AuditTrigger(
                name=f"{prefix}_audit",
                label=model._meta.label_lower,
                redact=_redacted_columns(model),
                omit=model.audit_omit,
                level=model.audit_level,
            )
        )
    return constraints


def _attach_constraints(sender: type[models.Model], **_: object) -> None:
    if not issubclass(sender, BaseModel) or sender.__module__ == "__fake__":
        return
    if issubclass(sender, ReportModel):  # A materialised view has no constraints.
        return
    options = sender._meta
    options.constraints = [*options.constraints, *_build_constraints(sender)]
    options.original_attrs["constraints"] = options.constraints  # type: ignore[attr-defined]


class_prepared.connect(_attach_constraints, dispatch_uid="conclave.constraints")
