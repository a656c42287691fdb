"""Content that was not read is counted, stored with the document and shown."""

from collections import Counter

import pytest
from django.urls import reverse

from config.tenancy.scope import tenant_scope
from knowledge.models import Document
from knowledge.parsing.parse_warnings import build_warnings
from knowledge.services.ingestion import index_document
from knowledge.tests.test_formats import letter, make_eml
from knowledge.tests.test_uploads import bring, client, collection, read  # noqa: F401

ATTACHMENT = {"code": "attachments_not_read", "count": 1, "message": "1 attachment was not read."}


def test_messages_have_a_singular_and_a_plural():
    warnings = build_warnings(Counter(images_without_text=3000, needs_ocr=1, hidden_sheets=0))
    assert warnings == [
        {"code": "needs_ocr", "count": 1, "message": "1 page has no text layer. It needs OCR."},
        {"code": "images_without_text", "count": 3000, "message": "3,000 images were not read."},
    ]


def test_warnings_are_stored_and_returned(client, collection, tenant):  # noqa: F811
    document = read(tenant, bring(client, collection, make_eml(), "a.eml"))
    assert document.metadata["warnings"] == [ATTACHMENT]
    row = client.get(f"/api/v1/documents/{document.pk}/").json()
    (listed,) = client.get("/api/v1/documents/").json()["results"]
    assert row["warnings"] == listed["warnings"] == [ATTACHMENT]
    sparse = client.get(f"/api/v1/documents/{document.pk}/?fields=status,warnings").json()
    assert sparse == {"status": "indexed", "warnings": [ATTACHMENT]}


def test_next_version_without_warnings_removes_them(client, collection, tenant):  # noqa: F811
    read(tenant, bring(client, collection, make_eml(), "a.eml"))
    answer = bring(client, collection, letter("Tides").as_bytes(), "a.eml")
    assert "warnings" not in read(tenant, answer).metadata
    assert client.get(f"/api/v1/documents/{answer.json()['id']}/").json()["warnings"] == []


def test_clients_cannot_change_warnings(client, collection, tenant):  # noqa: F811
    document = read(tenant, bring(client, collection, make_eml(), "a.eml"))
    url = f"/api/v1/documents/{document.pk}/"
    answer = client.patch(url, {"metadata": {"warnings": [], "note": "n"}}, content_type="application/json")
    assert answer.json()["metadata"] == {"note": "n", "warnings": [ATTACHMENT]}


def test_a_file_cannot_set_warnings(client, collection, tenant):  # noqa: F811
    text = b"---\nwarnings: none\nauthor: Ada\n---\n# T\n\nWords."
    assert read(tenant, bring(client, collection, text)).metadata == {"author": "Ada"}


@pytest.mark.parametrize("value", ["text", {"message": "m"}, [1], [{"message": 1}], [None], None])
def test_imported_metadata_of_another_shape_is_no_warning(client, collection, tenant, value):  # noqa: F811
    document = read(tenant, bring(client, collection))
    with tenant_scope(tenant, actor="system:test"):
        Document.objects.update(metadata={"warnings": value})
    assert client.get(f"/api/v1/documents/{document.pk}/").json()["warnings"] == []
    assert client.get("/api/v1/documents/").json()["results"][0]["warnings"] == []


def test_console_shows_warnings_as_lines(admin_client, client, collection, tenant, member):  # noqa: F811
    answer = bring(client, collection, make_eml(), "a.eml")
    index_document(tenant.pk, answer.json()["id"])
    with tenant_scope(tenant, actor="system:test"):
        document = Document.objects.get()
        document.metadata["warnings"].append({"code": "x", "count": 1, "message": "<b>Second.</b>"})
        document.save()
    page = admin_client.get(reverse("admin:knowledge_document_change", args=[document.pk])).content.decode()
    assert "1 attachment was not read.<br>&lt;b&gt;Second.&lt;/b&gt;" in page
