"""Compatibility with the official OpenAI client over HTTP."""

import json

import httpx
import openai
import pytest

from agents.models import BudgetCounter, LlmUsage
from agents.testing import call_tool, fail, half_stream, invalid_reply, say, unreachable_url
from agents.tests.factories import BudgetFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.models import Message
from conversations.tests.compat import WEATHER
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion

ASK = [{"role": "user", "content": "When is high water?"}]
TOOLS = [{"type": "function", "function": WEATHER}]
MODELS = pytest.mark.parametrize("model", ["guide", "house/m"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def client(wired):
    with openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=0) as made:
        yield made


def streamed(chunks):
    """Return the text, the finish reasons and the usage of the last chunk."""
    chunks = list(chunks)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    return text, [choice.finish_reason for choice in choices if choice.finish_reason], chunks[-1].usage


# --- models ----------------------------------------------------------------------------------------------


def test_models_list_agents_integrations_and_embedders(client):
    assert [model.id for model in client.models.list()][:3] == ["guide", "house/m", "lexical-hash-384"]
    assert client.models.retrieve("house/m").owned_by == "openai-compatible"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("house/other")


def test_viewer_sees_agents_but_no_integrations(wired, api_key):
    viewer = openai.OpenAI(base_url=f"{wired.url}/v1", api_key=api_key("viewer").secret)
    names = [model.id for model in viewer.models.list()]
    assert "guide" in names
    assert "house/m" not in names


# --- chat completions ------------------------------------------------------------------------------------


@MODELS
def test_a_completion(client, wired, model):
    done = client.chat.completions.create(model=model, messages=ASK)
    assert done.choices[0].message.content == "High water is at noon."
    assert (done.choices[0].finish_reason, done.object, done.model) == ("stop", "chat.completion", model)
    assert done.usage.total_tokens == wired.usage()[0][1] > 0
    assert wired.messages() == [
        ("user", "completed", "When is high water?"),
        ("assistant", "completed", "High water is at noon."),
    ]
    assert done.id == f"chatcmpl-{wired.rows(Message)[1].pk.hex}"


@MODELS
def test_a_streamed_completion(client, wired, model):
    chunks = client.chat.completions.create(
        model=model, messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    text, reasons, usage = streamed(chunks)
    assert (text, reasons) == ("High water is at noon.", ["stop"])
    assert usage.total_tokens == wired.usage()[0][1]
    assert wired.messages()[1] == ("assistant", "completed", "High water is at noon.")


@MODELS
def test_history_and_settings_reach_the_model(client, wired, model):
    before = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Moin."},
    ]
    client.chat.completions.create(model=model, messages=[*before, *ASK], temperature=0.25, max_tokens=77)
    sent = wired.model.requests[0].body
    assert [row["content"] for row in sent["messages"] if row["role"] != "system"] == [
        "Hello",
        "Moin.",
        "When is high water?",
    ]
    assert "Be brief." in json.dumps([row for row in sent["messages"] if row["role"] == "system"])
    assert (sent["temperature"], sent.get("max_completion_tokens") or sent.get("max_tokens")) == (0.25, 77)


@STREAMS
@MODELS
def test_client_tool_call(client, wired, model, stream):
    wired.script(call_tool("weather", city="Emden"), say("It rains."))
    found = client.chat.completions.create(model=model, messages=ASK, tools=TOOLS, stream=stream)
    if stream:
        deltas = [
            call for chunk in found for choice in chunk.choices for call in choice.delta.tool_calls or ()
        ]
        call = {"id": deltas[0].id, "name": deltas[0].function.name}
        arguments = "".join(delta.function.arguments for delta in deltas)
    else:
        assert found.choices[0].finish_reason == "tool_calls"
        made = found.choices[0].message.tool_calls[0]
        call, arguments = {"id": made.id, "name": made.function.name}, made.function.arguments
    assert (call["name"], json.loads(arguments)) == ("weather", {"city": "Emden"})
    called = {"id": call["id"], "type": "function", "function": {"name": "weather", "arguments": arguments}}
    history = [
        *ASK,
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": call["id"], "content": "rain"},
    ]
    done = client.chat.completions.create(model=model, messages=history, tools=TOOLS)
    assert done.choices[0].message.content == "It rains."
    result = wired.model.requests[1].body["messages"][-1]
    assert (result["role"], result["content"], result["tool_call_id"]) == ("tool", "rain", call["id"])
    assert [row[0] for row in wired.messages()] == ["user", "assistant", "tool", "assistant"]


@MODELS
def test_structured_output(client, wired, model):
    schema = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
    wired.script(call_tool("final_result", hour=12) if model == "guide" else say('{"hour": 12}'))
    shape = {"type": "json_schema", "json_schema": {"name": "tide", "schema": schema}}
    done = client.chat.completions.create(model=model, messages=ASK, response_format=shape)
    assert json.loads(done.choices[0].message.content) == {"hour": 12}
    if model != "guide":
        assert wired.model.requests[0].body["response_format"]["json_schema"]["name"] == "tide"


def test_image_reaches_the_model(client, wired):
    address = "data:image/png;base64,aGVsbG8="
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": address}}]
    client.chat.completions.create(model="house/m", messages=[{"role": "user", "content": parts}])
    sent = wired.model.requests[0].body["messages"][-1]["content"]
    assert [part["type"] for part in sent] == ["text", "image_url"]
    assert sent[1]["image_url"]["url"] == address


# --- failures --------------------------------------------------------------------------------------------


@STREAMS
@MODELS
@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (fail(500, retry_after=0.01), 502, "server_error"),
        (fail(429, retry_after=0.01), 429, "rate_limit_exceeded"),
        (fail(401), 502, "authentication"),
        (fail(400), 400, "refused_request"),
        (invalid_reply(), 502, "bad_response"),
    ],
    ids=["500", "429", "401", "400", "nonsense"],
)
def test_endpoint_errors_are_mapped(client, wired, model, stream, reply, status, code):
    wired.script(reply)
    with pytest.raises(openai.APIStatusError) as caught:
        list(client.chat.completions.create(model=model, messages=ASK, stream=stream))
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert wired.messages()[1][:2] == ("assistant", "failed")
    assert [row[1] for row in wired.usage()] == [0]
    assert wired.usage()[0][2] != ""


