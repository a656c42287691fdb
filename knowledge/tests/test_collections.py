"""Collections: their model, its change under searches, their archive, themselves as one file."""

import io
import json
import threading
import zipfile
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, connections

from agents.testing import FakeOpenAI, say
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from knowledge import embedders
from knowledge.embedders import LexicalEmbedder
from knowledge.models import Chunk, ChunkVector384, ChunkVector1536, ChunkVectorDraft, Collection, Document
from knowledge.services import collections as service
from knowledge.services.collections import (
    abandon_change,
    archive_collection,
    change_model,
    get_or_create_collection,
    reembed_collection,
)
from knowledge.services.documents import delete_document, upload_document
from knowledge.services.files import store_file
from knowledge.services.folder_ingestion import Ingestion
from knowledge.services.ingestion import index_document
from knowledge.services.maintenance import resume_changes
from knowledge.services.search import search
from knowledge.services.transfer import TransferError, export_collection, import_collection
from tenants.tests.factories import TenantFactory

ACTOR = "system:test"
TEXT = "# Tides\n\nHigh water follows the moon.\n\n# Rivers\n\nRivers run to the sea.\n"


class Mirrored(LexicalEmbedder):
    """A real embedder whose vectors cannot be compared with the lexical one's: it numbers the features backwards."""

    name = "mirrored-384"

    def embed(self, texts):
        return [vector[::-1] for vector in super().embed(texts)]

    def embed_query(self, text):
        return super().embed_query(text)[::-1]


@pytest.fixture(autouse=True)
def second_embedder(monkeypatch):
    monkeypatch.setitem(embedders._EMBEDDERS, Mirrored.name, Mirrored)


def bring(tenant, collection, text=TEXT, source="water.md"):
    kept = store_file([text.encode()], tenant_id=tenant.pk, name=source)
    with tenant_scope(tenant, actor=ACTOR):
        document = upload_document(collection, kept, source=source, defer=False).document
    return index_document(tenant.pk, document.pk)


@pytest.fixture
def collection(tenant):
    with tenant_scope(tenant, actor=ACTOR):
        made, _ = get_or_create_collection("sea")
    bring(tenant, made)
    return made


def best(tenant, collection):
    with tenant_scope(tenant, actor=ACTOR):
        fresh = Collection.objects.get(pk=collection.pk)
        return search("Where do rivers run?", [fresh], strategy="semantic")[0].text


def change(tenant, collection):
    with tenant_scope(tenant, actor=ACTOR):
        return change_model(collection, Mirrored.name)


def test_the_old_vectors_serve_until_all_new_ones_are_made(collection, tenant, monkeypatch):
    monkeypatch.setattr(service, "BATCH", 1)
    seen = []
    monkeypatch.setattr(
        Mirrored,
        "embed",
        lambda self, texts: (
            seen.append(best(tenant, collection))
            or [vector[::-1] for vector in LexicalEmbedder.embed(self, texts)]
        ),
    )
    assert change(tenant, collection).embedding_model == "lexical-hash-384"
    assert reembed_collection(tenant.pk, collection.pk, Mirrored.name)
    assert len(seen) == 2
    assert {*seen, best(tenant, collection)} == {"# Rivers\n\nRivers run to the sea."}
    with tenant_scope(tenant):
        assert set(Chunk.objects.values_list("embedding_model", flat=True)) == {Mirrored.name}
        assert (ChunkVector384.objects.count(), ChunkVectorDraft.objects.count()) == (2, 0)


def test_documents_added_during_the_change_are_re_embedded(collection, tenant, monkeypatch):
    change(tenant, collection)
    late, original = [], LexicalEmbedder.embed

    def embed(self, texts):
        if not late:
            late.append(bring(tenant, collection, "Lakes are still.", "lake.md"))
        return [vector[::-1] for vector in original(self, texts)]

    monkeypatch.setattr(Mirrored, "embed", embed)
    assert reembed_collection(tenant.pk, collection.pk, Mirrored.name)
    with tenant_scope(tenant):
        assert set(Chunk.objects.values_list("embedding_model", flat=True)) == {Mirrored.name}
        assert ChunkVector384.objects.count() == Chunk.objects.count() == 3


def test_document_embedded_with_the_old_model_is_embedded_again(collection, tenant, monkeypatch):
    def embed(self, texts):
        monkeypatch.undo()
        embedders._EMBEDDERS[Mirrored.name] = Mirrored
        change(tenant, collection)
        reembed_collection(tenant.pk, collection.pk, Mirrored.name)
        return LexicalEmbedder().embed(texts)

    monkeypatch.setattr(LexicalEmbedder, "embed", embed)
    assert bring(tenant, collection, "Lakes are still.", "lake.md").outcome == "indexed"
    with tenant_scope(tenant):
        assert Chunk.objects.get(document__source="lake.md").embedding_model == Mirrored.name


