"""Writers of the documents' tables: `docs/schema/writers.yaml`.

A model is alive if the product writes its rows when something happens and uses them. The day of a document or a test
of a job in `workflows/tests/days/` shows that its table gains rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from config.schema.sources import FOLDER, ColumnSource, DocumentColumns, find_target_error, resolve_path

ALIVE, STORED, WAITING = "alive", "stored", "waiting"
ENTRY_KEYS = ({"day", "writes", "uses"}, {"stored"}, {"waits"})
DAYS = Path(settings.BASE_DIR) / "workflows" / "tests" / "days"


@dataclass(frozen=True)
class Writer:
    """The writers and users of a model's rows, or the reason why there are none.

    `day` names the test that shows it.
    """

    model: str
    day: str = ""
    writes: str = ""
    uses: str = ""
    stored: str = ""
    waits: str = ""

    @property
    def state(self) -> str:
        return ALIVE if self.day else WAITING if self.waits else STORED

    @property
    def reason(self) -> str:
        return self.stored or self.waits

    def faults(self) -> list[str]:
        """Return an error if the named day does not exist."""
        known = not self.day or (DAYS / f"test_day_{self.day}.py").is_file()
        return [] if known else [f"{self.model}: unknown day {self.day}"]


@dataclass(frozen=True)
class TableState:
    """State of a table: that of the model of its first column.

    `models` are the other models that hold columns of the table.
    """

    document: str
    table: str
    writer: Writer
    models: tuple[Writer, ...]
    unwritten: tuple[str, ...]

    @property
    def state(self) -> str:
        return self.writer.state

    @property
    def remarks(self) -> list[str]:
        """The reason of the table, other models that are not alive, and unwritten columns."""
        rest = [f"{each.model} {each.state}: {each.reason}" for each in self.models if each.reason]
        columns = [f"not written: {', '.join(self.unwritten)}"] if self.unwritten else []
        return [*filter(None, [self.writer.reason]), *rest, *columns]


def load_writers(folder: Path = FOLDER) -> dict[str, Writer]:
    """Load the entries by model.

    Raises:
        ValueError: if an entry does not have the format described above.
    """
    entries = yaml.safe_load((folder / "writers.yaml").read_text())
    for model, entry in entries.items():
        if not isinstance(entry, dict) or entry.keys() not in ENTRY_KEYS or not all(entry.values()):
            raise ValueError(f"writers.yaml, {model}: requires day, writes and uses; or stored; or waits")
    return {model: Writer(model, **entry) for model, entry in entries.items()}


def list_models(sources: list[ColumnSource]) -> dict[tuple[str, str], list[str]]:
    """Return the models that hold the columns of each table, in the order of the entries."""
    found: dict[tuple[str, str], list[str]] = {}
    for source in sources:
        if not find_target_error(source):
            target = resolve_path(source.field)
            model: Any = target if isinstance(target, type) else target.model
            labels = found.setdefault(source.key[:2], [])
            if model._meta.label not in labels:
                labels.append(model._meta.label)
    return found


def list_table_states(
    columns: DocumentColumns, sources: list[ColumnSource], writers: Mapping[str, Writer]
) -> list[TableState]:
    """Return the state of each table of the documents."""
    models, states = list_models(_by_column(columns, sources)), []
    for document, tables in columns.items():
        for table in tables:
            labels = models.get((document, table), [])
            # Tables and models without an entry are reported as missing and as faults.
            if not labels or not writers.keys() >= set(labels):
                continue
            first, *rest = [writers[label] for label in labels]
            unwritten = [
                each.column for each in sources if each.key[:2] == (document, table) and each.unwritten
            ]
            states.append(TableState(document, table, first, tuple(rest), tuple(dict.fromkeys(unwritten))))
    return states


def _by_column(columns: DocumentColumns, sources: list[ColumnSource]) -> list[ColumnSource]:
    """Return the entries in the order of the documents' columns."""

    def place(source: ColumnSource) -> int:
        names = columns.get(source.document, {}).get(source.table, [])
        return names.index(source.column) if source.column in names else 0

    return sorted(sources, key=place)


def find_writer_faults(sources: list[ColumnSource], writers: Mapping[str, Writer]) -> list[str]:
    """Return the models without an entry, entries without a table, and missing days."""
    mapped = {label for labels in list_models(sources).values() for label in labels}
    found = [f"{label}: not in writers.yaml" for label in sorted(mapped - writers.keys())]
    found += [f"{label}: no table of the documents" for label in sorted(writers.keys() - mapped)]
    return found + [fault for writer in writers.values() for fault in writer.faults()]
