"""Data for `benchmarks.knowledge`: tenants of many sizes, texts, vectors and queries.

The passages are the sources of Python's standard library, 45 words each, with vectors of the lexical embedder:
real text, but its vectors represent words rather than meanings. No query is stored verbatim.
"""

import itertools
import json
import sysconfig
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

DOCS = Path(__file__).resolve().parent.parent / "docs"
DIMENSIONS, WORDS, SHORT, AT_ONCE = 384, 45, 8, 2000
QUERIES = 60
ACTOR, EMBEDDER = "system:bench", "lexical-hash-384"


@dataclass(frozen=True)
class Layout:
    """Number of vectors per tenant.

    The other engines also get the first `rivals` tenants; later tenants repeat the same passages.
    `measured` lists the tenant sizes to measure.
    """

    sizes: tuple[int, ...]
    rivals: int
    measured: tuple[int, ...]


# The layout: 200,000 vectors of 200 tenants from 100 to 50,000; besides, one of 10 and one of 100,000.
_FULL = (
    50_000,
    20_000,
    *[10_000] * 3,
    *[5_000] * 5,
    *[2_500] * 8,
    *[1_000] * 20,
    *[100] * 30,
    *[242] * 131,
    298,
)
LAYOUTS = {
    "small": Layout((5_000, 1_000, *[100] * 10, *[250] * 12, 10), 24, (10, 100, 1_000, 5_000)),
    "full": Layout((*_FULL, 10, 100_000), 200, (10, 100, 1_000, 10_000, 20_000, 50_000, 100_000)),
}


def passages() -> Iterator[str]:
    """Yield passages of about 45 words from the standard library's sources, endlessly with shifted boundaries."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = sorted(path for path in folder.rglob("*.py") if "site-packages" not in path.parts)
    for shift in itertools.count():
        for path in files:
            words = path.read_text(encoding="utf-8", errors="replace").split()[shift * 7 :]
            for start in range(0, len(words) - WORDS, WORDS):
                yield " ".join(words[start : start + WORDS]).replace("\0", "")


def queries(source: Iterator[str]) -> list[str]:
    """Return, in turn, a passage that is not stored, eight words of one, and an off-topic sentence."""
    lines = [
        line
        for path in sorted(DOCS.rglob("*.md"))
        for line in path.read_text().splitlines()
        if len(line) > 80 and not line.startswith("|")
    ]
    kinds = (
        lambda _: next(source),
        lambda _: " ".join(next(source).split()[:SHORT]),
        lambda number: lines[number * 7 % len(lines)],
    )
    return [kinds[number % 3](number) for number in range(QUERIES)]


@dataclass
class Tenant:
    """A generated tenant with one collection and one document; ids are strings."""

    tenant: str
    collection: str
    document: str
    size: int


def new_tenant(number: int, size: int) -> Tenant:
    """Create a tenant without chunks; `size` is the chunk count of its collection."""
    from accounts.services.members import get_or_create_user
    from config.tenancy.scope import tenant_scope
    from knowledge.models import Collection, Document
    from tenants.services.tenants import create_tenant

    admin = get_or_create_user(f"vectors{number}@bench.example", is_verified=True)
    tenant = create_tenant(slug=f"vectors-{number}", name=f"V {number}", admin=admin, actor=ACTOR)
    with tenant_scope(tenant, actor=ACTOR):
        collection = Collection(name="All", slug="all")
        collection.save()
        document = Document(collection=collection, filename="all.txt", source="all.txt")
        document.save()
    return Tenant(str(tenant.pk), str(collection.pk), str(document.pk), size)


def chunks_of(owner: Tenant, texts: Sequence[str], first: int) -> list[Any]:
    """Return unsaved chunks."""
    from config.db.ids import uuid7
    from knowledge.models import Chunk

    return [
        Chunk(
            id=uuid7(),
            collection_id=UUID(owner.collection),
            document_id=UUID(owner.document),
            tenant_id=UUID(owner.tenant),
            chunk_index=first + place,
            content=text,
        )
        for place, text in enumerate(texts)
    ]


Pair = tuple[str, Sequence[float]]


def embedded(source: Iterator[str], kept: BinaryIO) -> Iterator[Pair]:
    """Yield passages with their vectors and write the vectors to the file `kept`."""
    from knowledge.embedders import get_embedder

    embedder = get_embedder(EMBEDDER)
    for texts in _batched(source, 200):
        vectors = embedder.embed(texts)
        for vector in vectors:
            array("f", vector).tofile(kept)
        yield from zip(texts, vectors, strict=True)


def _batched(source: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(itertools.islice(source, size)):
        yield batch


def again(folder: Path) -> Iterator[Pair]:
    """Yield the passages and vectors of the first tenants again."""
    source = passages()
    queries(source)
    with (folder / "vectors.f32").open("rb") as kept:
        for text in source:
            vector = array("f")
            try:
                vector.fromfile(kept, DIMENSIONS)
            except EOFError:
                return
            yield text, list(vector)


def fill(owner: Tenant, pairs: Iterator[Pair]) -> None:
    """Store the tenant's passages with their vectors, as ingesting does."""
    from config.tenancy.scope import tenant_scope
    from knowledge.models import Document
    from knowledge.services.chunk_storage import store_chunks

    for first in range(0, owner.size, AT_ONCE):
        part = list(itertools.islice(pairs, min(AT_ONCE, owner.size - first)))
        with tenant_scope(owner.tenant, actor=ACTOR):
            rows = chunks_of(owner, [text for text, _ in part], first)
            store_chunks(rows, [vector for _, vector in part], dimensions=DIMENSIONS)
    with tenant_scope(owner.tenant, actor=ACTOR):
        Document.objects.filter(pk=owner.document).update(chunk_count=owner.size)


def filled(layout: Layout, folder: Path) -> tuple[list[Tenant], list[str]]:
    """Create the tenants and the queries, or load them from `folder`."""
    from knowledge.embedders import get_embedder

    remembered = folder / "layout.json"
    if remembered.exists():
        known = json.loads(remembered.read_text())
        return [Tenant(**each) for each in known["tenants"]], known["queries"]
    source = passages()
    asked = queries(source)
    owners = [new_tenant(number, size) for number, size in enumerate(layout.sizes)]
    with (folder / "vectors.f32").open("wb") as kept:
        pairs = embedded(source, kept)
        for owner in owners[: layout.rivals]:
            fill(owner, pairs)
    for owner in owners[layout.rivals :]:
        fill(owner, again(folder))
    with (folder / "queries.f32").open("wb") as kept:
        for vector in get_embedder(EMBEDDER).embed(asked):
            array("f", vector).tofile(kept)
    plan = {"dimensions": DIMENSIONS, "sizes": layout.sizes[: layout.rivals]}
    (folder / "plan.json").write_text(json.dumps(plan))
    remembered.write_text(json.dumps({"tenants": [asdict(each) for each in owners], "queries": asked}))
    return owners, asked
