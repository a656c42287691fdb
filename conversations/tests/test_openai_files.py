"""Files and vector store files with the official OpenAI client."""

import httpx
import openai
import pytest
from django.core.files.storage import default_storage

from audit.models import AuditLog
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from knowledge.models import Collection, Document
from knowledge.services.documents import upload_document
from knowledge.services.files import store_file
from knowledge.services.ingestion import index_document
from knowledge.services.library import LIBRARY_SLUG
from knowledge.tests.factories import CollectionFactory

TEXT = b"# Tides\n\nHigh water comes at noon in Emden.\n"


@pytest.fixture
def client(wired):
    with openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=0) as made:
        yield made


def upload(client, name="tides.md", content=TEXT, purpose="assistants"):
    return client.files.create(file=(name, content), purpose=purpose)


def list_stored_files(wired):
    """Return the names of the tenant's files in the storage."""
    try:
        return default_storage.listdir(f"tenants/{wired.tenant.pk}/documents")[1]
    except FileNotFoundError:
        return []


def index_all(wired):
    """Index the pending documents as the worker does."""
    for document in wired.rows(Document):
        index_document(wired.tenant.pk, document.pk)


def test_file_is_uploaded_listed_read_and_deleted(client, wired):
    first, second = upload(client), upload(client, purpose="user_data")
    assert (first.filename, first.bytes, first.purpose, first.status) == (
        "tides.md",
        len(TEXT),
        "assistants",
        "uploaded",
    )
    assert [file.id for file in client.files.list(limit=1)] == [second.id, first.id]
    assert [file.id for file in client.files.list(purpose="user_data")] == [second.id]
    assert client.files.retrieve(first.id).to_dict() == first.to_dict()
    assert client.files.content(first.id).read() == TEXT
    assert client.files.delete(first.id).deleted
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(first.id)


def test_content_of_a_file_cannot_set_its_id_purpose_or_attributes(client, wired):
    store = client.vector_stores.create(name="Sea")
    content = b"---\nfile_id: x\npurpose: y\nattributes: z\nauthor: Ann\n---\n" + TEXT
    file = upload(client, content=content)
    client.vector_stores.files.create(store.id, file_id=file.id, attributes={"kind": "tides"})
    index_all(wired)
    assert all(row.metadata["author"] == "Ann" for row in wired.rows(Document))
    assert [(row.id, row.purpose) for row in client.files.list()] == [(file.id, "assistants")]
    (attached,) = client.vector_stores.files.list(store.id)
    assert (attached.id, attached.attributes) == (file.id, {"kind": "tides"})
    assert next(iter(client.vector_stores.search(store.id, query="high water"))).file_id == file.id


def test_file_is_attached_to_a_vector_store(client, wired):
    store, file = client.vector_stores.create(name="Sea"), upload(client)
    made = client.vector_stores.files.create(store.id, file_id=file.id, attributes={"kind": "tides"})
    assert (made.id, made.vector_store_id, made.status) == (file.id, store.id, "in_progress")
    assert client.vector_stores.retrieve(store.id).file_counts.in_progress == 1
    index_all(wired)
    found = client.vector_stores.files.poll(file.id, vector_store_id=store.id)
    assert (found.status, found.attributes) == ("completed", {"kind": "tides"})
    assert [row.id for row in client.vector_stores.files.list(store.id, filter="completed")] == [file.id]
    assert client.files.retrieve(file.id).status == "processed"
    hit = next(iter(client.vector_stores.search(store.id, query="high water")))
    assert (hit.file_id, "noon" in hit.content[0].text) == (file.id, True)
    assert [row.name for row in client.vector_stores.list()] == ["sea"]


