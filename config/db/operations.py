"""Migration operations."""

from typing import Any

from django.db import migrations


class RunDeferredSQL(migrations.RunSQL):
    """`RunSQL` that runs after the migration's deferred SQL: foreign keys, policies and triggers of its models."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.deferred_sql.append(self.sql)
