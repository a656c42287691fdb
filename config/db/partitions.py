"""Range partitions over UUIDv7 ids: declaration, creation and expiry.

The primary key remains `id`, so foreign keys, the admin and single-row reads work as for any table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.utils import timezone

from config.db.ids import uuid7_floor


class PartitionedMixin:
    """Mixin for models whose table is partitioned by the time of their UUIDv7 ids.

    It is not a model, so that migrations keep it in `bases` and the schema editor sees `partition_period`.
    """

    partition_period = "month"


class PartitionedByWeekMixin(PartitionedMixin):
    partition_period = "week"


class PartitionedByQuarterMixin(PartitionedMixin):
    partition_period = "quarter"


class PartitionedByTenantMixin:
    """Mixin for models whose table is list-partitioned by tenant.

    All tenants start in the default partition. The primary key in the database is (tenant_id, id), because it must
    include the partition key.
    """

    partition_by_tenant = True


@dataclass(frozen=True)
class Partition:
    """A partition. `start` is inclusive and `end` exclusive, both in UTC."""

    table: str
    name: str
    start: datetime
    end: datetime


def period_start(moment: datetime, period: str) -> datetime:
    """Return the start of the period that contains `moment`.

    Raises:
        ValueError: the period is not week, month or quarter.
    """
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    if period == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    raise ValueError(f"unknown partition period {period!r}")


def next_start(start: datetime, period: str) -> datetime:
    """Return the start of the period after the one that starts at `start`."""
    return period_start(start + timedelta(days={"week": 7, "month": 32, "quarter": 95}[period]), period)


def partition_at(table: str, moment: datetime, period: str) -> Partition:
    """Return the partition of `table` for ids created at `moment`."""
    start = period_start(moment, period)
    return Partition(table, f"{table}_p{start:%Y%m%d}", start, next_start(start, period))


def partitioned_models() -> list[type[models.Model]]:
    """Return the models whose tables are partitioned by time."""
    return [model for model in apps.get_models() if getattr(model, "partition_period", None)]


def required_partitions(
    table: str, period: str, *, now: datetime, ahead: int, since: datetime | None = None
) -> Iterator[Partition]:
    """Yield the partitions from `since` (default: the previous period) to `ahead` periods after now."""
    moment = since or period_start(period_start(now, period) - timedelta(days=1), period)
    last = period_start(now, period)
    for _ in range(ahead):
        last = next_start(last, period)
    partition = partition_at(table, moment, period)
    while partition.start <= last:
        yield partition
        partition = partition_at(table, partition.end, period)


def ensure_partitions(
    *,
    ahead: int | None = None,
    since: datetime | None = None,
    models_: list[type[models.Model]] | None = None,
) -> list[str]:
    """Create the missing partitions of `models_` (default: all) and return their names.

    Allowed to the owner and, through a SECURITY DEFINER function, to the worker and the operator role.
    """
    created = []
    with connection.cursor() as cursor:
        for model in models_ or partitioned_models():
            table, period = model._meta.db_table, model.partition_period  # type: ignore[attr-defined]
            wanted = required_partitions(
                table,
                period,
                now=timezone.now(),
                ahead=settings.PARTITIONS_AHEAD if ahead is None else ahead,
                since=since,
            )
            for part in wanted:
                bounds = [str(uuid7_floor(part.start)), str(uuid7_floor(part.end))]
                cursor.execute("SELECT conclave_make_partition(%s, %s, %s, %s)", [table, part.name, *bounds])
                if cursor.fetchone()[0]:
                    created.append(part.name)
    return created


def existing_partitions(table: str) -> list[str]:
    """Return the names of the partitions of `table`, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY 1",
            [table],
        )
        return [row[0] for row in cursor.fetchall()]


def periods_ahead(model: type[models.Model]) -> int:
    """Return the number of partitions after the current one."""
    table, period = model._meta.db_table, model.partition_period  # type: ignore[attr-defined]
    current = partition_at(table, timezone.now(), period).name
    return sum(1 for name in existing_partitions(table) if name > current)


