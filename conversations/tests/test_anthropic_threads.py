"""Threads, structured output, documents and the helpers of the official Anthropic client."""

import base64
from concurrent.futures import ThreadPoolExecutor

import anthropic
import pydantic
import pytest

from agents.testing import call_tool, say
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.models import Conversation
from knowledge.tests.test_parsing import pdf_with

ASK = [{"role": "user", "content": "When is high water?"}]
FIELDS = {"model": "guide", "max_tokens": 500}


class Tide(pydantic.BaseModel):
    hour: int


@pytest.fixture
def client(wired):
    with anthropic.Anthropic(base_url=wired.url, api_key=wired.key.secret, max_retries=0) as made:
        yield made


def spoken(wired, request=-1):
    """Return role and content of the messages in a request to the model, without the system prompt."""
    rows = wired.model.requests[request].body["messages"]
    return [(row["role"], row["content"]) for row in rows if row["role"] != "system"]


@pytest.mark.parametrize("model", ["guide", "house/m"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tool_runner(client, wired, model, stream):
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Tells the weather."""
        return f"rain in {city}"

    wired.script(call_tool("weather", city="Emden"), say("It rains."))
    runner = client.beta.messages.tool_runner(
        model=model, max_tokens=500, messages=ASK, tools=[weather], system="Be brief.", stream=stream
    )
    if stream:
        *_, final = [message.get_final_message() for message in runner]
    else:
        final = runner.until_done()
    assert final.content[0].text == "It rains."
    roles = [role for role, _ in spoken(wired)]
    assert roles == ["user", "assistant", "tool"]
    assert spoken(wired)[-1] == ("tool", "rain in Emden")
    assert "Be brief." in str(wired.model.requests[1].body["messages"])
    assert "weather" in [tool["function"]["name"] for tool in wired.model.requests[1].body["tools"]]
    assert [row.message_count for row in wired.conversations()] == [4]


def test_thread_keeps_all_messages(client, wired):
    before = [{"role": "user", "content": "I am in Emden."}, {"role": "assistant", "content": "Moin."}]
    thread = client.beta.messages.thread(**FIELDS, messages=[*before, *ASK])
    thread.send()
    thread.send({"role": "user", "content": "And low water?"})
    assert [content for _, content in spoken(wired)] == [
        "I am in Emden.",
        "Moin.",
        "When is high water?",
        "High water is at noon.",
        "And low water?",
    ]


def continue_thread(client, identifier, **fields):
    return client.beta.messages.create(
        **FIELDS,
        messages=[{"role": "user", "content": "And?"}],
        thread={"type": "continue", "previous_message_id": identifier},
        **fields,
    )


def test_threads_that_cannot_be_continued(client, wired, api_key):
    plain = client.beta.messages.create(**FIELDS, messages=ASK)
    first = client.beta.messages.create(**FIELDS, messages=ASK, thread={"type": "create"}, system="Be brief.")
    for identifier in (plain.id, "msg_nonsense"):
        with pytest.raises(anthropic.NotFoundError) as caught:
            continue_thread(client, identifier)
        assert caught.value.body["error"]["details"] == {"error_code": "thread_not_found"}
    with pytest.raises(anthropic.BadRequestError, match="system cannot change"):
        continue_thread(client, first.id, system="Be long.")
    second = continue_thread(client, first.id)
    with pytest.raises(anthropic.BadRequestError) as caught:
        continue_thread(client, first.id)
    assert caught.value.body["error"]["details"] == {"error_code": "thread_already_continued"}
    with tenant_scope(wired.tenant, actor="system:test"):
        Conversation.objects.update(status="completed")
    with pytest.raises(anthropic.BadRequestError, match="completed"):
        continue_thread(client, second.id)


def test_retry_of_a_continuation_returns_its_answer(client, wired):
    first = client.beta.messages.create(**FIELDS, messages=ASK, thread={"type": "create"})
    headers = {"Idempotency-Key": "continue-1"}
    answers = [continue_thread(client, first.id, extra_headers=headers).id for _ in range(2)]
    assert answers[0] == answers[1]
    with pytest.raises(anthropic.BadRequestError, match="already been continued"):
        continue_thread(client, first.id, extra_headers={"Idempotency-Key": "continue-2"})
    assert [row.message_count for row in wired.conversations()] == [4]


def test_concurrent_continuations_of_a_message(client, wired):
    first = client.beta.messages.create(**FIELDS, messages=ASK, thread={"type": "create"})
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: attempt_continuation(client, first.id), range(2)))
    assert sorted(found) == [200, 400]
    assert [row.message_count for row in wired.conversations()] == [4]


def attempt_continuation(client, identifier):
    try:
        continue_thread(client, identifier)
    except anthropic.APIStatusError as error:
        return error.status_code
    return 200


def test_colleague_cannot_continue_a_thread(client, wired, api_key):
    first = client.beta.messages.create(**FIELDS, messages=ASK, thread={"type": "create"})
    key = api_key(user=add_member(wired.tenant).user)
    colleague = anthropic.Anthropic(base_url=wired.url, api_key=key.secret, max_retries=0)
    with colleague, pytest.raises(anthropic.NotFoundError):
        continue_thread(colleague, first.id)


@pytest.mark.parametrize("model", ["guide", "house/m"])
def test_parsed_message(client, wired, model):
    wired.script(call_tool("final_result", hour=12) if model == "guide" else say('{"hour": 12}'))
    found = client.messages.parse(model=model, max_tokens=500, messages=ASK, output_format=Tide)
    assert found.parsed_output == Tide(hour=12)


BROKEN_PDF = {"type": "base64", "media_type": "application/pdf", "data": "bm8gcGRm"}


def document(**source):
    return {"type": "document", "title": "Tides", "context": "For sailors.", "source": source}


def test_documents_reach_the_model_as_text(client, wired):
    data = base64.b64encode(pdf_with("Low water is at six.")).decode()
    blocks = [
        document(type="text", media_type="text/plain", data="High water is at noon."),
        document(type="base64", media_type="application/pdf", data=data),
        {"type": "text", "text": "When?"},
    ]
    client.messages.create(**FIELDS, messages=[{"role": "user", "content": blocks}])
    ((_, content),) = spoken(wired)
    assert "High water is at noon." in content
    assert "Low water is at six." in content
    assert ("Tides" in content, "For sailors." in content, content.endswith("When?")) == (True, True, True)


@pytest.mark.parametrize(
    "block",
    [
        document(type="url", url="https://a.example/tides.pdf"),
        document(**BROKEN_PDF),
        {**document(type="text", media_type="text/plain", data="x"), "citations": {"enabled": True}},
    ],
    ids=["url", "no pdf", "citations"],
)
def test_unreadable_documents_are_refused(client, wired, block):
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**FIELDS, messages=[{"role": "user", "content": [block]}])
    assert wired.model.requests == []


def test_too_many_pdf_documents_are_refused(client, wired):
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": [document(**BROKEN_PDF)] * 6}
    blocks = [result, *[document(**BROKEN_PDF)] * 5]
    with pytest.raises(anthropic.BadRequestError, match="at most 10 PDF documents"):
        client.messages.create(**FIELDS, messages=[{"role": "user", "content": blocks}])


def test_documents_are_not_parsed_without_permission(wired, api_key):
    key = api_key(scopes=["collections:read"])
    messages = [{"role": "user", "content": [document(**BROKEN_PDF)]}]
    with anthropic.Anthropic(base_url=wired.url, api_key=key.secret, max_retries=0) as weak:
        for model in ("guide", "house/m"):
            with pytest.raises(anthropic.PermissionDeniedError):
                weak.messages.create(model=model, max_tokens=500, messages=messages)
            with pytest.raises(anthropic.PermissionDeniedError):
                weak.messages.count_tokens(model=model, messages=messages)
