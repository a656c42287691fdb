"""Migration operations."""

from collections.abc import Sequence
from typing import Any

from django.db import migrations
from django.db.migrations.operations.base import Operation
from django.db.models import BaseConstraint


class RunDeferredSQL(migrations.RunSQL):
    """`RunSQL` that runs after the migration's deferred SQL: foreign keys, policies and triggers of its models."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.deferred_sql.append(self.sql)


class AlterConstraints(Operation):
    """Remove and add constraints of several models of an app.

    Django's own operations render the models again after each constraint, which takes a second per dozen.

    Args:
        remove: pairs of model name and constraint name.
        add: pairs of model name and constraint.
    """

    def __init__(
        self, *, remove: Sequence[tuple[str, str]] = (), add: Sequence[tuple[str, BaseConstraint]] = ()
    ) -> None:
        self.remove, self.add = remove, add

    def state_forwards(self, app_label: str, state: Any) -> None:
        removed = set(self.remove)
        names = {name for name, _ in (*self.remove, *self.add)}
        for name in names:
            options = state.models[app_label, name].options
            kept = [each for each in options.get("constraints", ()) if (name, each.name) not in removed]
            options["constraints"] = kept + [constraint for model, constraint in self.add if model == name]
        state.reload_models({(app_label, name) for name in names}, delay=True)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for name, constraint in self._removed(app_label, from_state):
            schema_editor.remove_constraint(from_state.apps.get_model(app_label, name), constraint)
        for name, constraint in self.add:
            schema_editor.add_constraint(to_state.apps.get_model(app_label, name), constraint)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for name, constraint in self.add:
            schema_editor.remove_constraint(from_state.apps.get_model(app_label, name), constraint)
        for name, constraint in self._removed(app_label, to_state):
            schema_editor.add_constraint(to_state.apps.get_model(app_label, name), constraint)

    def _removed(self, app_label: str, state: Any) -> list[tuple[str, BaseConstraint]]:
        return [
            (name, state.models[app_label, name].get_constraint_by_name(constraint))
            for name, constraint in self.remove
        ]

    def describe(self) -> str:
        return f"Remove {len(self.remove)} and add {len(self.add)} constraints"
