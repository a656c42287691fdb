"""Schema editor that knows partitioned tables."""

from typing import Any

from django.db.backends.postgresql import schema
from django.db.models import Model


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Adds PARTITION BY to the tables of models that mix in `config.db.partitions.Partitioned`."""

    def table_sql(self, model: type[Model]) -> tuple[str, Any]:
        sql, params = super().table_sql(model)
        if getattr(model, "partition_period", None):
            sql += f" PARTITION BY RANGE ({self.quote_name(str(model._meta.pk.column))})"
        return sql, params
