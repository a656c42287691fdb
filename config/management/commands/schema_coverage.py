"""`manage.py schema_coverage`: report how much of the schema documents is implemented."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.schema.coverage import SchemaCoverage, load_coverage
from config.schema.guarantees import PART, SHOWN, WAITS, Guarantee
from config.schema.writers import ALIVE, STORED, WAITING, TableState


class Command(BaseCommand):
    """Compare `docs/schema/` with the models; requires no database."""

    help = "Report the tables and columns of the schema documents, what writes them, and the tests of each guarantee."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--strict", action="store_true", help="Exit with an error if anything is missing or invalid."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        coverage = load_coverage()
        self._tables(coverage)
        self._states(coverage.table_states())
        for guarantee in coverage.guarantees:
            self._guarantee(guarantee)
        counts = Counter(each.state for each in coverage.guarantees)
        self.stdout.write(
            f"\nguarantees: {counts[SHOWN]} shown, {counts[PART]} in part, {counts[WAITS]} waiting"
            f" of {len(coverage.guarantees)}"
        )
        faults = coverage.faults()
        for fault in faults:
            self.stdout.write(self.style.ERROR(f"invalid: {fault}"))
        if options["strict"] and not coverage.is_complete:
            raise CommandError(f"{len(coverage.missing())} missing, {len(faults)} invalid", returncode=1)

    def _tables(self, coverage: SchemaCoverage) -> None:
        for document, tables in coverage.document_columns.items():
            mapped = [table for table in tables if (document, table) in coverage.mapped_tables]
            columns = [key for key in coverage.mapped_columns if key[0] == document]
            total = sum(map(len, tables.values()))
            self.stdout.write(
                f"{document:<16} {len(mapped):>3} of {len(tables):>3} tables"
                f"  {len(columns):>5} of {total:>5} columns"
            )
        self.stdout.write(
            f"{'all':<16} {len(coverage.mapped_tables):>3} of {len(coverage.tables):>3} tables"
            f"  {len(coverage.mapped_columns):>5} of {len(coverage.columns):>5} columns\n"
        )
        for name in coverage.missing():
            self.stdout.write(self.style.WARNING(f"missing: {name}"))

    def _states(self, states: list[TableState]) -> None:
        for each in states:
            remarks = f"  ({'; '.join(each.remarks)})" if each.remarks else ""
            self.stdout.write(f"{each.state:<8} {each.document}.{each.table}: {each.writer.model}{remarks}")
        counts = Counter(each.state for each in states)
        self.stdout.write(
            f"\ntables: {counts[ALIVE]} alive, {counts[STORED]} stored, {counts[WAITING]} waiting"
            f" of {len(states)}; {sum(len(each.unwritten) for each in states)} columns are not written"
        )

    def _guarantee(self, guarantee: Guarantee) -> None:
        self.stdout.write(f"\n{guarantee.number:<4} {guarantee.state:<8} {guarantee.says}")
        for name in guarantee.tests:
            self.stdout.write(f"     {name}")
        for name in guarantee.commands:
            self.stdout.write(f"     manage.py {name}")
        if guarantee.waits_for:
            self.stdout.write(f"     requires: {guarantee.waits_for}")
