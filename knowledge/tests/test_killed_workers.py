"""Workers killed twenty times while they index files: each file is indexed exactly once and counted."""

import random
import subprocess
import sys

import pytest
from django.db.models import Count, Max

from config.tenancy.scope import tenant_scope
from config.testing.processes import terminate_after
from config.testing.web_server import BASE_DIR, build_environment
from knowledge.models import Chunk, ChunkVector384, Document
from knowledge.services.collections import get_or_create_collection
from knowledge.services.documents import upload_document
from knowledge.services.files import store_file
from knowledge.tests.crashes import crash_workers
from knowledge.tests.waiting import wait_until
from tenants.tests.factories import TenantFactory

FILES, PARTS = 500, 2
ACTOR = "system:test"
DICE = random.Random(20_260_101)
STEPS = ("start_indexing", "chunk_file", "_embed_texts", "replace_chunks", "_store_result")
# Two kills before and two after each step, at a random file. A worker has four files at a time.
POINTS = [
    f"{moment} knowledge.services.ingestion:{step} {DICE.randint(5, 12)}"
    for moment in ("before", "after")
    for step in STEPS
    for _ in range(2)
]


@pytest.fixture
def folder(tmp_path, settings):
    """A folder of files that this process shares with the workers."""
    disk = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"default": disk}
    return tmp_path


@pytest.fixture
def tenant(transactional_db, folder):
    tenant = TenantFactory()
    with tenant_scope(tenant, actor=ACTOR):
        collection, _ = get_or_create_collection("sea")
        for number in range(FILES):
            text = "\n\n".join(f"# Part {part}\n\nTide {number} rises {part} times." for part in range(PARTS))
            stored = store_file([text.encode()], tenant_id=tenant.pk, name="tide.md")
            upload_document(collection, stored, source=f"tide{number}.md")
    return tenant


def count_indexed(tenant):
    with tenant_scope(tenant):
        return Document.objects.filter(status="indexed").count()


@pytest.mark.unmeasured
@pytest.mark.slow
def test_each_file_is_indexed_once_although_the_worker_is_killed_twenty_times(tenant, folder):
    assert len(POINTS) == 20
    with crash_workers(MEDIA_ROOT=str(folder)) as work:
        for point in POINTS:
            before = count_indexed(tenant)
            assert work(point) == -9, point
            assert before < count_indexed(tenant) < FILES, point
    command = [sys.executable, str(BASE_DIR / "manage.py"), "worker"]
    last = subprocess.Popen(command, env=build_environment(MEDIA_ROOT=str(folder)), cwd=BASE_DIR)
    with terminate_after(last):
        # Jobs of killed workers are retried at the next full minute, half a minute after the last heartbeat.
        wait_until(
            lambda: count_indexed(tenant) == FILES or last.poll() is not None,
            progress=lambda: count_indexed(tenant),
            patience=240,
            pause=0.5,
        )
        assert last.poll() is None, "the worker exited early"
    with tenant_scope(tenant):
        states = dict(Document.objects.values_list("status").annotate(Count("id")))
        places = Chunk.objects.values("document_id").annotate(n=Count("id"), last=Max("chunk_index"))
        assert states == {"indexed": FILES}
        assert {(row["n"], row["last"]) for row in places} == {(PARTS, PARTS - 1)}
        assert Chunk.objects.count() == ChunkVector384.objects.count() == FILES * PARTS
        collection = Document.objects.first().collection
        assert (collection.document_count, collection.chunk_count) == (FILES, FILES * PARTS)
