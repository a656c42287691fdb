"""`python -m benchmarks.knowledge [--full] [--kept FOLDER] [--rivals PYTHON]`: recall and cost of search by
tenant size, compared with exact scans, Chroma and Qdrant; promotion under load; ingestion; storing compared with COPY.

Runs on a temporary installation with the application's role under row-level security; `layout` describes the data.
Because the machine may be noisy, the cost of a query is the CPU time of the client and its database backend together
(of all threads for an in-process engine), as the median over the queries; wall time is printed in parentheses.
"""

import argparse
import itertools
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .dataset import ACTOR, AT_ONCE, DIMENSIONS, EMBEDDER, LAYOUTS, Tenant, chunks_of, filled, passages
from .ingest import measure_ingest, measure_start
from .meter import spent_with
from .rivals import ENGINES, Answer, Rivals, compared, rival_python

DEPTH = 10
# Limits; see README.md.
LEAST_RECALL, MOST_OF_EXACT, MOST_OF_HALF, LEAST_OF_COPY, MOST_LOCKED = 0.98, 1.5, 2.0, 0.5, 100
MOST_OF_VECTORS = 3.0
WAYS = ("round trip", "exact", "statement", "vectors", "words", "hybrid")


@dataclass
class Timed:
    """Wall and CPU seconds of each query."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def ms(self) -> float:
        return statistics.median(self.cpu) * 1000

    @property
    def wall_ms(self) -> float:
        return statistics.median(self.wall) * 1000


@contextmanager
def timing(into: Timed, backend: int) -> Iterator[None]:
    """Add the time of the block in this process and one database backend."""
    spent, began = spent_with(backend), time.perf_counter()
    yield
    into.wall.append(time.perf_counter() - began)
    into.cpu.append(spent_with(backend) - spent)


@dataclass
class Measured:
    """Results for one tenant."""

    size: int
    own: bool
    recalls: list[float] = field(default_factory=list)
    fewest: int = DEPTH
    times: dict[str, Timed] = field(default_factory=lambda: {way: Timed() for way in WAYS})

    @property
    def recall(self) -> float:
        return statistics.mean(self.recalls)

    def kind(self, number: int) -> float:
        """Return the recall of one of the three kinds of queries."""
        return statistics.mean(self.recalls[number::3])


@dataclass(frozen=True)
class Asked:
    """A query with its vectors by embedding model, in PostgreSQL's text format."""

    text: str
    vectors: dict[str, str]


EXACT = (
    f"SELECT id FROM knowledge_chunkvector{DIMENSIONS} WHERE tenant_id = %s AND collection_id = %s"
    f" ORDER BY (embedding <=> %s::halfvec) + 0 LIMIT {DEPTH}"
)


def measure(owner: Tenant, own: bool, asked: list[Asked]) -> Measured:
    """Measure recall against exact comparison, and the cost of each search method."""
    from django.db import connection

    from config.tenancy.scope import tenant_scope
    from knowledge.models import Collection
    from knowledge.services.search import execute_search, prepare_search, search

    found = Measured(owner.size, own)
    with tenant_scope(owner.tenant, actor=ACTOR), connection.cursor() as cursor:
        # The CPU time of parallel workers would not be counted.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
        collection = Collection.objects.get(pk=owner.collection)
        for number, question in enumerate([asked[0], *asked]):
            one = Measured(owner.size, own)
            with timing(one.times["round trip"], backend):
                cursor.execute("SELECT 1")
                cursor.fetchall()
            with timing(one.times["exact"], backend):
                cursor.execute(EXACT, [owner.tenant, owner.collection, question.vectors[EMBEDDER]])
                truth = {row[0] for row in cursor.fetchall()}
            prepared = prepare_search(
                question.text, [collection], vectors=question.vectors, strategy="semantic", limit=DEPTH
            )
            with timing(one.times["statement"], backend):
                near = {row[0] for row in execute_search(prepared)}
            for way, strategy in (("vectors", "semantic"), ("words", "keyword"), ("hybrid", "hybrid")):
                with timing(one.times[way], backend):
                    search(
                        question.text,
                        [collection],
                        limit=DEPTH,
                        strategy=strategy,
                        vectors=question.vectors,
                    )
            # The first round is a warm-up: one-time planning, reading and counting is not part of a search.
            if number:
                _add(found, one, near, truth)
    return found