def test_file_is_uploaded_to_a_vector_store(client, wired):
    store = client.vector_stores.create(name="Sea")
    made = client.vector_stores.files.upload(vector_store_id=store.id, file=("tides.md", TEXT))
    assert client.vector_stores.files.retrieve(made.id, vector_store_id=store.id).status == "in_progress"
    assert client.vector_stores.files.create(store.id, file_id=made.id).id == made.id
    assert client.vector_stores.files.delete(made.id, vector_store_id=store.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.files.retrieve(made.id, vector_store_id=store.id)
    assert client.files.retrieve(made.id).id == made.id


def test_collection_of_uploaded_files_is_not_a_vector_store(client, wired):
    file = upload(client)
    with tenant_scope(wired.tenant, actor="system:test"):
        library = Document.objects.get().collection
    assert library.slug == LIBRARY_SLUG
    for name in (LIBRARY_SLUG, f"vs_{library.pk.hex}"):
        with pytest.raises(openai.NotFoundError):
            client.vector_stores.retrieve(name)
        with pytest.raises(openai.NotFoundError):
            client.vector_stores.files.delete(file.id, vector_store_id=name)
        with pytest.raises(openai.NotFoundError):
            client.vector_stores.update(name, name="Mine")
        with pytest.raises(openai.NotFoundError):
            client.vector_stores.delete(name)
    with pytest.raises(openai.BadRequestError, match="reserved") as caught:
        client.vector_stores.create(name="Uploaded files")
    assert caught.value.param == "name"
    assert client.files.retrieve(file.id).id == file.id


def describe(store):
    """Return a vector store without the time of its last use."""
    return {name: value for name, value in store.to_dict().items() if name != "last_active_at"}


def test_vector_store_is_renamed_and_gets_metadata(client, wired):
    store, _ = [client.vector_stores.create(name=name, metadata={"team": "a"}) for name in ("Sea", "Moon")]
    assert store.metadata == {"title": "Sea", "team": "a"}
    changed = client.vector_stores.update(store.id, name="Sea charts", metadata={"team": "b"})
    assert (changed.id, changed.name) == (store.id, "sea-charts")
    known = describe(changed)
    assert changed.metadata == {"title": "Sea charts", "team": "b"}
    assert describe(client.vector_stores.update("sea-charts")) == known
    assert describe(client.vector_stores.retrieve(store.id)) == known
    with pytest.raises(openai.ConflictError, match="already exists"):
        client.vector_stores.update(store.id, name="moon")
    for given in ({"name": "!"}, {"name": "Uploaded files"}, {"metadata": {"a": "b" * 513}}):
        with pytest.raises(openai.BadRequestError) as caught:
            client.vector_stores.update(store.id, **given)
        assert caught.value.param.partition(".")[0] == next(iter(given))
    assert describe(client.vector_stores.retrieve(store.id)) == known


def test_metadata_of_other_clients_does_not_break_vector_stores(client, wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        CollectionFactory(slug="sea", name="Sea", metadata={"vector_store": "text", "note": 1})
    assert client.vector_stores.retrieve("sea").metadata == {"title": "Sea"}
    client.vector_stores.update("sea", metadata={"team": "a"})
    (row,) = wired.rows(Collection)
    assert row.metadata == {"vector_store": {"team": "a"}, "note": 1}


def test_deleted_vector_store_leaves_the_files(client, wired):
    store, file = client.vector_stores.create(name="Sea"), upload(client)
    client.vector_stores.files.create(store.id, file_id=file.id)
    assert len(list_stored_files(wired)) == 2
    deleted = client.vector_stores.delete("sea")
    assert deleted.to_dict() == {"id": store.id, "object": "vector_store.deleted", "deleted": True}
    for call in (client.vector_stores.retrieve, client.vector_stores.delete, client.vector_stores.update):
        with pytest.raises(openai.NotFoundError):
            call(store.id)
    assert client.files.content(file.id).read() == TEXT
    assert len(list_stored_files(wired)) == 1


def test_changes_of_vector_stores_are_audited(client, wired):
    store = client.vector_stores.create(name="Sea")
    client.vector_stores.update(store.id, name="Moon")
    client.vector_stores.delete(store.id)
    with tenant_scope(wired.tenant, actor="system:test"):
        rows = AuditLog.objects.filter(resource_type="knowledge.collection", actor=f"key:{wired.key.pk}")
        found = [(row.action, (row.new_values or {}).get("slug")) for row in rows.order_by("id")]
    assert found == [
        ("collection.created", "sea"),
        ("collection.updated", "moon"),
        ("collection.deleted", None),
    ]


def test_deleting_a_file_removes_it_from_vector_stores(client, wired):
    store, file = client.vector_stores.create(name="Sea"), upload(client)
    client.vector_stores.files.create(store.id, file_id=file.id)
    assert len(list_stored_files(wired)) == 2
    client.files.delete(file.id)
    assert list(client.vector_stores.files.list(store.id)) == []
    assert list_stored_files(wired) == []


def test_attached_file_keeps_a_document_of_the_same_name(client, wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        collections = [CollectionFactory(slug=slug) for slug in ("sea", "moon")]
        first, second = (
            upload_document(
                each,
                store_file([each.slug.encode()], tenant_id=wired.tenant.pk, name="tides.md"),
                source="tides.md",
            ).document
            for each in collections
        )
    store = f"vs_{collections[1].pk.hex}"
    made = client.vector_stores.files.create(store, file_id=f"file-{first.pk.hex}")
    assert made.id == f"file-{first.pk.hex}"
    assert [row.id for row in client.vector_stores.files.list(store)] == [made.id, f"file-{second.pk.hex}"]


def test_clients_cannot_change_the_link_of_a_copy(client, wired):
    store, file = client.vector_stores.create(name="Sea"), upload(client)
    client.vector_stores.files.create(store.id, file_id=file.id, attributes={"kind": "tides"})
    copy = next(row for row in wired.rows(Document) if "file_id" in row.metadata)
    for given in ({"file_id": "x", "attributes": [], "note": "n"}, {}):
        response = httpx.patch(
            f"{wired.url}/api/v1/documents/{copy.pk}/",
            json={"metadata": given},
            headers={"Authorization": f"Bearer {wired.key.secret}"},
        )
        assert response.status_code == 200
        assert response.json()["metadata"].get("note") == given.get("note")
        (found,) = client.vector_stores.files.list(store.id)
        assert (found.id, found.attributes) == (file.id, {"kind": "tides"})


def test_unreadable_file_fails(client, wired):
    store, file = client.vector_stores.create(name="Sea"), upload(client, "tides.pdf", b"not a PDF")
    client.vector_stores.files.create(store.id, file_id=file.id)
    index_all(wired)
    found = client.vector_stores.files.retrieve(file.id, vector_store_id=store.id)
    assert (found.status, found.last_error.code) == ("failed", "invalid_file")
    assert client.files.retrieve(file.id).status == "error"


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"purpose": "fine-tune"}, "purpose"),
        ({"name": "tides.exe"}, "file"),
        ({"content": b""}, "file"),
    ],
)
def test_invalid_uploads_are_refused(client, wired, fields, parameter):
    with pytest.raises(openai.BadRequestError) as caught:
        upload(client, **fields)
    assert caught.value.param == parameter
    assert wired.rows(Document) == []
    assert list_stored_files(wired) == []


