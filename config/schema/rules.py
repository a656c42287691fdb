"""Rules of the documents' columns, `docs/schema/rules.yaml`, compared with the models.

A rule that the models do not keep needs a reason: the member `rule` of the mapping entry.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from django.db import models

from config.schema.sources import FOLDER, ColumnSource, find_target_error, resolve_path

# Document -> table -> column -> rules.
Rules = dict[str, dict[str, dict[str, dict[str, Any]]]]


def load_rules(folder: Path = FOLDER) -> Rules:
    """Load the rules of the documents."""
    return yaml.safe_load((folder / "rules.yaml").read_text())


def find_changed_rules(source: ColumnSource, rules: Rules) -> list[str]:
    """Return the rules of the entry's column that its field does not keep."""
    wanted = rules.get(source.document, {}).get(source.table, {}).get(source.column)
    return list(_compare(resolve_path(source.field), wanted)) if wanted else []


def find_rule_faults(sources: list[ColumnSource], rules: Rules) -> list[str]:
    """Return the entries whose field changes a rule without a reason."""
    return [
        f"{source}: does not keep {', '.join(changed)}, and has no reason"
        for source in sources
        if not source.rule
        and not find_target_error(source)
        and (changed := find_changed_rules(source, rules))
    ]


def _compare(field: Any, wanted: dict[str, Any]) -> Iterator[str]:
    if wanted.get("required") and field.null:
        yield "required"
    if wanted.get("unique") and not _is_unique(field):
        yield "unique"
    if isinstance(field, models.CharField) and (field.max_length or 0) < wanted.get("length", 0):
        yield "length"
    if "on_delete" in wanted and _delete_rule(field) != wanted["on_delete"]:
        yield "on_delete"


def _is_unique(field: Any) -> bool:
    constraints = [
        each for each in field.model._meta.constraints if isinstance(each, models.UniqueConstraint)
    ]
    alone = [each for each in constraints if each.condition is None and tuple(each.fields) == (field.name,)]
    return bool(getattr(field, "unique", False) or alone)


def _delete_rule(field: Any) -> str:
    """Return the rule of a foreign key in the database, or an empty string."""
    rule: str = getattr(field, "database_rule", "")
    if not rule and field.is_relation:
        rule = field.remote_field.on_delete.__name__
    return rule.lower().replace(" ", "_")
