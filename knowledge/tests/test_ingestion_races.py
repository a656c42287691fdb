"""Documents that change, vanish or are read twice while they are read."""

import threading
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import connections

from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from knowledge.embedders import LexicalEmbedder
from knowledge.models import Chunk, ChunkVector384, Collection, Document
from knowledge.services import ingestion
from knowledge.services.collections import delete_collection, get_or_create_collection
from knowledge.services.documents import delete_document, upload_document
from knowledge.services.files import store_file
from knowledge.services.ingestion import index_document
from knowledge.services.maintenance import delete_stray_files
from tenants.models import Tenant
from tenants.tests.factories import TenantFactory

ACTOR = "system:test"
TEXT = "# Tides\n\nHigh water follows the moon.\n\n# Rivers\n\nRivers run to the sea.\n"


def bring(tenant, text=TEXT):
    kept = store_file([text.encode()], tenant_id=tenant.pk, name="water.md")
    with tenant_scope(tenant, actor=ACTOR):
        collection, _ = get_or_create_collection("sea")
        return upload_document(collection, kept, source="water.md", defer=False).document


@pytest.fixture
def meanwhile(monkeypatch):
    """Have something done once, while the vectors of a document are made."""

    def wait_for(action):
        todo, original = [action], LexicalEmbedder.embed

        def embed(self, texts):
            if todo:
                todo.pop()()
            return original(self, texts)

        monkeypatch.setattr(LexicalEmbedder, "embed", embed)

    return wait_for


def test_four_concurrent_workers_store_a_document_once(transactional_db):
    tenant = TenantFactory()
    document = bring(tenant)
    outcomes = []

    def read():
        outcomes.append(index_document(tenant.pk, document.pk).outcome)
        connections.close_all()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert sorted(outcomes) == ["indexed", "unchanged", "unchanged", "unchanged"]
    with tenant_scope(tenant):
        document.refresh_from_db()
        assert (document.status, document.progress, document.chunk_count) == ("indexed", 100, 2)
        assert Chunk.objects.count() == ChunkVector384.objects.count() == 2
        assert Collection.objects.get().chunk_count == 2


def test_slower_worker_does_not_reset_the_progress(tenant, meanwhile, monkeypatch):
    monkeypatch.setattr(ingestion, "PROGRESS_SECONDS", -1.0)
    document = bring(tenant)
    meanwhile(lambda: index_document(tenant.pk, document.pk))
    assert index_document(tenant.pk, document.pk).outcome == "unchanged"
    with tenant_scope(tenant):
        document.refresh_from_db()
        assert (document.status, document.progress) == ("indexed", 100)


def within(tenant, action):
    def run():
        with tenant_scope(tenant, actor=ACTOR):
            action()

    return run


def gone(tenant):
    with tenant_scope(tenant):
        return (Document.objects.count(), Chunk.objects.count(), ChunkVector384.objects.count()) == (0, 0, 0)


def test_document_deleted_during_indexing_leaves_nothing(tenant, meanwhile):
    document = bring(tenant)
    meanwhile(within(tenant, lambda: delete_document(document)))
    assert index_document(tenant.pk, document.pk).outcome == "gone"
    assert gone(tenant)


def test_collection_deleted_during_indexing_leaves_nothing(tenant, meanwhile):
    document = bring(tenant)
    meanwhile(within(tenant, lambda: delete_collection(document.collection)))
    assert index_document(tenant.pk, document.pk).outcome == "gone"
    assert gone(tenant)


def test_tenant_deleted_during_indexing_leaves_nothing(transactional_db, meanwhile):
    tenant = TenantFactory()
    document = bring(tenant)

    def delete():
        with tenant_scope(tenant, actor=ACTOR), as_platform():
            Tenant.objects.filter(pk=tenant.pk).delete()

    meanwhile(delete)
    assert index_document(tenant.pk, document.pk).outcome == "gone"
    assert gone(tenant)
    assert default_storage.exists(document.storage_path)
    delete_stray_files(timedelta(0))
    assert not default_storage.exists(document.storage_path)


def test_file_replaced_during_indexing_is_left_to_its_own_job(tenant, meanwhile):
    document = bring(tenant)
    meanwhile(lambda: bring(tenant, "Lakes are still."))
    assert index_document(tenant.pk, document.pk).outcome == "unchanged"
    with tenant_scope(tenant):
        document.refresh_from_db()
        assert (document.status, Chunk.objects.count()) == ("pending", 0)
    assert index_document(tenant.pk, document.pk).outcome == "indexed"
    with tenant_scope(tenant):
        assert [chunk.content for chunk in Chunk.objects.all()] == ["Lakes are still."]
