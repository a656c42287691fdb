"""Schema editor that knows partitioned tables."""

from typing import Any

from django.db.backends.postgresql import schema
from django.db.models import BaseConstraint, Field, Model, UniqueConstraint


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Adds PARTITION BY to the tables of models that mix in `config.db.partitions.Partitioned`."""

    def table_sql(self, model: type[Model]) -> tuple[str, Any]:
        sql, params = super().table_sql(model)
        if getattr(model, "partition_period", None):
            sql += f" PARTITION BY RANGE ({self.quote_name(str(model._meta.pk.column))})"
        return sql, params

    def remove_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Like Django's; the unique (tenant, id) goes last, after the `SameTenant` keys that rest on it."""
        if isinstance(constraint, UniqueConstraint) and constraint.fields == ("tenant", "id"):
            if sql := constraint.remove_sql(model, self):
                self.deferred_sql.append(sql)
            return
        super().remove_constraint(model, constraint)

    def add_field(self, model: type[Model], field: Field) -> None:
        super().add_field(model, field)
        table = self.quote_name(model._meta.db_table)
        for constraint in model._meta.constraints:
            column_added = getattr(constraint, "column_added", None)
            if column_added and _has_column(field) and (grant := column_added(table, str(field.column))):
                self.execute(grant)


def _has_column(field: Field) -> bool:
    """Many-to-many fields name a column too, which does not exist."""
    return bool(field.column) and not field.many_to_many