def test_abandoned_change_keeps_the_old_model(collection, tenant):
    change(tenant, collection)
    abandon_change(tenant.pk, collection.pk, Mirrored.name, "the model did not answer")
    assert not reembed_collection(tenant.pk, collection.pk, Mirrored.name)
    with tenant_scope(tenant):
        collection.refresh_from_db()
        assert (collection.embedding_model, collection.next_embedding_model) == ("lexical-hash-384", "")


def test_vectors_of_a_superseded_change_have_no_effect(collection, tenant, monkeypatch):
    """Two changes of the model; the second is requested while the first is in progress."""

    class Turned(Mirrored):
        name = "turned-384"

        def embed(self, texts):
            return [[*vector[100:], *vector[:100]] for vector in LexicalEmbedder().embed(texts)]

    def embed(self, texts):
        with tenant_scope(tenant, actor=ACTOR):
            change_model(collection, Turned.name)
        return LexicalEmbedder().embed(texts)

    monkeypatch.setitem(embedders._EMBEDDERS, Turned.name, Turned)
    monkeypatch.setattr(Mirrored, "embed", embed)
    change(tenant, collection)
    assert not reembed_collection(tenant.pk, collection.pk, Mirrored.name)
    assert reembed_collection(tenant.pk, collection.pk, Turned.name)
    with tenant_scope(tenant):
        assert set(Chunk.objects.values_list("embedding_model", flat=True)) == {Turned.name}
        assert (ChunkVector384.objects.count(), ChunkVectorDraft.objects.count()) == (2, 0)


