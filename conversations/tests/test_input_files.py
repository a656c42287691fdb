"""Uploaded files in messages of the three dialects, with the official clients."""

import base64
from types import SimpleNamespace

import anthropic
import openai
import pytest

from config.testing.fixtures import add_member
from conversations.api import documents, input_files
from conversations.tests.test_openai_files import upload
from knowledge.tests.test_parsing import pdf_with

DIALECTS = ["chat", "responses", "messages"]
HIDDEN = (
    openai.NotFoundError,
    openai.PermissionDeniedError,
    anthropic.NotFoundError,
    anthropic.PermissionDeniedError,
)
REFUSALS = (openai.APIStatusError, anthropic.APIStatusError)


@pytest.fixture
def connect(wired):
    """Return a function that returns both clients with a key."""
    opened = []

    def connect(key):
        clients = SimpleNamespace(
            openai=openai.OpenAI(base_url=f"{wired.url}/v1", api_key=key.secret, max_retries=0),
            anthropic=anthropic.Anthropic(base_url=wired.url, api_key=key.secret, max_retries=0),
        )
        opened.extend(vars(clients).values())
        return clients

    yield connect
    for each in opened:
        each.close()


@pytest.fixture
def clients(connect, wired):
    return connect(wired.key)


def send(clients, dialect, *files, role="user"):
    """Ask about files, given as members of a file in the dialect."""
    if dialect == "chat":
        parts = [{"type": "file", "file": file} for file in files]
        content = [*parts, {"type": "text", "text": "When?"}]
        messages = [{"role": role, "content": content}, {"role": "user", "content": "Now?"}]
        return clients.openai.chat.completions.create(model="guide", messages=messages)
    if dialect == "responses":
        parts = [{"type": "input_file", **file} for file in files]
        content = [*parts, {"type": "input_text", "text": "When?"}]
        return clients.openai.responses.create(model="guide", input=[{"role": "user", "content": content}])
    blocks = [{"type": "document", "source": {"type": "file", **file}} for file in files]
    content = [*blocks, {"type": "text", "text": "When?"}]
    create = clients.anthropic.messages.create
    return create(model="guide", max_tokens=500, messages=[{"role": "user", "content": content}])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_text_of_uploaded_files_reaches_the_model(clients, wired, dialect):
    file = upload(clients.openai)
    send(clients, dialect, {"file_id": file.id})
    asked = str(wired.model.requests[0].body["messages"])
    assert ("noon in Emden" in asked, "tides.md" in asked, "When?" in asked) == (True, True, True)


def test_tokens_of_uploaded_files_are_counted(clients, wired):
    file = upload(clients.openai, content=b"high water " * 100)
    block = {"type": "document", "source": {"type": "file", "file_id": file.id}}
    count = clients.anthropic.messages.count_tokens
    found = count(model="guide", messages=[{"role": "user", "content": [block]}])
    assert found.input_tokens > 100


def test_later_responses_see_the_text_of_a_file(clients, wired):
    first = send(clients, "responses", {"file_id": upload(clients.openai).id})
    clients.openai.responses.create(model="guide", input="And then?", previous_response_id=first.id)
    assert "noon in Emden" in str(wired.model.requests[1].body["messages"])


@pytest.mark.parametrize("dialect", ["chat", "responses"])
def test_files_in_base64_reach_the_model(clients, wired, dialect):
    data = base64.b64encode(pdf_with("Low water is at six.")).decode()
    file = {"filename": "low.pdf", "file_data": f"data:application/pdf;base64,{data}"}
    send(clients, dialect, file)
    asked = str(wired.model.requests[0].body["messages"])
    assert ("Low water is at six." in asked, "low.pdf" in asked) == (True, True)


def attack(clients, dialect, file_id):
    """Return whether the caller gets the text of the file to a model."""
    try:
        send(clients, dialect, {"file_id": file_id})
    except HIDDEN:
        return False
    return True


@pytest.mark.security("foreign file")
def test_files_of_others_are_not_found(connect, clients, wired, api_key, other_tenant, attacks):
    file = upload(clients.openai)
    outsider = api_key(tenant=other_tenant, user=add_member(other_tenant).user)
    weak = api_key(user=wired.key.user, scopes=["agents:execute", "conversations:read"])
    for attacker in map(connect, (api_key(), outsider, weak)):
        for dialect in DIALECTS:
            attacks.attempt(succeeded=attack(attacker, dialect, file.id))
    for name in (f"file-{'0' * 32}", "file-x"):
        attacks.attempt(succeeded=attack(clients, "chat", name))
    assert wired.model.requests == []


@pytest.mark.security("foreign file", mutation=True)
def test_without_the_check_colleagues_read_files(connect, clients, wired, api_key, attacks, monkeypatch):
    find = input_files.get_file
    monkeypatch.setattr(input_files, "get_file", lambda name, **conditions: find(name))
    file = upload(clients.openai)
    attacks.attempt(succeeded=attack(connect(api_key()), "chat", file.id))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_unreadable_and_long_files_are_refused(clients, wired, monkeypatch, dialect):
    broken = upload(clients.openai, "tides.pdf", b"no PDF")
    empty = upload(clients.openai, "tides.html", b"<html><body> </body></html>")
    long = upload(clients.openai)
    monkeypatch.setattr(documents, "MAX_TEXT_LENGTH", 10)
    for file, message in (
        (broken, "cannot be read"),
        (empty, "tides.html"),
        (long, "more than 10 characters"),
    ):
        with pytest.raises(REFUSALS, match=message) as caught:
            send(clients, dialect, {"file_id": file.id})
        assert caught.value.status_code == 400
    with pytest.raises(REFUSALS, match="at most 10"):
        send(clients, dialect, *[{"file_id": long.id}] * 11)
    assert wired.model.requests == []


@pytest.mark.parametrize(
    ("dialect", "file", "fields"),
    [
        ("chat", {}, {}),
        ("responses", {"file_id": "file-x", "file_data": "eA=="}, {}),
        ("responses", {"file_url": "https://a.example/tides.pdf"}, {}),
        ("chat", {"filename": "a.pdf", "file_data": "?"}, {}),
        ("chat", {"filename": "a.exe", "file_data": "eA=="}, {}),
        ("chat", {"file_id": "file-x"}, {"role": "system"}),
        ("messages", {}, {}),
    ],
    ids=["empty", "both", "url", "no base64", "type", "system", "no id"],
)
def test_incomplete_files_are_refused(clients, wired, dialect, file, fields):
    with pytest.raises(REFUSALS) as caught:
        send(clients, dialect, file, **fields)
    assert caught.value.status_code == 400
    assert wired.model.requests == []


def test_missing_stored_file_is_not_found(clients, wired, monkeypatch):
    file = upload(clients.openai)

    def refuse(*given, **fields):
        raise FileNotFoundError

    monkeypatch.setattr(input_files, "extract_file_text", refuse)
    with pytest.raises(openai.NotFoundError):
        send(clients, "chat", {"file_id": file.id})
