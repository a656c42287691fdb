"""Files and pages brought by the API: kept, read by a job, replaced, refused."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from knowledge.models import Chunk, Document
from knowledge.services.files import store_file
from knowledge.services.ingestion import index_document
from knowledge.services.maintenance import delete_stray_files, resume_documents
from knowledge.tests.factories import CollectionFactory


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.fixture
def collection(tenant, client):
    with tenant_scope(tenant, user=client.key.user):
        return CollectionFactory(slug="sea")


def bring(client, collection, text=b"# Tides\n\nHigh water follows the moon.\n", name="tides.md", **fields):
    file = SimpleUploadedFile(name, text)
    return client.post(f"/api/v1/collections/{collection.pk}/documents/", {"file": file, **fields})


def jobs():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT args ->> 'document_id' FROM procrastinate_jobs WHERE task_name LIKE 'knowledge%%'"
        )
        return [row[0] for row in cursor.fetchall()]


def read(tenant, answer):
    index_document(tenant.pk, answer.json()["id"])
    with tenant_scope(tenant):
        return Document.objects.get(pk=answer.json()["id"])


def test_uploaded_file_is_stored_and_queued(client, collection, tenant):
    answer = bring(client, collection, title="About tides")
    body = answer.json()
    assert (answer.status_code, body["status"], body["progress"], body["source"]) == (
        201,
        "pending",
        0,
        "tides.md",
    )
    with tenant_scope(tenant):
        document = Document.objects.get()
        assert jobs() == [str(document.pk)] == [body["id"]]
        assert default_storage.open(document.storage_path).read().startswith(b"# Tides")
        assert document.storage_path.startswith(f"tenants/{tenant.pk}/documents/")
        assert "tides" not in document.storage_path


def test_job_creates_chunks_with_context(client, collection, tenant):
    document = read(tenant, bring(client, collection, title="About tides"))
    assert (document.status, document.progress, document.title) == ("indexed", 100, "About tides")
    with tenant_scope(tenant):
        chunk = Chunk.objects.get()
        assert chunk.semantic_summary == "High water follows the moon."
        assert set(chunk.semantic_keywords) == {"tides", "high", "water", "follows", "moon"}
        collection.refresh_from_db()
        assert (collection.document_count, collection.chunk_count) == (1, 1)


def test_same_file_is_not_indexed_again(client, collection, tenant):
    document = read(tenant, bring(client, collection))
    again = bring(client, collection)
    assert (again.status_code, again.json()["status"]) == (200, "indexed")
    with tenant_scope(tenant):
        assert len(jobs()) == 1
        assert Document.objects.get().storage_path == document.storage_path


def test_another_file_of_that_source_replaces_it(
    client, collection, tenant, django_capture_on_commit_callbacks
):
    first = read(tenant, bring(client, collection))
    with django_capture_on_commit_callbacks(execute=True):
        answer = bring(client, collection, b"Low water, too.", "other.txt", source="tides.md")
    assert (answer.status_code, answer.json()["status"], answer.json()["chunk_count"]) == (200, "pending", 1)
    assert read(tenant, answer).pk == first.pk
    assert not default_storage.exists(first.storage_path)
    with tenant_scope(tenant):
        assert [chunk.content for chunk in Chunk.objects.all()] == ["Low water, too."]


def test_failed_file_keeps_the_previous_chunks(client, collection, tenant):
    read(tenant, bring(client, collection))
    failed = read(tenant, bring(client, collection, b"   ", "tides.md"))
    assert (failed.status, failed.chunk_count) == ("failed", 1)
    assert (
        failed.error_message
        == "tides.md: the file is empty (the previously indexed content is still available)"
    )


@pytest.mark.parametrize(("name", "reason"), [("a.exe", "not supported"), ("a.zip", "not supported")])
def test_unsupported_format_is_rejected(client, collection, tenant, name, reason):
    answer = bring(client, collection, name=name)
    assert answer.status_code == 400
    assert reason in answer.json()["errors"][0]["detail"]
    with tenant_scope(tenant):
        assert not Document.objects.exists()


def test_a_file_that_is_too_large_is_refused_with_the_limit(client, collection, tenant, settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    answer = bring(client, collection, b"x" * (1024 * 1024 + 1))
    early = bring(client, collection, b"x" * (2 * 1024 * 1024))
    for each in (answer, early):
        assert (each.status_code, each.json()["code"]) == (413, "file_too_large")
        assert "1 MB" in each.json()["detail"]


def test_a_gigabyte_is_refused_before_it_is_read(client, collection):
    answer = client.post(
        f"/api/v1/collections/{collection.pk}/documents/",
        b"",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(1024**3),
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")


def test_collection_of_another_tenant_accepts_no_files(client, other_tenant, tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = CollectionFactory()
    assert bring(client, foreign).status_code == 404
    with tenant_scope(other_tenant):
        assert not Document.objects.exists()


def test_read_only_key_cannot_upload(api_client, collection, tenant):
    assert bring(api_client(scopes=["collections:read"]), collection).status_code == 403


def test_failed_document_is_indexed_again_on_request(client, collection, tenant, settings):
    settings.PARSE_SECONDS = 60
    failed = read(tenant, bring(client, collection, b" "))
    answer = client.post(f"/api/v1/documents/{failed.pk}/reread/", content_type="application/json")
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    with tenant_scope(tenant):
        assert len(jobs()) == 2


def test_deleting_a_document_deletes_its_file(client, collection, tenant, django_capture_on_commit_callbacks):
    document = read(tenant, bring(client, collection))
    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(f"/api/v1/documents/{document.pk}/").status_code == 204
    assert not default_storage.exists(document.storage_path)
    with tenant_scope(tenant):
        collection.refresh_from_db()
        assert (collection.document_count, collection.chunk_count) == (0, 0)


def test_deleting_a_collection_deletes_its_files(client, collection, django_capture_on_commit_callbacks):
    bring(client, collection)
    folder = f"tenants/{collection.tenant_id}/documents"
    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(f"/api/v1/collections/{collection.pk}/").status_code == 204
    assert default_storage.listdir(folder) == ([], [])


def test_unreferenced_files_are_deleted(client, collection, tenant):
    stray = store_file([b"x"], tenant_id=tenant.pk, name="a.txt")
    kept = bring(client, collection).json()["id"]
    assert delete_stray_files() == 0
    assert default_storage.exists(stray.path)
    assert delete_stray_files(timedelta(0)) >= 1
    assert not default_storage.exists(stray.path)
    with tenant_scope(tenant):
        assert default_storage.exists(Document.objects.get(pk=kept).storage_path)


def test_document_with_a_lost_job_gets_a_new_job(client, collection, tenant):
    bring(client, collection)
    with tenant_scope(tenant, actor="system:test"), as_platform(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")
    assert resume_documents(timedelta(0)) == 1
    assert resume_documents(timedelta(0)) == 0
    with tenant_scope(tenant):
        assert len(jobs()) == 1
