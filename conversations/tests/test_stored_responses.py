"""Stored responses with the official OpenAI client: retrieve, delete, input items, and `store: false`."""

import openai
import pytest

from agents.testing import call_tool, say
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.api.openai import response_schemas
from conversations.completions.types import CompletionRequest
from conversations.models import Conversation, McpToolExecution, Message, SessionSummary, ToolExecution
from conversations.tests.compat import WEATHER
from conversations.tests.factories import (
    McpToolExecutionFactory,
    SessionSummaryFactory,
    ToolExecutionFactory,
)

TOOLS = [{"type": "function", **WEATHER}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def client(wired):
    with openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=0) as made:
        yield made


def contents(wired, request=-1):
    rows = wired.model.requests[request].body["messages"]
    return [row.get("content") for row in rows if row["role"] != "system"]


def test_retrieved_response_equals_the_created_one(client, wired):
    wired.script(call_tool("weather", city="Emden"), say("It rains."))
    first = client.responses.create(model="guide", input="Weather?", tools=TOOLS, instructions="Be brief.")
    output = [{"type": "function_call_output", "call_id": first.output[0].call_id, "output": "rain"}]
    second = client.responses.create(
        model="guide", input=output, tools=TOOLS, previous_response_id=first.id, metadata={"a": "b"}
    )
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
    assert client.responses.retrieve(second.id).to_dict() == second.to_dict()


def test_input_items(client, wired):
    image = {"type": "input_image", "image_url": PIXEL, "detail": "low"}
    given = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "I am in Emden."},
        {"role": "assistant", "content": "Moin."},
        {"role": "user", "content": [{"type": "input_text", "text": "Where?"}, image]},
    ]
    made = client.responses.create(model="guide", input=given)
    items = list(client.responses.input_items.list(made.id, order="asc", limit=2))
    assert [(item.role, item.content[0].text) for item in items] == [
        ("system", "Be brief."),
        ("user", "I am in Emden."),
        ("assistant", "Moin."),
        ("user", "Where?"),
    ]
    assert items[-1].content[1].image_url == PIXEL
    assert next(item.content[0].text for item in client.responses.input_items.list(made.id)) == "Where?"


def test_continuation_contains_the_whole_input(client, wired):
    given = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "I am in Emden."},
        {"role": "assistant", "content": "Moin."},
        {"role": "user", "content": "When?"},
    ]
    first = client.responses.create(model="guide", input=given)
    client.responses.create(model="guide", input="And low water?", previous_response_id=first.id)
    assert contents(wired) == ["I am in Emden.", "Moin.", "When?", "High water is at noon.", "And low water?"]
    assert "Be brief." in str(wired.model.requests[1].body["messages"])


def test_branches_do_not_see_each_other(client, wired):
    first = client.responses.create(model="guide", input="When?")
    client.responses.create(model="guide", input="In Emden?", previous_response_id=first.id)
    last = client.responses.create(model="guide", input="In Leer?", previous_response_id=first.id)
    client.responses.create(model="guide", input="And tomorrow?", previous_response_id=last.id)
    noon = "High water is at noon."
    assert contents(wired) == ["When?", noon, "In Leer?", noon, "And tomorrow?"]


def test_earlier_items_can_be_referenced(client, wired):
    wired.script(call_tool("weather", city="Emden"), say("It rains."))
    first = client.responses.create(model="guide", input="Weather?", tools=TOOLS)
    given = [
        {"role": "user", "content": "Weather?"},
        {"type": "item_reference", "id": first.output[0].id},
        {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "rain"},
    ]
    assert client.responses.create(model="guide", input=given, tools=TOOLS).output_text == "It rains."
    assert contents(wired) == ["Weather?", None, "rain"]


def test_deleted_response_is_erased(client, wired):
    first = client.responses.create(model="guide", input="When?")
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="guide", input="And?", previous_response_id=first.id)
    assert [row.content for row in wired.rows(Message)] == ["", ""]


