"""Mapping of the schema documents to models: `docs/schema/sources/*.yaml`.

An entry maps (document, table, column) to `app.Model.field`; the path may follow relations in both
directions. A column that maps to several fields has one entry per field. A table without listed columns maps to
a model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import models

FOLDER = Path(settings.BASE_DIR) / "docs" / "schema"
ENTRY_KEYS = frozenset({"document", "table", "column", "field", "note", "rule", "unwritten"})

# Document -> table -> columns.
DocumentColumns = dict[str, dict[str, list[str]]]


@dataclass(frozen=True, order=True)
class ColumnSource:
    """A mapping entry; `column` is empty if it maps a whole table.

    `rule` is the reason why the field does not keep a rule of the document, and `unwritten` why nothing in the product
    writes the column.
    """

    document: str
    table: str
    column: str
    field: str
    note: str
    file: str
    rule: str = ""
    unwritten: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {'.'.join(filter(None, self.key))} -> {self.field}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.document, self.table, self.column

    @property
    def remarks(self) -> str:
        """The note, the changed rule and the reason of an unwritten column."""
        rule = self.rule and f"changed rule: {self.rule}"
        unwritten = self.unwritten and f"not written: {self.unwritten}"
        return "; ".join(filter(None, [self.note, rule, unwritten]))

    @property
    def says_why(self) -> bool:
        """Whether the entry explains a renamed column in its note."""
        now = self.field.rpartition(".")[2]
        return bool(self.note) or not self.column or now in (self.column, self.column.removesuffix("_id"))


def load_document_columns(folder: Path = FOLDER) -> DocumentColumns:
    """Load the tables and columns of the documents."""
    return yaml.safe_load((folder / "columns.yaml").read_text())


def load_sources(folder: Path = FOLDER) -> list[ColumnSource]:
    """Load the entries of all files.

    Raises:
        ValueError: if an entry does not have the format described above.
    """
    return [source for path in sorted((folder / "sources").glob("*.yaml")) for source in _entries(path)]


def _entries(path: Path) -> Iterator[ColumnSource]:
    for number, entry in enumerate(yaml.safe_load(path.read_text()) or [], start=1):
        place = f"{path.name}, entry {number}"
        if not isinstance(entry, dict) or not {"document", "table", "field"} <= entry.keys() <= ENTRY_KEYS:
            raise ValueError(
                f"{place}: requires document, table and field; allows column, note, rule and unwritten"
            )
        texts = {key: entry.get(key) or "" for key in ENTRY_KEYS}
        if odd := [key for key, value in texts.items() if not isinstance(value, str)]:
            raise ValueError(f"{place}: {', '.join(sorted(odd))} must be a string")
        yield ColumnSource(**texts, file=path.name)


def resolve_path(path: str) -> Any:
    """Return the model or field that `app.Model.field` names.

    Raises:
        LookupError: if the app, model or field does not exist, or the path continues after a plain field.
    """
    app_label, _, rest = path.partition(".")
    name, *steps = rest.split(".")
    model: type[models.Model] | None = apps.get_model(app_label, name)
    found: Any = model
    for step in steps:
        if model is None:
            raise LookupError(f"{path}: nothing lies behind {found.name}")
        try:
            found = model._meta.get_field(step)
        except FieldDoesNotExist as error:
            raise LookupError(f"{path}: {error}") from None
        model = found.related_model
    return found


def find_target_error(source: ColumnSource) -> str:
    """Return the error of the entry's target, or an empty string."""
    try:
        found = resolve_path(source.field)
    except (LookupError, ValueError) as error:
        return str(error)
    names_model = isinstance(found, type)
    if names_model == bool(source.column):
        return f"{source.field} is a {'model' if names_model else 'field'}"
    return ""
