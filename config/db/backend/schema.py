"""Schema editor that knows partitioned tables."""

from typing import Any

from django.db.backends.postgresql import schema
from django.db.models import BaseConstraint, Field, Model, UniqueConstraint

from config.db.constraints import Reference


def _is_tenant_id(constraint: BaseConstraint) -> bool:
    return isinstance(constraint, UniqueConstraint) and constraint.fields == ("tenant", "id")


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Adds PARTITION BY to the tables of models that mix in `config.db.partitions.Partitioned`."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        if self.atomic_migration and not self.collect_sql:
            # A migration that changes rows and then their table: checks that wait for the end would forbid it.
            self.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return entered

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        # Django defers unique constraints too, in the order of the tables; a constraint of the house defers
        # itself, and what Django keeps for it then is None.
        waiting = [statement for statement in self.deferred_sql if statement is not None]
        self.deferred_sql = sorted(waiting, key=lambda statement: isinstance(statement, Reference))
        super().__exit__(exc_type, exc_value, traceback)

    def table_sql(self, model: type[Model]) -> tuple[str, Any]:
        sql, params = super().table_sql(model)
        if getattr(model, "partition_by_tenant", False):
            # The key must hold the tenant: `add_constraint` makes it of the unique (tenant, id).
            return f'{sql.replace(" PRIMARY KEY", "", 1)} PARTITION BY LIST ("tenant_id")', params
        if getattr(model, "partition_period", None):
            sql += f" PARTITION BY RANGE ({self.quote_name(str(model._meta.pk.column))})"
        return sql, params

    def create_model(self, model: type[Model]) -> None:
        """Like Django's; a table that is partitioned by tenant begins with its default partition."""
        super().create_model(model)
        if getattr(model, "partition_by_tenant", False):
            parent = self.quote_name(model._meta.db_table)
            part = self.quote_name(f"{model._meta.db_table}_default")
            self.execute(f"CREATE TABLE {part} PARTITION OF {parent} DEFAULT")
            self.execute(f"ALTER TABLE {part} ENABLE ROW LEVEL SECURITY")
            self.execute(f"ALTER TABLE {part} FORCE ROW LEVEL SECURITY")
            self.execute(f"CREATE POLICY owner_only ON {part} FOR ALL TO CURRENT_USER USING (true)")

    def add_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Like Django's; the unique (tenant, id) of a table partitioned by tenant is its primary key."""
        if getattr(model, "partition_by_tenant", False) and _is_tenant_id(constraint):
            table, name = self.quote_name(model._meta.db_table), self.quote_name(constraint.name)
            self.execute(f'ALTER TABLE {table} ADD CONSTRAINT {name} PRIMARY KEY ("tenant_id", "id")')
            return
        super().add_constraint(model, constraint)

    def remove_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Like Django's; the unique (tenant, id) goes last, after the `SameTenant` keys that rest on it."""
        if _is_tenant_id(constraint):
            if sql := constraint.remove_sql(model, self):
                self.deferred_sql.append(sql)
            return
        super().remove_constraint(model, constraint)

    def add_field(self, model: type[Model], field: Field) -> None:
        super().add_field(model, field)
        if field.many_to_many:
            return
        table = self.quote_name(model._meta.db_table)
        for constraint in model._meta.constraints:
            column_added = getattr(constraint, "column_added", None)
            if column_added and (grant := column_added(table, field.column)):
                self.execute(grant)