def _add(found: Measured, one: Measured, near: set[Any], truth: set[Any]) -> None:
    found.recalls.append(len(near & truth) / len(truth))
    found.fewest = min(found.fewest, len(near))
    for way in WAYS:
        found.times[way].wall += one.times[way].wall
        found.times[way].cpu += one.times[way].cpu


def storing(owner: Tenant, database: str) -> tuple[Timed, Timed]:
    """Measure `store_chunks` and binary COPY of the same rows into bare tables, alternately, five times each."""
    from django.db import connection

    from config.tenancy.scope import tenant_scope
    from knowledge.embedders import get_embedder
    from knowledge.services.chunk_storage import store_chunks

    from .copying import bare_copy

    texts = list(itertools.islice(passages(), AT_ONCE))
    vectors = get_embedder(EMBEDDER).embed(texts)
    ours, bare = Timed(), Timed()
    first = int(time.time())
    for number in range(5):
        rows = chunks_of(owner, texts, first + number * AT_ONCE)
        with tenant_scope(owner.tenant, actor=ACTOR):
            connection.ensure_connection()
            backend = connection.connection.info.backend_pid
        with timing(ours, backend), tenant_scope(owner.tenant, actor=ACTOR):
            store_chunks(rows, vectors, dimensions=DIMENSIONS)
        wall, cpu = bare_copy(rows, vectors, database)
        bare.wall.append(wall)
        bare.cpu.append(cpu)
        with tenant_scope(owner.tenant, actor=ACTOR):
            _forget(rows)
    return ours, bare


def _forget(rows: list[Any]) -> None:
    from knowledge.models import Chunk

    Chunk.objects.filter(pk__in=[row.pk for row in rows]).delete()


def report(found: Measured) -> bool:
    """Print the results for one tenant and return whether a limit was exceeded."""
    times = found.times
    exact, slower = times["exact"].ms, max(times["vectors"].ms, times["words"].ms)
    wrong = [
        *(["RECALL"] if found.recall < LEAST_RECALL else []),
        *(["FEWER THAN THERE ARE"] if found.fewest < min(DEPTH, found.size) else []),
        *(["STATEMENT"] if not found.own and times["statement"].ms > MOST_OF_EXACT * exact else []),
        *(["WORDS"] if times["words"].ms > MOST_OF_VECTORS * times["vectors"].ms else []),
        *(["HYBRID"] if times["hybrid"].ms > MOST_OF_HALF * slower else []),
    ]
    kinds = "/".join(f"{found.kind(number):.2f}" for number in range(3))
    print(
        f"{found.size:>7} {'own' if found.own else 'default':<8} recall@10 {found.recall:.3f} ({kinds})"
        f"  CPU ms (wall): "
        + ", ".join(f"{way} {times[way].ms:.2f} ({times[way].wall_ms:.2f})" for way in WAYS)
        + f"; statement {times['statement'].ms / exact:.2f}x exact, whole call"
        f" {times['vectors'].ms / exact:.2f}x, words {times['words'].ms / exact:.1f}x and"
        f" {times['words'].ms / times['vectors'].ms:.1f}x the vectors, hybrid"
        f" {times['hybrid'].ms / slower:.2f}x its slower half: {', '.join(wrong) or 'ok'}",
        flush=True,
    )
    return bool(wrong)


def beside(found: Measured, answer: Answer) -> bool:
    """Print the cost compared with an engine's for one tenant; return whether a limit was exceeded."""
    times = found.times
    line, failed = compared(
        answer,
        ms=times["statement"].ms,
        recall=found.recall,
        round_trip=times["round trip"].ms,
        own=found.own,
    )
    print(f"        {line}", flush=True)
    return failed


