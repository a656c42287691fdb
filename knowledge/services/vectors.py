"""Promotion and demotion of tenants between vector partitions.

Vectors of small tenants stay in the default partition and are compared exactly. Large tenants get a separate partition
with an HNSW index. Moves run while other sessions search and write.

A promotion takes several transactions, so call it outside any scope and transaction; an interrupted one leaves a staged
table that the next one drops. The last step is one transaction, so each row is always visible exactly once.
"""

import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection as default_connection
from django.db import transaction
from django.db.utils import IntegrityError, OperationalError

from knowledge.models import VECTOR_MODELS, ChunkVector

logger = logging.getLogger(__name__)

# HNSW parameters `m` and `ef_construction`. Measured in benchmarks/knowledge.py.
LINKS, EFFORT = 16, 128
TRIES, LONGEST_PAUSE = 200, 0.25
# Rows per catch-up transaction, and maximum number of these transactions.
AT_ONCE, PASSES = 20, 10_000
LOCKED, MISSING = "55P03", "23503"


class TableBusyError(Exception):
    """The tables could not be locked without blocking other sessions; retry later."""


@dataclass(frozen=True, slots=True)
class TenantVectors:
    """A tenant's vectors in one table; `own` means in a separate partition, `staged` being moved to one."""

    tenant_id: UUID
    vectors: int
    own: bool
    staged: bool


@dataclass(frozen=True, slots=True)
class PartitionMove:
    """A completed promotion or demotion, with its lock time and number of tries."""

    verb: str
    table: str
    tenant_id: UUID
    vectors: int
    locked_ms: float
    tries: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.verb} {self.tenant_id} in {self.table}: {self.vectors} vectors, {self.seconds:.1f} s,"
            f" tables locked for {self.locked_ms:.0f} ms at try {self.tries}"
        )


@dataclass(frozen=True, slots=True)
class VectorPartitioner:
    """Moves the vectors of tenants in one table.

    Args:
        model: Model of the table.
        connection: Connection of the worker or the schema owner, the only roles with permission.
    """

    model: type[ChunkVector]
    connection: Any = field(default_factory=lambda: default_connection)

    @property
    def table(self) -> str:
        return str(self.model._meta.db_table)

    def census(self) -> list[TenantVectors]:
        """Return the vectors of all tenants, largest first."""
        rows = self._rows("SELECT * FROM conclave_vectors_census(%s)", [self.table])
        return [
            TenantVectors(tenant, vectors, own and attached, own and not attached)
            for tenant, vectors, own, attached in rows
        ]

    def promote(self, tenant_id: UUID) -> PartitionMove:
        """Move the tenant's vectors to a separate partition.

        Raises:
            TableBusyError: If the tables could not be locked; nothing is moved.
        """
        began = time.monotonic()
        self._again("discard", tenant_id)
        _, since = self._call("stage", tenant_id, LINKS, EFFORT)
        self._again("bind", tenant_id)
        self._call("validate", tenant_id)
        for tries in range(1, TRIES + 1):
            since = self._catch_up(tenant_id, since)
            if done := self._unless_busy("swap", tenant_id, since):
                break
            _pause(tries)
        else:
            raise TableBusyError(f"{self.table}: could not lock the tables for the swap in {TRIES} tries")
        moved, locked = done
        return PartitionMove(
            "promoted", self.table, tenant_id, moved, locked, tries, time.monotonic() - began
        )

    def demote(self, tenant_id: UUID, *, most: int) -> PartitionMove:
        """Move the tenant's vectors, at most `most`, back to the default partition.

        Raises:
            TableBusyError: If the tables could not be locked.
            OperationalError: If the tenant has more than `most` vectors.
        """
        began = time.monotonic()
        (moved, locked), tries = self._again("demote", tenant_id, most)
        return PartitionMove("demoted", self.table, tenant_id, moved, locked, tries, time.monotonic() - began)

    def discard(self, tenant_id: UUID) -> None:
        """Drop the staged table of an interrupted promotion."""
        self._again("discard", tenant_id)

    def _catch_up(self, tenant_id: UUID, since: str) -> str:
        """Copy changed rows in small transactions; return the new `since`."""
        for _ in range(PASSES):
            (brought, upcoming), _ = self._again("catch_up", tenant_id, since, AT_ONCE)
            if brought < AT_ONCE:
                return str(upcoming)
        raise TableBusyError(f"{self.table}: rows are written faster than they can be indexed")

    def _again(self, step: str, tenant_id: UUID, *arguments: Any) -> tuple[tuple[Any, ...], int]:
        """Call the step, retrying while the tables are locked; return its row and the try."""
        for number in range(1, TRIES + 1):
            if row := self._unless_busy(step, tenant_id, *arguments):
                return row, number
            _pause(number)
        raise TableBusyError(f"{self.table}: could not lock the tables for {step} in {TRIES} tries")

    def _unless_busy(self, step: str, tenant_id: UUID, *arguments: Any) -> tuple[Any, ...] | None:
        try:
            return self._call(step, tenant_id, *arguments)
        except (OperationalError, IntegrityError) as error:
            if getattr(error.__cause__, "sqlstate", "") not in (LOCKED, MISSING):
                raise
            return None

    def _call(self, step: str, tenant_id: UUID, *arguments: Any) -> tuple[Any, ...]:
        if self.connection.in_atomic_block:
            raise transaction.TransactionManagementError("each step needs a separate transaction")
        marks = ", ".join(["%s"] * (2 + len(arguments)))
        return self._rows(
            f"SELECT * FROM conclave_vectors_{step}({marks})", [self.table, tenant_id, *arguments]
        )[0]

    def _rows(self, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())


def _pause(number: int) -> None:
    time.sleep(random.uniform(0.01, min(LONGEST_PAUSE, 0.02 * number)))  # noqa: S311 - jitter


def balance_partitions(connection: Any = None) -> Iterator[PartitionMove]:
    """Promote tenants above `VECTOR_PARTITION_ROWS` and demote those below half of it.

    A tenant whose tables cannot be locked is skipped until the next run.
    """
    for model in VECTOR_MODELS.values():
        keeper = VectorPartitioner(model, connection or default_connection)
        for tenant_vectors in keeper.census():
            try:
                move = _balance_tenant(keeper, tenant_vectors, settings.VECTOR_PARTITION_ROWS)
            except TableBusyError as error:
                logger.warning("vectors not moved: %s", error)
                continue
            if move:
                logger.info("vectors moved: %s", move)
                yield move


def _balance_tenant(keeper: VectorPartitioner, held: TenantVectors, limit: int) -> PartitionMove | None:
    if not held.own and held.vectors > limit:
        return keeper.promote(held.tenant_id)
    if held.own and held.vectors < limit // 2:
        return keeper.demote(held.tenant_id, most=limit)
    if held.staged:
        keeper.discard(held.tenant_id)
    return None
