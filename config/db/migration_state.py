"""Faster migrations by rendering fewer model states.

For each operation Django renders the changed model and all related models, which is nearly every model
here, through the tenant. This took five sixths of the time of `migrate` from empty. Within
`lazy_model_rendering`, an operation that affects only its own table renders only that model. Other models
then refer to an older class of it, as after any operation that Django delays (`ProjectState.is_delayed`).
Code that needs relations, such as `RunPython`, makes Django render all models again. A migration with any
other operation (renames, referenced keys) runs unchanged.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import migrations
from django.db.migrations.migration import Migration
from django.db.migrations.state import ProjectState
from django.db.migrations.utils import field_is_referenced

OWN_TABLE_OPERATIONS = (
    migrations.CreateModel,
    migrations.DeleteModel,
    migrations.AddField,
    migrations.RemoveField,
    migrations.AddIndex,
    migrations.RemoveIndex,
    migrations.AddConstraint,
    migrations.RemoveConstraint,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.AlterUniqueTogether,
    migrations.RunPython,
)
_lazy: ContextVar[bool] = ContextVar("conclave_quick_states", default=False)


def touches_own_table(operation: Any, app_label: str, state: ProjectState) -> bool:
    """Return whether related models are unaffected by an operation."""
    if isinstance(operation, migrations.AlterField):
        field, key = operation.field, (app_label, operation.model_name_lower)
        # Only unique fields can be referenced.
        return not (field.primary_key or field.unique) or not field_is_referenced(
            state, key, (operation.name, field)
        )
    if isinstance(operation, migrations.RunSQL):
        return not operation.state_operations
    return isinstance(operation, OWN_TABLE_OPERATIONS)


def _find_submodels(state: ProjectState, key: tuple[str, str]) -> set[tuple[str, str]]:
    """Return the model and its subclasses."""
    found = {key}
    named = f"{key[0]}.{key[1]}"
    for other, model in state.models.items():
        if other not in found and any(isinstance(b, str) and b.lower() == named for b in model.bases):
            found |= _find_submodels(state, other)
    return found


def _find_reload_model(state: ProjectState, app_label: str, model_name: str, delay: bool = False) -> Any:
    if not _lazy.get():
        return ORIGINAL_FIND_RELOAD_MODEL(state, app_label, model_name, delay)  # type: ignore[arg-type]
    state.is_delayed = True
    return _find_submodels(state, (app_label, model_name.lower()))


ORIGINAL_FIND_RELOAD_MODEL = ProjectState._find_reload_model  # type: ignore[attr-defined]


def _wrap_method(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method of `Migration` to render lazily if all operations allow it."""

    @functools.wraps(method)
    def run(migration: Migration, state: ProjectState, *args: Any, **kwargs: Any) -> Any:
        quick = all(touches_own_table(each, migration.app_label, state) for each in migration.operations)
        if not quick:
            state.clear_delayed_apps_cache()
        token = _lazy.set(quick)
        try:
            return method(migration, state, *args, **kwargs)
        finally:
            _lazy.reset(token)

    return run


@contextmanager
def _patch_attribute(owner: type, name: str, method: Callable[..., Any]) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, method)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def lazy_model_rendering() -> Iterator[None]:
    """Render only the affected models of migrations inside the block."""
    with ExitStack() as stack:
        stack.enter_context(_patch_attribute(ProjectState, "_find_reload_model", _find_reload_model))
        for name in ("apply", "unapply", "mutate_state"):
            stack.enter_context(_patch_attribute(Migration, name, _wrap_method(getattr(Migration, name))))
        yield