def test_change_with_a_lost_job_gets_a_new_job(collection, tenant):
    change(tenant, collection)
    with tenant_scope(tenant, actor=ACTOR), as_platform(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    assert resume_changes(timedelta(0)) == 1
    assert resume_changes(timedelta(0)) == 0


def test_collection_archived_during_ingestion_accepts_no_more_files(collection, tenant, tmp_path):
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(f"Words of {name}.")
    ingestion = Ingestion(tenant.pk, collection, ACTOR)
    run = ingestion.run(ingestion.files(tmp_path))
    assert next(run).outcome == "indexed"
    with tenant_scope(tenant, actor=ACTOR):
        archive_collection(collection)
    # The second file was accepted before.
    result = next(run)
    assert (result.source, result.outcome) == ("b.txt", "indexed")
    with pytest.raises(ValidationError, match="archived"):
        next(run)


def test_collection_with_1536_dimensions_uses_the_configured_endpoint(tenant, settings):
    with FakeOpenAI(say(""), dimensions=1536) as server:
        settings.EMBEDDINGS_URL, settings.EMBEDDINGS_MODELS = server.base_url, {"small": "1536"}
        with tenant_scope(tenant, actor=ACTOR):
            made, _ = get_or_create_collection("lake", embedding_model="openai:small")
            assert made.dimensions == 1536
        assert bring(tenant, made).outcome == "indexed"
        with tenant_scope(tenant, actor=ACTOR):
            assert ChunkVector1536.objects.count() == 2
            assert search("Where do rivers run?", [made])
        change(tenant, made)
        assert reembed_collection(tenant.pk, made.pk, Mirrored.name)
    embedders._get_cached_embedder.cache_clear()
    with tenant_scope(tenant):
        assert (ChunkVector1536.objects.count(), ChunkVector384.objects.count()) == (0, 2)


def test_counts_are_correct_after_concurrent_writes(transactional_db):
    tenant = TenantFactory()
    with tenant_scope(tenant, actor=ACTOR):
        made, _ = get_or_create_collection("sea")

    def write(number):
        for turn in range(6):
            text = "\n\n".join(f"# Part {part}\n\nWords {number} {turn}." for part in range(1 + turn % 3))
            bring(tenant, made, text, f"{number % 2}-{turn % 2}.md")
            if turn % 3 == number % 3:
                with tenant_scope(tenant, actor=ACTOR):
                    for document in Document.objects.filter(source=f"{number % 2}-0.md"):
                        delete_document(document)
        connections.close_all()

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with tenant_scope(tenant):
        made.refresh_from_db()
        assert made.chunk_count == Chunk.objects.count() == ChunkVector384.objects.count() > 0
        assert made.document_count == Document.objects.filter(chunk_count__gt=0).count()
        places = list(Chunk.objects.values_list("document_id", "chunk_index"))
        assert len(places) == len(set(places))


def post(client, path, body=None):
    return client.post(f"/api/v1/collections/{path}", body or {}, content_type="application/json")


def test_a_model_that_is_not_known_is_refused(api_client, collection):
    client = api_client()
    for answer in (
        post(client, "", {"name": "a", "slug": "a", "embedding_model": "nobody"}),
        post(client, f"{collection.pk}/reembed/", {"embedding_model": "nobody"}),
    ):
        assert answer.status_code == 400
        assert "unknown embedder 'nobody'" in answer.json()["errors"][0]["detail"]


def test_an_archived_collection_takes_no_documents_until_it_is_restored(api_client, collection, tenant):
    client, path = api_client(), f"/api/v1/collections/{collection.pk}/documents/"
    assert post(client, f"{collection.pk}/archive/").json()["status"] == "archived"
    refused = client.post(path, {"file": SimpleUploadedFile("a.md", b"Words.")})
    assert (refused.status_code, "archived" in refused.json()["errors"][0]["detail"]) == (400, True)
    assert post(client, f"{collection.pk}/restore/").json()["status"] == "active"
    assert client.post(path, {"file": SimpleUploadedFile("a.md", b"Words.")}).status_code == 201


def test_counts_follow_every_write(collection, tenant):
    with tenant_scope(tenant, actor=ACTOR):
        collection.refresh_from_db()
        assert (collection.document_count, collection.chunk_count) == (1, 2)
        Document.objects.update(chunk_count=0)
        collection.refresh_from_db()
        assert (collection.document_count, collection.chunk_count) == (0, 0)


def exported(tenant, collection):
    target = io.BytesIO()
    assert export_collection(tenant.pk, collection.pk, target, actor=ACTOR) == 1
    return target


def test_an_export_is_imported_elsewhere_and_finds_the_same(collection, tenant, other_tenant):
    made = import_collection(other_tenant.pk, exported(tenant, collection), slug="copy", actor=ACTOR)
    assert (made.tenant_id, made.document_count, made.chunk_count) == (other_tenant.pk, 1, 2)
    assert best(other_tenant, made) == best(tenant, collection)
    with tenant_scope(other_tenant, actor=ACTOR):
        document = Document.objects.get()
        assert (document.status, document.origin, document.source) == ("indexed", "import", "water.md")
        assert (
            upload_document(
                made,
                store_file([TEXT.encode()], tenant_id=other_tenant.pk, name="water.md"),
                source="water.md",
            ).outcome
            == "unchanged"
        )


def test_the_api_exports_and_imports(api_client, collection):
    client = api_client()
    answer = client.get(f"/api/v1/collections/{collection.pk}/export/", headers={"accept": "application/zip"})
    file = SimpleUploadedFile("sea.zip", b"".join(answer.streaming_content))
    made = client.post("/api/v1/collections/import/", {"file": file, "slug": "copy"})
    assert (made.status_code, made.json()["document_count"], made.json()["chunk_count"]) == (201, 1, 2)


def test_the_commands_export_and_import(collection, tenant, tmp_path, capsys):
    file = tmp_path / "sea.zip"
    call_command("export_collection", str(file), tenant=tenant.slug, collection="sea")
    call_command("import_collection", str(file), tenant=tenant.slug, collection="copy")
    assert 'Imported 1 documents and 2 chunks into "copy"' in capsys.readouterr().out


def rewritten(source, name, change):
    """The archive with one member changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, change(old.read(entry).decode()) if entry == name else old.read(entry))
    return target


def test_a_damaged_export_makes_nothing(collection, tenant, other_tenant):
    good = exported(tenant, collection)
    bad = (
        io.BytesIO(b"no zip"),
        rewritten(good, "manifest.json", lambda text: text.replace("conclave-", "other-")),
        rewritten(good, "documents.jsonl", lambda text: text.replace('"number": 0', '"number": 7')),
        rewritten(
            good,
            "chunks/0.jsonl",
            lambda text: json.dumps({**json.loads(text.split("\n")[0]), "vector": "AAAA"}),
        ),
        rewritten(good, "chunks/0.jsonl", lambda text: text[:-40]),
    )
    for file in bad:
        with pytest.raises(TransferError):
            import_collection(other_tenant.pk, file, slug="copy", actor=ACTOR)
    with tenant_scope(other_tenant):
        assert not Collection.objects.exists()
