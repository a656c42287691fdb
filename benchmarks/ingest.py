"""Cost of ingesting a folder, compared with only parsing and embedding its files; part of `benchmarks.knowledge`."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from .dataset import ACTOR, DOCS, Tenant

ROUNDS, FILES = 5, 60
LEAST_OF_PARSING, MOST_START = 0.5, 2.0
ROOT = Path(__file__).resolve().parent.parent


def _new_ingestion(owner: Tenant) -> Any:
    from config.tenancy.scope import tenant_scope
    from knowledge.services.collections import get_or_create_collection
    from knowledge.services.folder_ingestion import Ingestion

    with tenant_scope(owner.tenant, actor=ACTOR):
        collection, _ = get_or_create_collection(f"ingest-{uuid4().hex[:8]}")
    return Ingestion(collection.tenant_id, collection, ACTOR)


def _ingest(ingestion: Any, files: Sequence[Path]) -> None:
    for result in ingestion.run([(file, str(file)) for file in files]):
        if result.outcome != "indexed":
            raise RuntimeError(f"{result.source}: {result.outcome} {result.error}")


def _parse_and_embed(ingestion: Any, files: Sequence[Path]) -> None:
    from knowledge.embedders import get_embedder
    from knowledge.services.ingestion import IndexingTask, chunk_file

    collection = ingestion.collection
    embedder = get_embedder(collection.embedding_model)
    for file in files:
        task = IndexingTask(
            collection.tenant_id, uuid4(), collection, ACTOR, file.name, "folder", str(file), file.stat().st_size, ""
        )  # fmt: skip
        read = chunk_file(task)
        embedder.embed([f"{read.title} {piece.context}\n{piece.text}" for piece in read.pieces])


def _seconds(run: Any, *arguments: Any) -> float:
    began = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - began


def measure_ingest(owner: Tenant) -> bool:
    """Print the ratio of both in documents a second; return whether it is below the limit."""
    from django.core.files.storage import default_storage

    sources = sorted(DOCS.rglob("*.md"))[:FILES]
    ingestion = _new_ingestion(owner)
    root = Path(default_storage.path(""))
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        files = [Path(folder) / f"{number}.md" for number in range(len(sources))]
        for file, source in zip(files, sources, strict=True):
            file.write_text(source.read_text())
        _ingest(_new_ingestion(owner), files[:2])
        pairs = [
            (_seconds(_parse_and_embed, ingestion, files), _seconds(_ingest, _new_ingestion(owner), files))
            for _ in range(ROUNDS)
        ]
    reached = statistics.median(parsed / ingested for parsed, ingested in pairs)
    verdict = "ok" if reached >= LEAST_OF_PARSING else "TOO SLOW"
    parsed, ingested = (len(files) / statistics.median(each) for each in zip(*pairs, strict=True))
    print(
        f"ingesting {len(files)} documents: {ingested:.0f} a second, parsing and embedding alone {parsed:.0f}:"
        f" {reached:.2f}x {verdict}"
    )
    return reached < LEAST_OF_PARSING


def measure_start() -> bool:
    """Print the CPU seconds of `manage.py ingest` for an unknown tenant; return whether they exceed the limit."""
    command = [sys.executable, "manage.py", "ingest", "docs", "--tenant", "nobody", "--collection", "none"]
    spent = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, check=False, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if "nobody" not in done.stderr:
            raise RuntimeError(done.stderr)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    seconds = statistics.median(spent)
    verdict = "ok" if seconds <= MOST_START else "TOO SLOW"
    print(f"`manage.py ingest` starts in {seconds:.2f} s of CPU (limit {MOST_START:.0f}) {verdict}")
    return seconds > MOST_START