def test_deletion_erases_title_summary_and_tool_calls(client, wired):
    first = client.responses.create(model="guide", input="When?")
    with tenant_scope(wired.tenant, actor="system:test"):
        answer = Message.objects.get(role="assistant")
        common = {"message": answer, "conversation": answer.conversation}
        ToolExecutionFactory(**common, tool_output={"text": "noon"}, error_message="noon")
        McpToolExecutionFactory(**common)
        SessionSummaryFactory(conversation=answer.conversation)
    client.responses.delete(first.id)
    assert [row.title for row in wired.conversations()] == [""]
    assert wired.rows(SessionSummary) == []
    (call,), (mcp_call,) = wired.rows(ToolExecution), wired.rows(McpToolExecution)
    assert (call.tool_input, call.tool_output, call.error_message) == ({}, None, "")
    assert (mcp_call.parameters, mcp_call.result) == ({}, None)


def test_deletion_of_a_later_response_keeps_the_title(client, wired):
    first = client.responses.create(model="guide", input="When?")
    second = client.responses.create(model="guide", input="In Leer?", previous_response_id=first.id)
    client.responses.delete(second.id)
    assert [row.title for row in wired.conversations()] == ["When?"]


def test_continuation_omits_erased_turns_and_other_branches(client, wired):
    first = client.responses.create(model="guide", input="When?")
    client.responses.create(model="guide", input="In Emden?", previous_response_id=first.id)
    second = client.responses.create(model="guide", input="In Leer?", previous_response_id=first.id)
    third = client.responses.create(model="guide", input="And tomorrow?", previous_response_id=second.id)
    for each in (first, second):
        client.responses.delete(each.id)
    client.responses.create(model="guide", input="And on Sunday?", previous_response_id=third.id)
    assert contents(wired) == ["And tomorrow?", "High water is at noon.", "And on Sunday?"]


def test_continuation_follows_the_link_of_an_erased_turn(client, wired):
    first = client.responses.create(model="guide", input="When?")
    client.responses.create(model="guide", input="In Emden?", previous_response_id=first.id)
    second = client.responses.create(model="guide", input="In Leer?", previous_response_id=first.id)
    third = client.responses.create(model="guide", input="And tomorrow?", previous_response_id=second.id)
    client.responses.delete(second.id)
    client.responses.create(model="guide", input="And on Sunday?", previous_response_id=third.id)
    noon = "High water is at noon."
    assert contents(wired) == ["When?", noon, "And tomorrow?", noon, "And on Sunday?"]


def test_responses_of_colleagues_are_hidden(client, wired, api_key):
    first = client.responses.create(model="guide", input="When?")
    key = api_key(user=add_member(wired.tenant).user)
    colleague = openai.OpenAI(base_url=f"{wired.url}/v1", api_key=key.secret, max_retries=0)
    for call in (
        colleague.responses.retrieve,
        colleague.responses.delete,
        colleague.responses.input_items.list,
    ):
        with pytest.raises(openai.NotFoundError):
            call(first.id)


def continue_unstored(client, wired):
    """Return whether an answer with `store: false` can be continued or read."""
    made = client.responses.create(model="guide", input="Keep this secret.", store=False)
    try:
        client.responses.create(model="guide", input="What did I say?", previous_response_id=made.id)
    except openai.NotFoundError:
        return False
    return True


@pytest.mark.security("dropped input")
def test_unstored_answers_cannot_be_continued(client, wired, attacks):
    attacks.attempt("continue", succeeded=continue_unstored(client, wired))
    client.chat.completions.create(
        model="house/m", messages=[{"role": "user", "content": "Keep this secret."}], store=False
    )
    with tenant_scope(wired.tenant, actor="system:test"):
        rows = [*Message.objects.values(), *Conversation.objects.values()]
    attacks.attempt("read", succeeded="secret" in str(rows) or "High water" in str(rows))
    assert [row.status for row in wired.conversations()] == ["completed", "completed"]
    assert len(wired.usage()) == 2


@pytest.mark.security("dropped input", mutation=True)
def test_unstored_answers_are_continued_if_stored(client, wired, attacks, monkeypatch):
    def stored(**members):
        return CompletionRequest(**members | {"is_stored": True})

    monkeypatch.setattr(response_schemas, "CompletionRequest", stored)
    attacks.attempt("continue", succeeded=continue_unstored(client, wired))
