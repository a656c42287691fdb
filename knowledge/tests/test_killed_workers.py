"""`kill -9` of the worker, again and again, while it reads 500 files: each is indexed once, whole, and counted."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from django.db.models import Count, Max

from config.tenancy.scope import tenant_scope
from config.testing.processes import terminate_after
from config.testing.web_server import BASE_DIR, build_environment
from knowledge.models import Chunk, ChunkVector384, Document
from knowledge.services.collections import get_or_create_collection
from knowledge.services.documents import upload_document
from knowledge.services.files import store_file
from tenants.tests.factories import TenantFactory

FILES, KILLS, PARTS = 500, 20, 4
PER_LIFE, LIFE_SECONDS, END_SECONDS = 12, 60, 400
ACTOR = "system:test"
DICE = random.Random(20_260_101)


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
        kept = store_file([text.encode()], tenant_id=tenant.pk, name="tide.md")
        with tenant_scope(tenant, actor=ACTOR):
            upload_document(collection, kept, source=f"tide{number}.md")
    return tenant


def start_worker(folder):
    command = [sys.executable, str(BASE_DIR / "manage.py"), "worker"]
    return subprocess.Popen(command, env=build_environment(MEDIA_ROOT=str(folder)), cwd=BASE_DIR)


def indexed(tenant):
    with tenant_scope(tenant):
        return Document.objects.filter(status="indexed").count()


def wait_for(tenant, wanted, worker, seconds):
    end = time.monotonic() + seconds
    while indexed(tenant) < wanted:
        assert worker.poll() is None, "the worker exited early"
        if time.monotonic() > end:
            return
        time.sleep(0.05)


def kill_workers(tenant, folder):
    """The number of kills that met a worker at its work."""
    met = 0
    for _ in range(KILLS):
        worker, before = start_worker(folder), indexed(tenant)
        wait_for(tenant, min(FILES, before + DICE.randint(1, PER_LIFE)), worker, LIFE_SECONDS)
        os.kill(worker.pid, signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
        met += before < indexed(tenant) < FILES
    return met


@pytest.mark.slow
def test_every_file_is_indexed_once_though_the_worker_is_killed_twenty_times(tenant, folder):
    assert kill_workers(tenant, folder) == KILLS
    last = start_worker(folder)
    with terminate_after(last):
        wait_for(tenant, FILES, last, END_SECONDS)
    with tenant_scope(tenant):
        states = dict(Document.objects.values_list("status").annotate(Count("id")))
        places = Chunk.objects.values("document_id").annotate(n=Count("id"), last=Max("chunk_index"))
        assert states == {"indexed": FILES}
        assert {(row["n"], row["last"]) for row in places} == {(PARTS, PARTS - 1)}
        assert Chunk.objects.count() == ChunkVector384.objects.count() == FILES * PARTS
        collection = Document.objects.first().collection
        assert (collection.document_count, collection.chunk_count) == (FILES, FILES * PARTS)
