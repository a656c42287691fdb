"""Files brought in the console."""

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from config.tenancy.scope import tenant_scope
from knowledge.models import Document
from knowledge.services.ingestion import index_document
from knowledge.tests.factories import CollectionFactory

ADD = "admin:knowledge_document_add"


@pytest.fixture
def collection(tenant, member):
    with tenant_scope(tenant, user=member.user):
        return CollectionFactory()


def upload(client, collection, name="tides.md", text=b"High water follows the moon."):
    fields = {"collection": str(collection.pk), "title": "Tides", "file": SimpleUploadedFile(name, text)}
    return client.post(reverse(ADD), fields)


def test_console_uploads_and_indexes_a_file(admin_client, collection, tenant, member):
    assert admin_client.get(reverse(ADD)).status_code == 200
    assert upload(admin_client, collection).status_code == 302
    with tenant_scope(tenant, user=member.user):
        document = Document.objects.get()
    assert (document.status, document.source, document.uploaded_by_id) == (
        "pending",
        "tides.md",
        member.user.pk,
    )
    assert index_document(tenant.pk, document.pk).outcome == "indexed"
    page = admin_client.get(reverse("admin:knowledge_document_change", args=[document.pk]))
    assert page.status_code == 200


def test_console_keeps_the_link_of_a_file(admin_client, collection, tenant, member):
    upload(admin_client, collection)
    with tenant_scope(tenant, user=member.user):
        document = Document.objects.get()
        document.metadata = {"purpose": "assistants"}
        document.save()
    fields = {
        "title": "Tides",
        "origin": document.origin,
        "metadata": '{"file_id": "x", "note": "n"}',
    }
    page = admin_client.post(reverse("admin:knowledge_document_change", args=[document.pk]), fields)
    assert page.status_code == 302
    with tenant_scope(tenant, user=member.user):
        assert Document.objects.get().metadata == {"purpose": "assistants", "note": "n"}


def test_unsupported_format_is_a_form_error(admin_client, collection, tenant):
    page = upload(admin_client, collection, "virus.exe")
    assert page.status_code == 200
    assert "not supported" in page.content.decode()
    with tenant_scope(tenant):
        assert not Document.objects.exists()


def test_large_upload_is_rejected_by_content_length(admin_client, collection, tenant):
    class Unread:
        def read(self, *args):
            raise AssertionError("the body is read")

        readline = read

    kind = "multipart/form-data; boundary=x"
    answer = admin_client.generic(
        "POST", reverse(ADD), b"", content_type=kind, CONTENT_LENGTH=str(1024**3), **{"wsgi.input": Unread()}
    )
    assert (answer.status_code, answer.url) == (302, reverse(ADD))
    assert "maximum size of 50 MB" in admin_client.get(reverse(ADD)).content.decode()


def test_form_without_csrf_token_is_rejected(admin_client, collection, tenant):
    admin_client.handler.enforce_csrf_checks = True
    assert upload(admin_client, collection).status_code == 403
    with tenant_scope(tenant):
        assert not Document.objects.exists()


def test_deleting_documents_in_the_list_deletes_their_files(
    admin_client, collection, tenant, member, django_capture_on_commit_callbacks
):
    upload(admin_client, collection)
    with tenant_scope(tenant, user=member.user):
        document = Document.objects.get()
    asked = {"action": "delete_selected", "_selected_action": [str(document.pk)], "post": "yes"}
    with django_capture_on_commit_callbacks(execute=True):
        assert admin_client.post(reverse("admin:knowledge_document_changelist"), asked).status_code == 302
    assert not default_storage.exists(document.storage_path)