@MODELS
def test_interrupted_stream(client, wired, model):
    wired.script(half_stream("High water is at noon today", ragged=True))
    with pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(model=model, messages=ASK, stream=True))
    assert "before it was complete" in caught.value.message
    assert wired.messages()[1][:2] == ("assistant", "failed")
    assert wired.usage()[0][1] > 0


def test_unreachable_endpoint(client, wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        IntegrationFactory(name="Gone", base_url=unreachable_url())
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="gone/m", messages=ASK)
    assert (caught.value.status_code, caught.value.code) == (502, "unreachable")


@pytest.mark.parametrize(
    ("changes", "status", "parameter"),
    [
        ({"model": "nobody"}, 404, "model"),
        ({"model": "nowhere/m"}, 404, "model"),
        ({"model": "house/"}, 404, "model"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "messages"),
        ({"temperature": 9}, 400, "temperature"),
        ({"n": 2}, 400, "n"),
        ({"messages": [{"role": "user", "content": "x" * 1_100_000}]}, 413, None),
    ],
    ids=["agent", "account", "empty", "none", "role", "last", "temperature", "n", "large"],
)
def test_rejected_request_names_parameter(client, wired, changes, status, parameter):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**{"model": "guide", "messages": ASK, **changes})
    assert (caught.value.status_code, caught.value.param) == (status, parameter)
    assert caught.value.type == "invalid_request_error"
    assert wired.messages() == []


def test_another_tenants_models_are_unknown(wired, other_tenant, api_key):
    key = api_key(tenant=other_tenant, user=add_member(other_tenant).user)
    outsider = openai.OpenAI(base_url=f"{wired.url}/v1", api_key=key.secret, max_retries=0)
    for model in ("guide", "house/m"):
        with pytest.raises(openai.NotFoundError):
            outsider.chat.completions.create(model=model, messages=ASK)
    assert wired.model.requests == []


@pytest.mark.parametrize("model", ["guide", "house/m"])
def test_key_without_scope(wired, api_key, model):
    weak = openai.OpenAI(
        base_url=f"{wired.url}/v1", api_key=api_key(scopes=["agents:read"]).secret, max_retries=0
    )
    with pytest.raises(openai.PermissionDeniedError) as caught:
        weak.chat.completions.create(model=model, messages=ASK)
    assert caught.value.type == "permission_error"
    assert wired.messages() == []


def test_unknown_key(wired):
    with pytest.raises(openai.AuthenticationError) as caught:
        openai.OpenAI(base_url=f"{wired.url}/v1", api_key="cvk_nonsense", max_retries=0).models.list()
    assert caught.value.code == "invalid_api_key"


def test_unknown_url_error_uses_dialect(wired):
    answer = httpx.get(f"{wired.url}/v1/assistants", headers={"Authorization": f"Bearer {wired.key.secret}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")


# --- budgets ---------------------------------------------------------------------------------------------


@STREAMS
def test_exhausted_budget_is_not_retried(wired, stream):
    with tenant_scope(wired.tenant, actor="system:test"):
        BudgetFactory(
            subject="key", subject_id=wired.key.pk, resource="requests", period="day", limit_value=1
        )
    client = openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=3)
    client.chat.completions.create(model="guide", messages=ASK)
    with pytest.raises(openai.RateLimitError) as caught:
        list(client.chat.completions.create(model="guide", messages=ASK, stream=stream))
    assert (caught.value.code, caught.value.type) == ("insufficient_quota", "insufficient_quota")
    assert "1 answers a day for the API key" in caught.value.message
    assert len(wired.model.requests) == 1
    assert [row.error_code for row in wired.rows(Message)] == ["", "", "", "budget_exceeded"]
    assert [(row.used, row.reserved) for row in wired.rows(BudgetCounter)] == [(1, 0)]