def test_upload_with_the_same_idempotency_key_happens_once(client, wired):
    headers = {"Idempotency-Key": "upload-1"}
    made = [
        client.files.create(file=("tides.md", TEXT), purpose="assistants", extra_headers=headers).id
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert len(wired.rows(Document)) == 1


def test_files_and_stores_of_other_tenants_are_hidden(client, wired, other_tenant, api_key):
    file = upload(client)
    key = api_key(tenant=other_tenant, user=add_member(other_tenant).user)
    outsider = openai.OpenAI(base_url=f"{wired.url}/v1", api_key=key.secret, max_retries=0)
    assert list(outsider.files.list()) == []
    store = outsider.vector_stores.create(name="Sea")
    for call in (outsider.files.retrieve, outsider.files.content, outsider.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(file.id)
    with pytest.raises(openai.NotFoundError):
        outsider.vector_stores.files.create(store.id, file_id=file.id)
    sky = client.vector_stores.create(name="Sky")
    for call in (outsider.vector_stores.update, outsider.vector_stores.delete):
        for name in (sky.id, "sky"):
            with pytest.raises(openai.NotFoundError):
                call(name)
    with tenant_scope(wired.tenant, actor="system:test"):
        assert Document.objects.get().collection.slug == LIBRARY_SLUG


def test_files_need_the_scope_of_collections(wired, api_key):
    key = api_key(scopes=["agents:execute"])
    weak = openai.OpenAI(base_url=f"{wired.url}/v1", api_key=key.secret, max_retries=0)
    for call in (weak.files.list, lambda: upload(weak), lambda: weak.vector_stores.files.list("sea")):
        with pytest.raises(openai.PermissionDeniedError):
            call()


def test_readers_of_collections_do_not_change_vector_stores(client, wired, api_key):
    store = client.vector_stores.create(name="Sea")
    key = api_key(scopes=["collections:read"])
    reader = openai.OpenAI(base_url=f"{wired.url}/v1", api_key=key.secret, max_retries=0)
    assert reader.vector_stores.retrieve(store.id).id == store.id
    for call in (reader.vector_stores.update, reader.vector_stores.delete):
        with pytest.raises(openai.PermissionDeniedError, match="collections:write"):
            call(store.id)
    assert client.vector_stores.retrieve(store.id).name == "sea"
