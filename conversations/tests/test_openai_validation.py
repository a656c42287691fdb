"""Rejected requests and corrected answers in the OpenAI dialect."""

import json

import openai
import pytest

from agents.models import Agent
from agents.testing import call_tool
from config.serving.errors import ServerBusy, render_refusal
from config.serving.requests import RequestHead
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message

ASK = [{"role": "user", "content": "When is high water?"}]


@pytest.fixture
def client(wired):
    with openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=0) as made:
        yield made


def test_invalid_structured_answer_is_corrected(client, wired):
    hours = {"type": "array", "items": {"type": "integer", "maximum": 23}}
    schema = {"type": "object", "properties": {"hours": hours}, "required": ["hours"]}
    shape = {"type": "json_schema", "json_schema": {"name": "tide", "schema": schema}}
    wired.script(call_tool("final_result", hours=[99]), call_tool("final_result", hours=[1]))
    done = client.chat.completions.create(model="guide", messages=ASK, response_format=shape)
    assert json.loads(done.choices[0].message.content) == {"hours": [1]}
    shape["json_schema"]["schema"] = {"type": "array"}
    with pytest.raises(openai.BadRequestError, match="not a valid JSON Schema of type object"):
        client.chat.completions.create(model="guide", messages=ASK, response_format=shape)


def test_ended_conversation_and_inactive_agent_are_rejected(client, wired):
    first = client.responses.create(model="guide", input="When?")
    with tenant_scope(wired.tenant, actor="system:test"):
        Conversation.objects.update(status="completed")
    with pytest.raises(openai.BadRequestError, match="completed"):
        client.responses.create(model="guide", input="And then?", previous_response_id=first.id)
    with tenant_scope(wired.tenant, actor="system:test"):
        Conversation.objects.update(status="active")
        Agent.objects.update(status="inactive")
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="guide", input="And then?", previous_response_id=first.id)
    client.responses.create(model="house/m", input="And then?", previous_response_id=first.id)
    assert [(row.role, bool(row.agent_id)) for row in wired.rows(Message)] == [
        ("user", False),
        ("assistant", True),
        ("user", False),
        ("assistant", False),
    ]


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ([], {"type": "api_error", "param": None, "code": "busy"}),
        ([(b"anthropic-version", b"2023-06-01")], {"type": "overloaded_error"}),
    ],
    ids=["openai", "anthropic"],
)
def test_refusal_before_the_view_uses_the_dialect_of_the_client(headers, error):
    head = RequestHead({"method": "GET", "path": "/v1/models", "headers": headers})
    response = render_refusal(head, ServerBusy())
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert json.loads(response.content)["error"] == {**error, "message": ServerBusy.default_detail}
