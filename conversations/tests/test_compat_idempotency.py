"""Idempotency-Key on the compatible endpoints, with the official clients."""

import time

import anthropic
import openai
import pytest

from agents.testing import call_tool, fail, say
from config.api import idempotency
from config.tenancy.scope import tenant_scope
from conversations.models import Message
from conversations.tests.compat import WEATHER
from tenants.models import IdempotencyKey

ASK = [{"role": "user", "content": "When is high water?"}]
ONCE = {"Idempotency-Key": "once-1"}
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture
def client(wired):
    with openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=0) as made:
        yield made


def ask(client, **fields):
    given = {"model": "guide", "messages": ASK, "extra_headers": ONCE, **fields}
    return client.chat.completions.create(**given)


def collect(chunks):
    """Return the id, text and tool calls of a stream."""
    chunks = list(chunks)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    calls = [call.function.name for delta in deltas for call in delta.tool_calls or ()]
    return chunks[0].id, "".join(delta.content or "" for delta in deltas), calls


def test_repeated_request_gets_the_same_answer(client, wired):
    first, second = ask(client), ask(client)
    assert first.to_dict() == second.to_dict()
    assert (len(wired.model.requests), len(wired.conversations())) == (1, 1)
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        ask(client, messages=[{"role": "user", "content": "Other"}])
    assert caught.value.code == "idempotency_key_reused"


def test_repeated_stream_gets_the_same_answer(client, wired):
    wired.script(call_tool("weather", city="Emden"))
    tools = [{"type": "function", "function": WEATHER}]
    first = collect(ask(client, stream=True, tools=tools))
    assert collect(ask(client, stream=True, tools=tools)) == first
    assert first[2] == ["weather"]
    assert len(wired.model.requests) == 1


def test_repeated_response_and_message_get_the_same_answer(client, wired):
    made = [
        client.responses.create(model="guide", input="When?", extra_headers=ONCE).to_dict() for _ in range(2)
    ]
    assert made[0] == made[1]
    headers = {"Idempotency-Key": "once-2"}
    with anthropic.Anthropic(base_url=wired.url, api_key=wired.key.secret, max_retries=0) as other:
        found = [
            other.messages.create(model="guide", max_tokens=9, messages=ASK, extra_headers=headers).id
            for _ in range(2)
        ]
    assert found[0] == found[1]
    assert len(wired.model.requests) == 2


@STREAMS
def test_failed_request_can_be_repeated(client, wired, stream):
    wired.script(fail(400), say("At noon."))
    with pytest.raises(openai.BadRequestError):
        ask(client, stream=stream)
    answer = ask(client, stream=stream)
    text = collect(answer)[1] if stream else answer.choices[0].message.content
    assert text == "At noon."


def test_request_in_progress_is_a_conflict(client, wired):
    list(ask(client, stream=True))
    with tenant_scope(wired.tenant, actor="system:test"):
        Message.objects.filter(role="assistant").update(status="pending")
    with pytest.raises(openai.ConflictError) as caught:
        ask(client, stream=True)
    assert caught.value.code == "idempotency_in_progress"
    assert len(wired.model.requests) == 1


def test_unstored_stream_cannot_be_repeated(client, wired):
    list(ask(client, stream=True, store=False))
    with pytest.raises(openai.ConflictError, match="not stored"):
        ask(client, stream=True, store=False)


def embed(client, text="high water", **fields):
    given = {
        "model": "house/embed",
        "input": text,
        "encoding_format": "float",
        "extra_headers": ONCE,
        **fields,
    }
    return client.embeddings.with_raw_response.create(**given)


@pytest.mark.parametrize("model", ["house/embed", "lexical-hash-384"])
def test_repeated_embeddings_are_computed_once(client, wired, model):
    first, second = embed(client, model=model), embed(client, model=model)
    assert first.content == second.content
    assert [each.headers.get("idempotency-replayed") for each in (first, second)] == [None, "true"]
    assert len(wired.model.requests) == (model == "house/embed")
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        embed(client, "low water", model=model)
    assert caught.value.code == "idempotency_key_reused"


def test_failed_and_large_embeddings_release_the_key(client, wired, monkeypatch):
    with pytest.raises(openai.BadRequestError):
        embed(client, dimensions=5)
    monkeypatch.setattr(idempotency, "MAX_STORED_BYTES", 10)
    assert [embed(client).headers.get("idempotency-replayed") for _ in range(2)] == [None, None]
    assert wired.rows(IdempotencyKey) == []


def test_embeddings_of_a_process_that_died_are_computed_again(client, wired):
    embed(client)
    with tenant_scope(wired.tenant, actor="system:test"):
        keys = IdempotencyKey.objects.filter(key="once-1")
        keys.update(status_code=None, body=None, reference={"deadline": time.time() + 60})
    with pytest.raises(openai.ConflictError) as caught:
        embed(client)
    with tenant_scope(wired.tenant, actor="system:test"):
        keys.update(reference={"deadline": time.time() - 1})
    assert caught.value.code == "idempotency_in_progress"
    assert embed(client).headers.get("idempotency-replayed") is None
    assert embed(client).headers.get("idempotency-replayed") == "true"
    assert len(wired.model.requests) == 2