def test_budget_counts_actual_usage(client, wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        BudgetFactory(
            subject="tenant", subject_id=None, resource="tokens", period="month", limit_value=50_000
        )
    for stream in (False, True):
        list(client.chat.completions.create(model="house/m", messages=ASK, stream=stream))
    counter = wired.rows(BudgetCounter)[0]
    used = sum(row.total_tokens for row in wired.rows(LlmUsage))
    assert (counter.used, counter.reserved) == (used, 0)


# --- responses -------------------------------------------------------------------------------------------


@MODELS
def test_response_and_continuation(client, wired, model):
    first = client.responses.create(model=model, input="When is high water?", instructions="Be brief.")
    assert (first.output_text, first.status) == ("High water is at noon.", "completed")
    assert first.usage.total_tokens > 0
    second = client.responses.create(model=model, input="And low water?", previous_response_id=first.id)
    said = [row["content"] for row in wired.model.requests[1].body["messages"] if row["role"] != "system"]
    assert said == ["When is high water?", "High water is at noon.", "And low water?"]
    assert second.previous_response_id == first.id
    assert [row.message_count for row in wired.conversations()] == [4]


@MODELS
def test_a_streamed_response(client, wired, model):
    events = list(client.responses.create(model=model, input="When?", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == (
        "High water is at noon."
    )
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert events[-1].response.output_text == "High water is at noon."


@STREAMS
def test_response_with_client_tool(client, wired, stream):
    wired.script(call_tool("weather", city="Emden"), say("It rains."))
    tools = [{"type": "function", **WEATHER}]
    found = client.responses.create(model="guide", input="Weather?", tools=tools, stream=stream)
    first = list(found)[-1].response if stream else found
    call = first.output[0]
    assert (call.type, call.name, json.loads(call.arguments)) == (
        "function_call",
        "weather",
        {"city": "Emden"},
    )
    output = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
    second = client.responses.create(model="guide", input=output, tools=tools, previous_response_id=first.id)
    assert second.output_text == "It rains."
    roles = [row["role"] for row in wired.model.requests[1].body["messages"] if row["role"] != "system"]
    assert roles == ["user", "assistant", "tool"]


def test_foreign_response_cannot_be_continued(wired, client, api_key):
    first = client.responses.create(model="guide", input="When?")
    colleague = openai.OpenAI(base_url=f"{wired.url}/v1", api_key=api_key("user").secret, max_retries=0)
    for name in (first.id, "resp_nonsense"):
        with pytest.raises(openai.NotFoundError) as caught:
            colleague.responses.create(model="guide", input="And?", previous_response_id=name)
        assert caught.value.param == "previous_response_id"


def test_response_that_fails_midway(client, wired):
    wired.script(half_stream("High water is at noon today", ragged=True))
    events = list(client.responses.create(model="house/m", input="When?", stream=True))
    assert events[-1].type == "response.failed"
    assert "before it was complete" in events[-1].response.error.message


# --- embeddings and vector stores --------------------------------------------------------------------------


def test_local_embeddings_in_both_encodings(client):
    texts = ["high water", "low water"]
    numbers = client.embeddings.create(model="lexical-hash-384", input=texts, encoding_format="float")
    packed = client.embeddings.create(model="lexical-hash-384", input=texts)
    assert [len(row.embedding) for row in numbers.data] == [384, 384]
    assert packed.data[1].embedding == pytest.approx(numbers.data[1].embedding, abs=1e-6)
    assert numbers.usage.prompt_tokens > 0


def test_integration_embeddings_are_accounted(client, wired):
    found = client.embeddings.create(model="house/embed", input=["a", "bb"], encoding_format="float")
    assert [len(row.embedding) for row in found.data] == [384, 384]
    assert wired.usage() == [("embed", found.usage.total_tokens, "")]
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="unknown", input="a")


def test_vector_stores_are_collections(client, wired, tmp_path):
    (tmp_path / "tides.md").write_text("# Tides\n\nHigh water comes at noon in Emden.")
    with tenant_scope(wired.tenant, actor="system:test"):
        collection, _ = get_or_create_collection("sea")
    list((ingestion := Ingestion(wired.tenant.pk, collection, "system:test")).run(ingestion.files(tmp_path)))
    (store,) = client.vector_stores.list()
    assert (store.name, store.file_counts.completed) == ("sea", 1)
    assert client.vector_stores.retrieve(store.id).id == store.id
    hits = list(client.vector_stores.search(store.id, query="When is high water?"))
    assert hits[0].filename == "tides.md"
    assert "High water comes at noon" in hits[0].content[0].text


def test_vector_stores_of_other_tenants_are_hidden(client, wired, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        foreign, _ = get_or_create_collection("secret")
    assert list(client.vector_stores.list()) == []
    for name in (f"vs_{foreign.pk.hex}", "secret"):
        with pytest.raises(openai.NotFoundError):
            client.vector_stores.search(name, query="x")
