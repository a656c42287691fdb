"""Promotion of a tenant to its own partition while four clients search and write."""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from .dataset import ACTOR, DIMENSIONS, Tenant, chunks_of

PAUSE = 0.05
TEXT = "A passage that is written while its tenant moves."


class Client(threading.Thread):
    """Thread that repeats a step until stopped, and keeps its longest time and its errors."""

    def __init__(self, step: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.step, self.stop, self.longest, self.steps = step, threading.Event(), 0.0, 0
        self.error: Exception | None = None

    def run(self) -> None:
        from django.db import connection

        try:
            while not self.stop.is_set():
                began = time.perf_counter()
                self.step()
                self.longest = max(self.longest, time.perf_counter() - began)
                self.steps += 1
                self.stop.wait(PAUSE)
        except Exception as error:  # noqa: BLE001 - it is reported
            self.error = error
        finally:
            connection.close()


class Writer:
    """Writer that adds two chunks, deletes one, and tracks the expected ids."""

    def __init__(self, owner: Tenant, place: int) -> None:
        self.owner, self.place, self.there = owner, place, list[UUID]()

    def __call__(self) -> None:
        from config.tenancy.scope import tenant_scope
        from knowledge.models import Chunk
        from knowledge.services.chunk_storage import store_chunks

        rows = chunks_of(self.owner, [TEXT, TEXT], self.place)
        with tenant_scope(self.owner.tenant, actor=ACTOR):
            store_chunks(rows, [[1.0] + [0.0] * (DIMENSIONS - 1)] * 2, dimensions=DIMENSIONS)
            Chunk.objects.filter(pk__in=self.there[:1]).delete()
        self.place += 2
        self.there = [*self.there[1:], *(row.pk for row in rows)]


COUNTED = f"""
SELECT count(*), count(DISTINCT id) FROM knowledge_chunkvector{DIMENSIONS}
WHERE tenant_id = %s AND collection_id = %s AND id <= %s"""


def searching(owner: Tenant, stable: list[UUID]) -> Callable[[], None]:
    """Return a step that counts the vectors stored before the start: none may be missing or duplicated."""

    def step() -> None:
        from django.db import connection

        from config.tenancy.scope import tenant_scope

        with tenant_scope(owner.tenant, actor=ACTOR), connection.cursor() as cursor:
            cursor.execute(COUNTED, [owner.tenant, owner.collection, max(stable)])
            found = cursor.fetchone()
        if found != (len(stable), len(stable)):
            raise AssertionError(f"{found[0]} rows, {found[1]} different ones, of {len(stable)}")

    return step


def ids_of(owner: Tenant) -> list[UUID]:
    """Return the ids of all vectors of the tenant."""
    from config.tenancy.scope import tenant_scope
    from knowledge.models import ChunkVector384

    with tenant_scope(owner.tenant, actor=ACTOR):
        return list(ChunkVector384.objects.filter(tenant_id=owner.tenant).values_list("pk", flat=True))


def moved_under_load(database: Any, owner: Tenant, most_locked: float) -> bool:
    """Promote the tenant under load, print the result and return whether a limit was exceeded.

    Two clients search and two write during the promotion.
    """
    from knowledge.models import ChunkVector384
    from knowledge.services.vectors import VectorPartitioner

    stable = ids_of(owner)
    writers = [Writer(owner, int(time.time()) + number * 10**6) for number in (1, 2)]
    searchers = [searching(owner, stable) for _ in range(2)]
    clients = [*map(Client, writers), *map(Client, searchers)]
    for client in clients:
        client.start()
    try:
        move = VectorPartitioner(ChunkVector384, database).promote(UUID(owner.tenant))
    finally:
        for client in clients:
            client.stop.set()
            client.join()
    expected = sorted([*stable, *writers[0].there, *writers[1].there])
    errors = [str(client.error) for client in clients if client.error]
    wrong = [
        *errors,
        *(["ROWS MISSED OR TWICE"] if sorted(ids_of(owner)) != expected else []),
        *(["LOCKED TOO LONG"] if move.locked_ms >= most_locked else []),
    ]
    print(
        f"promotion under load: {move}; {sum(each.steps for each in clients[:2])} writes, the longest"
        f" {max(each.longest for each in clients[:2]) * 1000:.0f} ms, {sum(each.steps for each in clients[2:])}"
        f" searches of all rows: {', '.join(wrong) or 'ok'}",
        flush=True,
    )
    return bool(wrong)
