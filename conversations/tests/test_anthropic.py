"""Compatibility with the official Anthropic client over HTTP."""

from functools import partial

import anthropic
import httpx
import pytest

from agents.models import LlmUsage
from agents.testing import call_tool, fail, half_stream, say
from agents.tests.factories import BudgetFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Message
from conversations.tests.compat import WEATHER

ASK = [{"role": "user", "content": "When is high water?"}]
TOOLS = [{"name": "weather", "description": "Tells the weather.", "input_schema": WEATHER["parameters"]}]
MODELS = pytest.mark.parametrize("model", ["guide", "house/m"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def client(wired):
    with anthropic.Anthropic(base_url=wired.url, api_key=wired.key.secret, max_retries=0) as made:
        yield made


def create(client, model="guide", **fields):
    return client.messages.create(**{"model": model, "max_tokens": 500, "messages": ASK, **fields})


@MODELS
def test_a_message(client, wired, model):
    found = create(client, model, system="Be brief.")
    assert [block.text for block in found.content] == ["High water is at noon."]
    assert (found.stop_reason, found.role, found.model) == ("end_turn", "assistant", model)
    assert found.usage.input_tokens + found.usage.output_tokens == wired.usage()[0][1] > 0
    assert "Be brief." in str(wired.model.requests[0].body["messages"])
    assert wired.messages()[1] == ("assistant", "completed", "High water is at noon.")


@MODELS
def test_a_streamed_message(client, wired, model):
    with client.messages.stream(model=model, max_tokens=500, messages=ASK) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert final.content[0].text == "High water is at noon."
    assert (final.stop_reason, final.usage.output_tokens) == (
        "end_turn",
        wired.rows(LlmUsage)[0].completion_tokens,
    )
    named = [kind for kind in kinds if kind.startswith(("message_", "content_block_s"))]
    assert named == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@STREAMS
@MODELS
def test_client_tool_call(client, wired, model, stream):
    wired.script(call_tool("weather", city="Emden"), say("It rains."))
    if stream:
        with client.messages.stream(model=model, max_tokens=500, messages=ASK, tools=TOOLS) as opened:
            first = opened.get_final_message()
    else:
        first = create(client, model, tools=TOOLS)
    use = first.content[-1]
    assert (first.stop_reason, use.type, use.name, use.input) == (
        "tool_use",
        "tool_use",
        "weather",
        {"city": "Emden"},
    )
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
    history = [*ASK, {"role": "assistant", "content": [use.to_dict()]}, {"role": "user", "content": [result]}]
    assert create(client, model, messages=history, tools=TOOLS).content[0].text == "It rains."
    result = wired.model.requests[1].body["messages"][-1]
    assert (result["role"], result["content"], result["tool_call_id"]) == ("tool", "rain", use.id)


@MODELS
def test_token_count_without_model_request(client, wired, model):
    count = partial(client.messages.count_tokens, model=model, messages=ASK)
    few = count().input_tokens
    many = count(tools=TOOLS, system="Be brief.").input_tokens
    assert 0 < few < many
    assert (wired.model.requests, wired.messages()) == ([], [])


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"model": "nobody"}, 404, "not_found_error"),
        ({"extra_body": {"temperature": 1.5}}, 400, "invalid_request_error"),
        ({"messages": []}, 400, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, 400, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": "x" * 1_100_000}]}, 413, "request_too_large"),
    ],
    ids=["model", "temperature", "empty", "block", "large"],
)
def test_invalid_requests_are_rejected(client, wired, fields, status, kind):
    with pytest.raises(anthropic.APIStatusError) as caught:
        create(client, **fields)
    assert caught.value.status_code == status
    assert caught.value.body["error"]["type"] == kind
    assert wired.messages() == []


@STREAMS
@pytest.mark.parametrize(
    ("reply", "status", "kind"),
    [(fail(500, retry_after=0.01), 502, "api_error"), (fail(429, retry_after=0.01), 429, "rate_limit_error")],
    ids=["500", "429"],
)
def test_endpoint_errors_are_mapped(client, wired, reply, status, kind, stream):
    wired.script(reply)
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(create(client, stream=stream))
    assert (caught.value.status_code, caught.value.body["error"]["type"]) == (status, kind)
    assert [row.status for row in wired.rows(Message)] == ["completed", "failed"]


def test_interrupted_stream_ends_with_error(client, wired):
    wired.script(half_stream("High water is at noon today", ragged=True))
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(create(client, "house/m", stream=True))
    assert "before it was complete" in str(caught.value)
    assert [row.status for row in wired.rows(Message)] == ["completed", "failed"]


def test_exhausted_budget_is_not_retried(wired):
    with tenant_scope(wired.tenant, actor="system:test"):
        BudgetFactory(subject="tenant", subject_id=None, resource="tokens", period="month", limit_value=10)
    client = anthropic.Anthropic(base_url=wired.url, api_key=wired.key.secret, max_retries=3)
    with pytest.raises(anthropic.RateLimitError) as caught:
        create(client)
    assert "10 model tokens a month" in caught.value.body["error"]["message"]
    assert wired.model.requests == []
    assert [row.error_code for row in wired.rows(Message)] == ["", "budget_exceeded"]


def test_models_in_pages(client):
    names = [model.id for model in client.models.list(limit=2)]
    assert names[:3] == ["guide", "house/m", "lexical-hash-384"]
    page = client.models.list(limit=2)
    assert (page.first_id, page.last_id, page.has_more) == ("guide", "house/m", True)
    assert [model.id for model in client.models.list(limit=1, before_id="house/m").data] == ["guide"]
    assert client.models.retrieve("guide").type == "model"
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.models.retrieve("nobody")
    assert caught.value.body["error"]["type"] == "not_found_error"


def test_unknown_url_error_uses_dialect(client):
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.post("/v1/assistants", cast_to=object)
    assert caught.value.body["error"] == {
        "type": "not_found_error",
        "message": "Unknown request URL: POST /v1/assistants.",
    }


def test_invalid_key_error_uses_dialect(wired):
    headers = {"x-api-key": "cvk_nonsense", "anthropic-version": "2023-06-01"}
    answer = httpx.post(f"{wired.url}/v1/messages", headers=headers, json={})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
