"""Other vector engines in a separate process: `PYTHON benchmarks/rival_engines.py FOLDER`.

Runs under a Python that has `chromadb`, `qdrant-edge-py` and numpy, and imports nothing from this project.
FOLDER contains `vectors.f32` and `queries.f32` (rows of float32) and `plan.json` (`dimensions`, and `sizes`, the number
of rows per tenant). It builds the installed engines, prints a line with their names, and then answers
each line of its input, `{"engine": ..., "tenant": place, "k": ...}`, with the times of all queries and their recall.
"""

import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

AT_ONCE = 5000
# Slow engines run fewer queries: time limit in seconds, and minimum number of queries.
PATIENCE, LEAST_QUERIES = 5.0, 12
# Qdrant's effort for a query (`hnsw_ef`), tried in order until its recall reaches Conclave's.
EFFORTS = (100, 200, 400, 800)


class Data:
    """The vectors and queries, the same as in this project's tables."""

    def __init__(self, folder: Path) -> None:
        import numpy as np

        plan = json.loads((folder / "plan.json").read_text())
        self.folder, self.dimensions, self.sizes = folder, plan["dimensions"], plan["sizes"]
        self.vectors = np.fromfile(folder / "vectors.f32", dtype="float32").reshape(-1, self.dimensions)
        self.queries = np.fromfile(folder / "queries.f32", dtype="float32").reshape(-1, self.dimensions)
        self.starts = [sum(self.sizes[:place]) for place in range(len(self.sizes))]

    def built(self, engine: str) -> bool:
        """Return whether the engine was already built in this folder."""
        return (self.folder / f"{engine}.built").exists()

    def rows(self, tenant: int) -> Any:
        """Return the vectors of one tenant."""
        return self.vectors[self.starts[tenant] : self.starts[tenant] + self.sizes[tenant]]

    def batches(self, tenant: int) -> Iterator[tuple[range, Any]]:
        """Yield row numbers and vectors of one tenant in batches."""
        first, rows = self.starts[tenant], self.rows(tenant)
        for at in range(0, len(rows), AT_ONCE):
            part = rows[at : at + AT_ONCE]
            yield range(first + at, first + at + len(part)), part

    def nearest(self, tenant: int, query: Any, k: int) -> set[int]:
        """Return the numbers of the k nearest rows by exact comparison of unit vectors."""
        import numpy as np

        order = np.argsort(-(self.rows(tenant) @ query), kind="stable")[:k]
        return {self.starts[tenant] + int(place) for place in order}


def chroma_client(data: Data, name: str) -> Any:
    """Return a client with its own folder and without telemetry."""
    import chromadb

    settings = chromadb.Settings(anonymized_telemetry=False)
    return chromadb.PersistentClient(path=str(data.folder / name), settings=settings)


COSINE = {"hnsw": {"space": "cosine"}}


class ChromaEach:
    """Chroma with one collection per tenant and default settings."""

    needs = "chromadb"

    def __init__(self, data: Data) -> None:
        client = chroma_client(data, "chroma-each")
        self.collections = []
        if data.built("chroma-each"):
            self.collections = [
                client.get_collection(f"tenant-{tenant}", embedding_function=None)
                for tenant in range(len(data.sizes))
            ]
            return
        for tenant in range(len(data.sizes)):
            name = f"tenant-{tenant}"
            made = client.create_collection(name, configuration=COSINE, embedding_function=None)
            for numbers, rows in data.batches(tenant):
                made.add(ids=[str(number) for number in numbers], embeddings=rows)
            self.collections.append(made)

    def search(self, tenant: int, query: Any, k: int, effort: int | None) -> list[int]:
        """Return the numbers of the found rows."""
        found = self.collections[tenant].query(query_embeddings=[query], n_results=k, include=["distances"])
        return [int(number) for number in found["ids"][0]]


class ChromaOne:
    """Chroma with one collection for all tenants and a filter on the tenant."""

    needs = "chromadb"

    def __init__(self, data: Data) -> None:
        client = chroma_client(data, "chroma-one")
        if data.built("chroma-one"):
            self.collection = client.get_collection("all", embedding_function=None)
            return
        self.collection = client.create_collection("all", configuration=COSINE, embedding_function=None)
        for tenant in range(len(data.sizes)):
            for numbers, rows in data.batches(tenant):
                self.collection.add(
                    ids=[str(number) for number in numbers],
                    embeddings=rows,
                    metadatas=[{"tenant": tenant}] * len(rows),
                )

    def search(self, tenant: int, query: Any, k: int, effort: int | None) -> list[int]:
        """Return the numbers of the found rows."""
        found = self.collection.query(
            query_embeddings=[query], n_results=k, where={"tenant": tenant}, include=["distances"]
        )
        return [int(number) for number in found["ids"][0]]


