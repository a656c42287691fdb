"""Attachments: limits, media types, use by agents and access."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from agents.testing import FakeOpenAI, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Attachment
from conversations.services.attachments import FOLDER
from conversations.tests.factories import AttachmentFactory, ConversationFactory, ParticipantFactory
from knowledge.services.maintenance import delete_stray_files

URL = "/api/v1/conversations/"
TEXT = "# Tides\n\nHigh water comes at noon."


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.fixture
def make_conversation(tenant, client):
    """Return a function that creates a conversation, optionally with a model server."""

    def make(server=None):
        with tenant_scope(tenant, user=client.key.user):
            agent = AgentFactory()
            if server:
                account = IntegrationFactory(base_url=server.base_url)
                agent = AgentFactory(
                    model_provider="openai-compatible", model_name="m", integration=account, timeout=5
                )
            row = ConversationFactory(user=client.key.user, agent=agent)
            ParticipantFactory(conversation=row)
        return row

    return make


def upload(client, row, content=TEXT, name="tides.md", **headers):
    data = content if isinstance(content, bytes) else content.encode()
    body = {"file": SimpleUploadedFile(name, data)}
    return client.post(f"{URL}{row.pk}/attachments/", body, headers=headers or None)


def ask(client, row, *files, content="When?"):
    body = {"content": content, "attachments": [file["id"] for file in files]}
    return client.post(f"{URL}{row.pk}/messages/", body, content_type="application/json")


def get_model_messages(server, request=-1):
    return [each["content"] for each in server.requests[request].body["messages"] if each["role"] == "user"]


def test_upload_and_download(client, make_conversation):
    row = make_conversation()
    made = upload(client, row)
    assert made.status_code == 201, made.content
    file = made.json()
    assert (file["filename"], file["media_type"], file["file_size"]) == (
        "tides.md",
        "text/markdown",
        len(TEXT),
    )
    assert (file["message"], len(file["checksum"])) == (None, 64)
    content = client.get(f"{made['Location']}content/")
    assert b"".join(content.streaming_content) == TEXT.encode()
    assert content["Content-Type"] == "application/octet-stream"
    assert content["Content-Disposition"] == 'attachment; filename="tides.md"'


def test_idempotency_key_uploads_once(client, make_conversation, django_capture_on_commit_callbacks):
    row, key = make_conversation(), {"Idempotency-Key": "file-1"}
    with django_capture_on_commit_callbacks(execute=True):
        made, again = upload(client, row, **key), upload(client, row, **key)
        other = upload(client, row, "Another.", **key)
    assert (made.json()["id"], other.status_code) == (again.json()["id"], 422)
    assert len(list_stored_files(row.tenant_id)) == 1


def test_agent_reads_attachment_in_all_turns(client, make_conversation, tenant):
    with FakeOpenAI(say("At noon."), say("As I said.")) as server:
        row = make_conversation(server)
        file = upload(client, row).json()
        asked = ask(client, row, file)
        assert asked.status_code == 201, asked.content
        assert get_model_messages(server)[-1].startswith("When?\n\nThe person attached these files.")
        assert (
            '{"file": "tides.md", "text": "# Tides\\n\\nHigh water comes at noon."}'
            in get_model_messages(server)[-1]
        )
        assert ask(client, row, content="Sure?").status_code == 201
        assert "High water comes at noon." in get_model_messages(server)[0]
        assert get_model_messages(server)[-1] == "Sure?"
    listed = client.get(f"{URL}{row.pk}/attachments/?message={asked.json()['reply_to_id']}").json()["results"]
    assert [each["id"] for each in listed] == [file["id"]]


def test_edited_question_keeps_attachments(client, make_conversation):
    with FakeOpenAI(say("At noon.")) as server:
        row = make_conversation(server)
        question = ask(client, row, upload(client, row).json()).json()["reply_to_id"]
        edited = client.post(
            f"{URL}{row.pk}/messages/{question}/edit/",
            {"content": "At what time?"},
            content_type="application/json",
        )
        assert edited.status_code == 201, edited.content
        assert get_model_messages(server) == [get_model_messages(server)[-1]]
        assert get_model_messages(server)[-1].startswith("At what time?\n\nThe person attached")


def test_attachment_text_is_limited(client, make_conversation, settings):
    settings.ATTACHMENT_CHARACTERS = 30
    with FakeOpenAI(say("Long.")) as server:
        row = make_conversation(server)
        files = [upload(client, row, f"{letter * 20} end", f"{letter}.txt").json() for letter in "ab"]
        ask(client, row, *files)
        said = get_model_messages(server)[-1]
    assert '{"file": "a.txt", "text": "aaaaaaaaaaaaaaaaaaaa end"}' in said
    assert '{"file": "b.txt", "text": "bbbbbb", "cut": true}' in said


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("notes.exe", "x", 400),
        ("notes.pdf", "no PDF at all", 400),
        ("notes.txt", b"%PDF-1.7\n", 400),
        ("notes.txt", "", 400),
        ("notes.txt", "x" * 2000, 413),
    ],
)
def test_invalid_and_oversized_files_are_rejected(
    client, make_conversation, settings, name, content, status, django_capture_on_commit_callbacks
):
    settings.UPLOAD_MAX_BYTES = 1000
    row = make_conversation()
    before = list_stored_files(row.tenant_id)
    with django_capture_on_commit_callbacks(execute=True):
        assert upload(client, row, content, name).status_code == status
    assert list_stored_files(row.tenant_id) == before


def list_stored_files(tenant_id):
    try:
        return sorted(default_storage.listdir(f"tenants/{tenant_id}/{FOLDER}")[1])
    except FileNotFoundError:
        return []


def test_attachments_are_private(client, api_client, make_conversation, tenant):
    row, other = make_conversation(), api_client()
    file = upload(client, row).json()
    where = f"{URL}{row.pk}/attachments/{file['id']}/"
    assert upload(other, row).status_code == 404
    assert [other.get(each).status_code for each in (where, f"{where}content/")] == [404, 404]
    assert other.delete(where).status_code == 404
    with tenant_scope(tenant, actor="system:test"):
        ParticipantFactory(conversation=row, user=other.key.user)
    refused = ask(other, row, file)
    assert (refused.status_code, "attachments" in refused.content.decode()) == (400, True)


def test_attachment_belongs_to_one_message(client, make_conversation, django_capture_on_commit_callbacks):
    with FakeOpenAI(say("At noon.")) as server:
        row = make_conversation(server)
        file, spare = upload(client, row).json(), upload(client, row).json()
        assert ask(client, row, file).status_code == 201
        assert ask(client, row, file).status_code == 400
    where = f"{URL}{row.pk}/attachments/"
    assert client.delete(f"{where}{file['id']}/").status_code == 409
    assert len(list_stored_files(row.tenant_id)) == 2
    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(f"{where}{spare['id']}/").status_code == 204
    assert len(list_stored_files(row.tenant_id)) == 1


def test_files_of_deleted_conversations_are_deleted(client, make_conversation, tenant):
    row, gone = make_conversation(), make_conversation()
    upload(client, row)
    upload(client, gone)
    with tenant_scope(tenant, actor="system:test"):
        gone.delete()
        (path,) = Attachment.objects.values_list("storage_path", flat=True)
        # Files of documents are left alone.
        AttachmentFactory(conversation=row)
    delete_stray_files(timedelta(0), folder=FOLDER, naming=Attachment)
    assert list_stored_files(tenant.pk) == [path.rsplit("/", 1)[-1]]
