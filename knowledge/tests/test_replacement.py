"""Replacement of a document during searches: each search sees one complete version."""

import contextlib
import threading

import pytest
from django.db import close_old_connections, connection

from config.tenancy.scope import tenant_scope
from knowledge.models import Chunk
from knowledge.services.collections import get_or_create_collection
from knowledge.services.documents import upload_document
from knowledge.services.files import store_file
from knowledge.services.ingestion import index_document
from knowledge.services.search import search
from tenants.tests.factories import TenantFactory

CLIENTS, TIMES, PARTS = 4, 100, 4
# Seconds between the searches of a client.
PAUSE = 0.02
ACTOR = "system:test"


def version(number):
    """Return a text of which each section names its version."""
    return "\n\n".join(f"# Part {part}\n\nThe tide of version v{number} is high." for part in range(PARTS))


def replace_document(tenant, collection, number):
    stored = store_file([version(number).encode()], tenant_id=tenant.pk, name="tide.md")
    with tenant_scope(tenant, actor=ACTOR):
        uploaded = upload_document(collection, stored, source="tide.md", defer=False)
    return index_document(tenant.pk, uploaded.document.pk)


class Searcher(threading.Thread):
    """Searches until stopped; `seen` has the versions of the passages of each search."""

    def __init__(self, tenant, collection):
        super().__init__()
        self.tenant, self.collection, self.ended = tenant, collection, threading.Event()
        self.seen, self.failures = [], []

    def run(self):
        try:
            while not self.ended.is_set():
                with tenant_scope(self.tenant, actor=ACTOR):
                    found = search("How high is the tide?", [self.collection], limit=20)
                self.seen.append([passage.text.partition("version ")[2].split()[0] for passage in found])
                self.ended.wait(PAUSE)
        except Exception as error:  # noqa: BLE001 - checked by the test
            self.failures.append(error)
        finally:
            close_old_connections()
            connection.close()


@contextlib.contextmanager
def run_searches(tenant, collection):
    clients = [Searcher(tenant, collection) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.ended.set()
            client.join()


@pytest.mark.unmeasured
@pytest.mark.slow
def test_no_search_sees_a_partial_document(transactional_db):
    tenant = TenantFactory()
    with tenant_scope(tenant, actor=ACTOR):
        collection, _ = get_or_create_collection("sea")
    replace_document(tenant, collection, 0)
    with run_searches(tenant, collection) as clients:
        outcomes = {replace_document(tenant, collection, number).outcome for number in range(1, TIMES + 1)}
    seen = [versions for client in clients for versions in client.seen]
    assert outcomes == {"indexed"}
    assert [client.failures for client in clients] == [[]] * CLIENTS
    assert len({versions[0] for versions in seen}) > TIMES // 4
    assert [versions for versions in seen if len(set(versions)) > 1 or len(versions) != PARTS] == []
    with tenant_scope(tenant):
        collection.refresh_from_db()
        assert (collection.document_count, collection.chunk_count, Chunk.objects.count()) == (1, PARTS, PARTS)