def run(*, full: bool, database: str, folder: Path, python: str | None) -> int:
    """Fill, promote, measure and print; return 1 if a limit is exceeded."""
    from config.postgres.checks import owner_connection
    from knowledge.models import ChunkVector384
    from knowledge.services.search import embed_search_query
    from knowledge.services.vectors import VectorPartitioner, balance_partitions

    from .promotion import moved_under_load

    layout = LAYOUTS["full" if full else "small"]
    owners, texts = filled(layout, folder)
    print(f"{sum(layout.sizes)} vectors x {DIMENSIONS} of {len(owners)} tenants", flush=True)
    rivals = Rivals(python, folder) if python else None
    owner = owner_connection()
    for move in balance_partitions(owner):
        print(move, flush=True)
    with owner.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) knowledge_chunk, knowledge_chunkvector384, knowledge_document")
    held = VectorPartitioner(ChunkVector384, owner).census()
    own = {str(each.tenant_id) for each in held if each.own}
    asked = [Asked(text, _vectors_of(embed_search_query, text)) for text in texts]
    engines = rivals.ready() if rivals else []
    failed = False
    for place, each in _measured(owners, layout.measured):
        found = measure(each, each.tenant in own, asked)
        failed |= report(found)
        if rivals and place < layout.rivals:
            for engine in engines:
                failed |= beside(found, rivals.ask(engine, place, DEPTH, found.recall))
    if rivals:
        rivals.close()
    if missing := [engine for engine in ENGINES if engine not in engines]:
        print(f"NOT MEASURED: the ratios with {', '.join(missing)}; see --rivals", flush=True)
    moving = next(
        each for each in owners if each.tenant not in own and each.size == max(_default(owners, own))
    )
    failed |= moved_under_load(owner, moving, MOST_LOCKED)
    owner.close()
    failed |= measure_ingest(owners[-2])
    failed |= measure_start()
    ours, bare = storing(owners[-2], database)
    reached = bare.ms / ours.ms
    verdict = "ok" if reached >= LEAST_OF_COPY else "TOO SLOW"
    print(
        f"storing {AT_ONCE} rows: {ours.ms:.0f} ms of CPU ({ours.wall_ms:.0f} wall), binary COPY of the same"
        f" {bare.ms:.0f} ({bare.wall_ms:.0f}): {reached:.2f}x its rows per second {verdict}"
    )
    return int(failed or verdict != "ok")


def _default(owners: list[Tenant], own: set[str]) -> list[int]:
    """Return the sizes of tenants in the default partition."""
    return [each.size for each in owners if each.tenant not in own]


def _vectors_of(query_vectors: Any, text: str) -> dict[str, str]:
    from knowledge.models import Collection

    found: dict[str, str] = query_vectors(text, [Collection(embedding_model=EMBEDDER)], strategy="semantic")
    return found


def _measured(owners: list[Tenant], sizes: tuple[int, ...]) -> Iterator[tuple[int, Tenant]]:
    """Yield the first tenant of each size with its position."""
    for size in sizes:
        yield next((place, each) for place, each in enumerate(owners) if each.size == size)


@contextmanager
def folder_for(kept: Path | None) -> Iterator[Path]:
    """Yield the given folder, or a temporary one."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    made = Path(tempfile.mkdtemp(prefix="conclave-vectors-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Set up the installation, measure, and remove it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.knowledge", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="200,000 vectors of 200 tenants, and 100,000 of one"
    )
    parser.add_argument(
        "--kept", type=Path, help="keep the installation and the engines there for the next run"
    )
    parser.add_argument("--rivals", metavar="PYTHON", help="a Python with chromadb and qdrant-edge-py")
    options = parser.parse_args(arguments)
    from .installation import DATABASE, kept_house

    with folder_for(options.kept) as folder, kept_house(folder / "var", keep=options.kept is not None):
        return run(full=options.full, database=DATABASE, folder=folder, python=rival_python(options.rivals))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