@dataclass(frozen=True)
class TableReference:
    """A foreign key of `table`: its column and delete rule (`c` cascade, `n` set null)."""

    table: str
    column: str
    rule: str


def references_to(table: str) -> list[TableReference]:
    """Return the foreign keys to `table`, except those of partitions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.relname, a.attname, c.confdeltype::text FROM pg_constraint c"
            " JOIN pg_class r ON r.oid = c.conrelid AND NOT r.relispartition"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[array_upper(c.conkey, 1)]"
            " WHERE c.contype = 'f' AND c.confrelid = %s::regclass ORDER BY 1, 2",
            [table],
        )
        return [TableReference(*row) for row in cursor.fetchall()]


def children_first(models_: Iterable[type[models.Model]]) -> list[type[models.Model]]:
    """Sort `models_` so that referencing tables come before referenced ones."""
    by_table = {model._meta.db_table: model for model in models_}
    found = {table: references_to(table) for table in by_table}
    referencing = {table: {each.table for each in references} for table, references in found.items()}

    def comes_first(table: str, other: TableReference) -> bool:
        # Of two tables that refer to each other, the database clears the reference that may be null.
        is_mutual = other.rule == "n" and table in referencing.get(other.table, ())
        return other.table in by_table and other.table != table and not is_mutual

    needs = {
        table: {each.table for each in references if comes_first(table, each)}
        for table, references in found.items()
    }
    return [by_table[table] for table in TopologicalSorter(needs).static_order()]


def clear_references(part: Partition, also: Iterable[str] = ()) -> int:
    """Delete or null the references that prevent dropping `part`; return their number.

    This covers tables without partitions and the partitioned tables in `also`, which can have rows slightly newer than
    the rows they reference. References that restrict deletion are kept and make the drop fail.
    """
    partitioned = {model._meta.db_table for model in partitioned_models()} - {*also}
    bounds = [str(uuid7_floor(part.start)), str(uuid7_floor(part.end))]
    cleared = 0
    with connection.cursor() as cursor:
        for each in references_to(part.table):
            verb = {"c": "DELETE FROM {t}", "n": "UPDATE {t} SET {c} = NULL"}.get(each.rule)
            if verb and each.table not in partitioned:
                statement = verb + " WHERE {c} >= %s AND {c} < %s"
                cursor.execute(statement.format(t=f'"{each.table}"', c=f'"{each.column}"'), bounds)
                cleared += cursor.rowcount
    return cleared


def expire_all(
    models_: Iterable[type[models.Model]], *, before: datetime
) -> Iterator[tuple[type[models.Model], list[str]]]:
    """Drop expired partitions of several tables, children first, and the references to them.

    Raises:
        django.db.IntegrityError: an expiring row is still referenced by rows that restrict deletion or by a
            partitioned table that is not in `models_`.
    """
    ordered = children_first(models_)
    chosen = [model._meta.db_table for model in ordered]
    for model in ordered:
        for part in _expired_partitions(model, before):
            clear_references(part, also=chosen)
        yield model, expire_partitions(model, before=before)


def _expired_partitions(model: type[models.Model], before: datetime) -> Iterator[Partition]:
    """Yield the partitions of `model` that end at or before `before`."""
    table, period = model._meta.db_table, model.partition_period  # type: ignore[attr-defined]
    for name in existing_partitions(table):
        start = datetime.strptime(name.rsplit("_p", 1)[1], "%Y%m%d").replace(tzinfo=UTC)
        if next_start(start, period) <= before:
            yield Partition(table, name, start, next_start(start, period))


def expire_partitions(model: type[models.Model], *, before: datetime) -> list[str]:
    """Detach (concurrently) and drop the partitions that end at or before `before`.

    Requires the owner's connection in autocommit mode.

    Raises:
        django.db.IntegrityError: rows of another table still reference an expiring row.
    """
    dropped = []
    with connection.cursor() as cursor:
        for part in _expired_partitions(model, before):
            cursor.execute(f'ALTER TABLE "{part.table}" DETACH PARTITION "{part.name}" CONCURRENTLY')
            cursor.execute(f'DROP TABLE "{part.name}"')
            dropped.append(part.name)
    return dropped
