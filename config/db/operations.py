"""Migration operations."""

from collections.abc import Sequence
from typing import Any

from django.db import migrations
from django.db.migrations.operations.base import Operation
from django.db.models import BaseConstraint, UniqueConstraint


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
        # The next use of `state.apps` renders the models.
        state.__dict__.pop("apps", None)

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


TENANT_KEYS_SQL = """
SELECT conrelid::regclass::text, conname, attname, relkind = 'p' FROM pg_constraint
JOIN pg_class ON pg_class.oid = conrelid
JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
WHERE contype = 'f' AND confrelid = to_regclass('tenants_tenant') AND conparentid = 0 AND confdeltype = %s
  AND conname NOT LIKE %s
ORDER BY 1"""

PARTITION_KEYS_SQL = """
SELECT part.conrelid::regclass::text, part.conname FROM pg_constraint part
JOIN pg_constraint parent ON parent.oid = part.conparentid
WHERE parent.conrelid = %s::regclass AND parent.conname = %s"""


class CascadeTenantKeys(Operation):
    """Add ON DELETE CASCADE to existing foreign keys to the tenants.

    New keys get it from the schema editor (`config.db.backend.schema`).

    A new key replaces the old one in three short transactions, so the migration must have `atomic = False`. Creating
    and replacing the key block writes for a moment, the validation between them does not. PostgreSQL 17 validates
    keys of partitioned tables while it creates them, which blocks writes to that table and to the tenants meanwhile.
    After an interruption the migration can run again.

    Args:
        tables: the only tables to change, all by default.
    """

    reduces_to_sql = False
    # Suffix of a key that is not yet validated.
    SUFFIX = "_next"

    def __init__(self, *, tables: Sequence[str] = ()) -> None:
        self.tables = tables

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Do nothing: Django does not know delete rules of the database."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._replace(schema_editor, "a", "ON DELETE CASCADE")

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._replace(schema_editor, "c", "ON DELETE NO ACTION")

    def _replace(self, editor: Any, old: str, rule: str) -> None:
        with editor.connection.cursor() as cursor:
            cursor.execute(TENANT_KEYS_SQL, [old, f"%{self.SUFFIX}"])
            keys = [key for key in cursor.fetchall() if not self.tables or key[0] in self.tables]
        for table, name, column, partitioned in keys:
            later = "" if partitioned and editor.connection.pg_version < 180000 else "NOT VALID"
            alter, following = f"ALTER TABLE {table}", editor.quote_name(name[:58] + self.SUFFIX)
            # Statements that are sent together are one transaction.
            editor.execute(
                f"{alter} DROP CONSTRAINT IF EXISTS {following}; {alter} ADD CONSTRAINT {following}"
                f' FOREIGN KEY ("{column}") REFERENCES tenants_tenant (id) {rule}'
                f" DEFERRABLE INITIALLY DEFERRED {later}",
                None,
            )
            editor.execute(f"{alter} VALIDATE CONSTRAINT {following}")
            renames = [f'{alter} RENAME CONSTRAINT {following} TO "{name}"']
            with editor.connection.cursor() as cursor:
                cursor.execute(PARTITION_KEYS_SQL, [table, following.strip('"')])
                renames += [
                    f'ALTER TABLE {part} RENAME CONSTRAINT "{key}" TO "{name}"'
                    for part, key in cursor.fetchall()
                ]
            editor.execute("; ".join([f'{alter} DROP CONSTRAINT "{name}"', *renames]), None)

    def describe(self) -> str:
        return "Add ON DELETE CASCADE to foreign keys to tenants"


class OperationGroup(Operation):
    """Operations for which Django renders the models once instead of after each operation.

    `split_operations` states which operations can stand together.
    """

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.operations = operations

    def state_forwards(self, app_label: str, state: Any) -> None:
        # The next use of `state.apps` renders all models.
        rendered = state.__dict__.pop("apps", None)
        for operation in self.operations:
            operation.state_forwards(app_label, state)
        if rendered and all(isinstance(each, CONSTRAINT_CHANGES) for each in self.operations):
            # Fields and relations stay as they are, so the rendered models only need the new lists.
            state.__dict__["apps"] = rendered
            for name in {name for each in self.operations for name, _ in _list_changes(each)}:
                options = state.models[app_label, name].options
                meta = rendered.get_model(app_label, name)._meta
                meta.constraints = list(options.get("constraints", ()))
                meta.indexes = list(options.get("indexes", ()))

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for operation in self.operations:
            operation.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for operation in reversed(self.operations):
            operation.database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        return "; ".join(operation.describe() for operation in self.operations)


ADDITIONS = (migrations.AddIndex, migrations.AddConstraint)
REMOVALS = (migrations.RemoveIndex, migrations.RemoveConstraint)
CONSTRAINT_CHANGES = (*ADDITIONS, *REMOVALS, migrations.AlterConstraint, AlterConstraints)
FIELD_CHANGES = (migrations.AddField, migrations.AlterField)


def group_operations(operations: Sequence[Operation]) -> list[Operation]:
    """Replace consecutive operations that do not need the state between them by an `OperationGroup`."""
    return [
        OperationGroup(each) if len(each) > 1 or isinstance(each[0], CONSTRAINT_CHANGES) else each[0]
        for each in split_operations(operations)
    ]


def split_operations(operations: Sequence[Operation]) -> list[list[Operation]]:
    """Split into runs of operations that can use the state before the first and after the last of them.

    Models are created apart from changes, because a created model has all indexes and constraints of its state. In a
    run no field and no constraint changes twice, except that a constraint or index can replace a removed one. A unique
    constraint with a condition follows the run that adds fields of its model, because removing it needs these fields.
    """
    runs: list[list[Operation]] = []
    kind, changed = None, dict[tuple[str, str], bool]()
    for operation in operations:
        before, kind = kind, _get_kind(operation)
        changes = _list_changes(operation)
        replaces = isinstance(operation, ADDITIONS)
        fits = all(change not in changed or (replaces and changed[change]) for change in changes)
        if not runs or kind is None or kind != before or not fits or _needs_fields(operation, runs[-1]):
            runs.append([])
            changed = {}
        runs[-1].append(operation)
        changed |= dict.fromkeys(changes, isinstance(operation, REMOVALS))
    return runs


def _needs_fields(operation: Operation, run: Sequence[Operation]) -> bool:
    """Return whether the constraint has a condition, and the run changes fields of its model."""
    if not isinstance(operation, migrations.AddConstraint):
        return False
    constraint = operation.constraint
    return (
        isinstance(constraint, UniqueConstraint)
        and constraint.condition is not None
        and any(
            isinstance(each, FIELD_CHANGES) and each.model_name_lower == operation.model_name_lower
            for each in run
        )
    )


def _get_kind(operation: Operation) -> str | None:
    if isinstance(operation, migrations.CreateModel):
        return "models"
    return "changes" if isinstance(operation, (*FIELD_CHANGES, *CONSTRAINT_CHANGES)) else None


def _list_changes(operation: Operation) -> list[tuple[str, str]]:
    """Return the lower-case model name and the name of each field, index or constraint that the operation changes."""
    if isinstance(operation, AlterConstraints):
        return [*operation.remove, *((name, each.name) for name, each in operation.add)]
    if isinstance(operation, migrations.AddConstraint):
        return [(operation.model_name_lower, operation.constraint.name)]
    if isinstance(operation, migrations.AddIndex):
        return [(operation.model_name_lower, operation.index.name)]
    if isinstance(operation, (*FIELD_CHANGES, *REMOVALS, migrations.AlterConstraint)):
        return [(operation.model_name_lower, operation.name)]
    return []
