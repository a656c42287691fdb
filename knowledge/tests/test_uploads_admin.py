"""Files brought in the console."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from knowledge.models import Document
from knowledge.services.ingestion import index_document
from knowledge.tests.factories import CollectionFactory
from tenants.scoping import tenant_scope

ADD = "admin:knowledge_document_add"


@pytest.fixture
def collection(tenant, member):
    with tenant_scope(tenant, user=member.user):
        return CollectionFactory()


def upload(client, collection, name="tides.md", text=b"High water follows the moon."):
    fields = {"collection": str(collection.pk), "title": "Tides", "file": SimpleUploadedFile(name, text)}
    return client.post(reverse(ADD), fields)


def test_a_file_is_uploaded_and_read(admin_client, collection, tenant, member):
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


def test_a_kind_that_nobody_reads_is_an_error_of_the_form(admin_client, collection, tenant):
    page = upload(admin_client, collection, "virus.exe")
    assert page.status_code == 200
    assert "not supported" in page.content.decode()
    with tenant_scope(tenant):
        assert not Document.objects.exists()
