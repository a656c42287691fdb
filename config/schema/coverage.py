"""Coverage of the schema documents by models and tests."""

from collections import Counter
from dataclasses import dataclass, field

from config.schema.guarantees import NUMBERS, Guarantee, load_guarantees
from config.schema.rules import find_rule_faults, load_rules
from config.schema.sources import (
    ColumnSource,
    DocumentColumns,
    find_target_error,
    load_document_columns,
    load_sources,
)
from config.schema.writers import (
    ALIVE,
    TableState,
    Writer,
    find_writer_faults,
    list_table_states,
    load_writers,
)


@dataclass(frozen=True)
class SchemaCoverage:
    """Required tables and columns, their mapping entries, the guarantees and the writers."""

    document_columns: DocumentColumns
    sources: list[ColumnSource]
    guarantees: list[Guarantee]
    writers: dict[str, Writer] = field(default_factory=dict)

    @property
    def columns(self) -> set[tuple[str, str, str]]:
        return {
            (document, table, column)
            for document, tables in self.document_columns.items()
            for table, columns in tables.items()
            for column in columns
        }

    @property
    def tables(self) -> set[tuple[str, str]]:
        return {(document, table) for document, tables in self.document_columns.items() for table in tables}

    @property
    def mapped_columns(self) -> set[tuple[str, str, str]]:
        """Columns with an entry whose target exists."""
        return {source.key for source in self.sources if not find_target_error(source)} & self.columns

    @property
    def mapped_tables(self) -> set[tuple[str, str]]:
        """Tables whose columns are all mapped, or that map to a model."""
        missing = {(document, table) for document, table, _ in self.columns - self.mapped_columns}
        touched = {source.key[:2] for source in self.sources if not find_target_error(source)}
        return (self.tables & touched) - missing

    def missing(self) -> list[str]:
        """Return unmapped columns and tables as `document.table.column`."""
        columns = {".".join(key) for key in self.columns - {source.key for source in self.sources}}
        tables = {".".join(key) for key in self.tables - {source.key[:2] for source in self.sources}}
        return sorted(columns | tables)

    def faults(self) -> list[str]:
        """Return the errors of entries and guarantees."""
        known = self.columns | {(*table, "") for table in self.tables}
        found = [f"{source}: {what}" for source in self.sources if (what := find_target_error(source))]
        found += [f"{source}: no document has it" for source in self.sources if source.key not in known]
        found += [f"{source}: renamed without a note" for source in self.sources if not source.says_why]
        pairs = Counter((source.key, source.field) for source in self.sources)
        repeated = sorted(pair for pair, count in pairs.items() if count > 1)
        found += [f"{'.'.join(key)} -> {field}: said twice" for key, field in repeated]
        found += find_rule_faults(self.sources, load_rules())
        numbers = [each.number for each in self.guarantees]
        found += [f"{number}: not in guarantees.yaml" for number in NUMBERS if number not in numbers]
        found += find_writer_faults(self.sources, self.writers) if self.writers else []
        alive = [writer.model for writer in self.writers.values() if writer.state == ALIVE]
        for each in self.guarantees:
            found += each.faults() + (each.find_overclaims(alive) if self.writers else [])
        return found

    def table_states(self) -> list[TableState]:
        """Return whether each table is alive, stored or waiting."""
        return list_table_states(self.document_columns, self.sources, self.writers)

    @property
    def is_complete(self) -> bool:
        return not self.missing() and not self.faults()


def load_coverage() -> SchemaCoverage:
    """Load the coverage from the files of `docs/schema/`."""
    return SchemaCoverage(load_document_columns(), load_sources(), load_guarantees(), load_writers())