class QdrantEdge:
    """Qdrant's in-process engine: one shard with an index on the tenant."""

    needs = "qdrant_edge"

    def __init__(self, data: Data) -> None:
        import qdrant_edge as qdrant

        folder = data.folder / "qdrant"
        self.qdrant = qdrant
        if data.built("qdrant-edge"):
            self.shard = qdrant.EdgeShard.load(str(folder))
            return
        folder.mkdir()
        vectors = qdrant.EdgeVectorParams(size=data.dimensions, distance=qdrant.Distance.Cosine)
        hnsw = qdrant.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000, payload_m=16)
        self.shard = qdrant.EdgeShard.create(
            str(folder), qdrant.EdgeConfig(vectors=vectors, hnsw_config=hnsw)
        )
        index = qdrant.KeywordIndexParams(is_tenant=True)
        self.shard.update(qdrant.UpdateOperation.create_field_index("tenant", index))
        for tenant in range(len(data.sizes)):
            payload = {"tenant": str(tenant)}
            for numbers, rows in data.batches(tenant):
                points = [
                    qdrant.Point(number, row.tolist(), payload)
                    for number, row in zip(numbers, rows, strict=True)
                ]
                self.shard.update(qdrant.UpdateOperation.upsert_points(points))
        self.shard.flush()
        while self.shard.optimize():
            pass

    def search(self, tenant: int, query: Any, k: int, effort: int | None) -> list[int]:
        """Return the numbers of the found rows."""
        qdrant = self.qdrant
        mine = qdrant.Filter(must=[qdrant.FieldCondition("tenant", match=qdrant.MatchValue(str(tenant)))])
        found = self.shard.query(
            qdrant.QueryRequest(
                limit=k,
                query=qdrant.Query.Nearest(query.tolist()),
                filter=mine,
                params=qdrant.SearchParams(hnsw_ef=effort),
            )
        )
        return [int(point.id) for point in found]


ENGINES: dict[str, Callable[[Data], Any]] = {
    "chroma-each": ChromaEach,
    "chroma-one": ChromaOne,
    "qdrant-edge": QdrantEdge,
}


def timed(data: Data, engine: Any, tenant: int, k: int, effort: int | None) -> dict[str, Any]:
    """Return median wall and CPU milliseconds (all threads), mean recall and the smallest result count."""
    times, spent, recalls, fewest = [], [], [], k
    for query in data.queries:
        began, used = time.perf_counter(), time.process_time()
        found = engine.search(tenant, query, k, effort)
        times.append(time.perf_counter() - began)
        spent.append(time.process_time() - used)
        truth = data.nearest(tenant, query, k)
        recalls.append(len(truth.intersection(found)) / len(truth))
        fewest = min(fewest, len(found))
        if sum(spent) > PATIENCE and len(spent) >= LEAST_QUERIES:
            break
    return {
        "ms": statistics.median(times) * 1000,
        "cpu": statistics.median(spent) * 1000,
        "recall": statistics.mean(recalls),
        "fewest": fewest,
        "effort": effort,
    }


def answered(data: Data, made: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return an engine's figures for one tenant; Qdrant's at the first effort with sufficient recall."""
    engine = made[asked["engine"]]
    engine.search(asked["tenant"], data.queries[0], 1, None)
    figures: dict[str, Any] = {}
    for effort in EFFORTS if asked["engine"] == "qdrant-edge" else (None,):
        figures = timed(data, engine, asked["tenant"], asked["k"], effort)
        if figures["recall"] >= asked["recall"]:
            break
    return figures


def main(arguments: list[str]) -> int:
    """Build the engines, report them, and answer until the input ends."""
    data = Data(Path(arguments[0]))
    made = {}
    for name, engine in ENGINES.items():
        if importlib.util.find_spec(engine.needs) is not None:
            began = time.perf_counter()
            made[name] = engine(data)
            (data.folder / f"{name}.built").touch()
            print(f"built {name} in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps({"engines": list(made)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answered(data, made, json.loads(line))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
