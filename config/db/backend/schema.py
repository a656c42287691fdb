"""Schema editor with support for partitioned tables."""

from typing import Any

from django.db.backends.postgresql import schema
from django.db.models import CASCADE, BaseConstraint, Field, Model, UniqueConstraint

from config.db.constraints import ReferenceSQL

TENANT_TABLE = "tenants_tenant"


def _is_tenant_id(constraint: BaseConstraint) -> bool:
    return isinstance(constraint, UniqueConstraint) and constraint.fields == ("tenant", "id")


def _belongs_to_tenant(field: Field) -> bool:
    """Return whether rows must be deleted together with the tenant that `field` references."""
    remote = field.remote_field
    if remote is None or remote.model._meta.db_table != TENANT_TABLE:
        return False
    return getattr(remote, "on_delete", None) is CASCADE


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Schema editor that adds PARTITION BY to partitioned tables, and ON DELETE CASCADE to tenant keys.

    Before version 6.1, Django creates all foreign keys without a delete rule.
    """

    def __enter__(self) -> Any:
        entered = super().__enter__()
        if self.atomic_migration and not self.collect_sql:
            # Pending deferred checks would prevent a migration from altering a table after changing its rows.
            self.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return entered

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        # Django defers unique constraints in table order. Our constraints append their SQL themselves and return
        # None, which Django appends too. Foreign keys must follow the unique constraints they reference.
        waiting = [statement for statement in self.deferred_sql if statement is not None]
        self.deferred_sql = sorted(waiting, key=lambda statement: isinstance(statement, ReferenceSQL))
        super().__exit__(exc_type, exc_value, traceback)

    def table_sql(self, model: type[Model]) -> tuple[str, Any]:
        sql, params = super().table_sql(model)
        if getattr(model, "partition_by_tenant", False):
            # The primary key must include the partition key: `add_constraint` creates it as (tenant_id, id).
            return f'{sql.replace(" PRIMARY KEY", "", 1)} PARTITION BY LIST ("tenant_id")', params
        if getattr(model, "partition_period", None):
            sql += f" PARTITION BY RANGE ({self.quote_name(str(model._meta.pk.column))})"
        return sql, params

    def create_model(self, model: type[Model]) -> None:
        """Create the table, with its default partition if it is partitioned by tenant."""
        super().create_model(model)
        if getattr(model, "partition_by_tenant", False):
            parent = self.quote_name(model._meta.db_table)
            part = self.quote_name(f"{model._meta.db_table}_default")
            self.execute(f"CREATE TABLE {part} PARTITION OF {parent} DEFAULT")
            self.execute(f"ALTER TABLE {part} ENABLE ROW LEVEL SECURITY")
            self.execute(f"ALTER TABLE {part} FORCE ROW LEVEL SECURITY")
            self.execute(f"CREATE POLICY owner_only ON {part} FOR ALL TO CURRENT_USER USING (true)")

    def add_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Add a constraint. For tables partitioned by tenant, unique (tenant, id) is the primary key."""
        if getattr(model, "partition_by_tenant", False) and _is_tenant_id(constraint):
            table, name = self.quote_name(model._meta.db_table), self.quote_name(constraint.name)
            self.execute(f'ALTER TABLE {table} ADD CONSTRAINT {name} PRIMARY KEY ("tenant_id", "id")')
            return
        super().add_constraint(model, constraint)

    def remove_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Remove a constraint. Unique (tenant, id) goes last, after the foreign keys that reference it."""
        if _is_tenant_id(constraint):
            if sql := constraint.remove_sql(model, self):
                self.deferred_sql.append(sql)
            return
        super().remove_constraint(model, constraint)

    def _create_fk_sql(self, model: type[Model], field: Field, suffix: str) -> Any:
        statement = super()._create_fk_sql(model, field, suffix)  # type: ignore[misc]
        if _belongs_to_tenant(field):
            rule = "ON DELETE CASCADE%(deferrable)s"
            statement.template = statement.template.replace("%(deferrable)s", f" {rule}")
        return statement

    def add_field(self, model: type[Model], field: Field) -> None:
        # A deferred constraint, as `create_model` adds it, instead of Django's inline one.
        inline = self.sql_create_column_inline_fk
        self.sql_create_column_inline_fk = "" if _belongs_to_tenant(field) else inline
        super().add_field(model, field)
        self.sql_create_column_inline_fk = inline
        if field.many_to_many:
            return
        table = self.quote_name(model._meta.db_table)
        for constraint in model._meta.constraints:
            column_added = getattr(constraint, "column_added", None)
            if column_added and (grant := column_added(table, field.column)):
                self.execute(grant)
