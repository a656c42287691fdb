"""Structured output: validation, corrections and malicious schemas."""

import json
import time

import pytest

from agents.services.agents import publish_agent
from agents.testing import FakeOpenAI, call_tool, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from conversations.runtime.loop import run_turn
from conversations.runtime.structured_output import (
    AnswerValidationError,
    find_validation_error,
    validate_schema,
)
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import begin_turn, start_conversation
from conversations.streaming.answers import follow_answer
from conversations.tests.workers import read_answer

TIDE = {
    "type": "object",
    "properties": {"hours": {"type": "array", "items": {"type": "integer", "maximum": 23}}},
    "required": ["hours"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"hours": [0, 12]}, ""),
        ({"hours": [24]}, "hours/0: 24 is greater than the maximum of 23"),
        ({}, "The answer: 'hours' is a required property"),
        ({"hours": [], "x": 1}, "The answer: Additional properties are not allowed ('x' was unexpected)"),
    ],
)
def test_first_validation_error_is_returned(value, wrong):
    assert find_validation_error(TIDE, value) == wrong


@pytest.mark.parametrize(
    "schema", [[], {"type": "string"}, {"type": "object", "properties": {"a": {"type": "x"}}}]
)
def test_non_object_schema_is_rejected(schema):
    assert "not a valid JSON Schema of type object" in validate_schema(schema)
    assert validate_schema(TIDE) == ""


def test_schema_validation_has_time_limit():
    evil = {"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}, "patternProperties": {"(a+)+$": {}}}
    began = time.monotonic()
    assert (
        find_validation_error(
            evil | {"additionalProperties": False}, {"a": "a" * 40 + "!", "a" * 40 + "!": 1}
        )
        == ""
    )
    twice = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)} | {"a40": {}}
    with pytest.raises(AnswerValidationError, match="too long"):
        find_validation_error({"$defs": twice, "$ref": "#/$defs/a0"}, {})
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/schema", "#/$defs/none"])
def test_external_references_are_not_fetched(reference):
    with pytest.raises(AnswerValidationError, match="cannot be resolved"):
        find_validation_error({"type": "object", "properties": {"a": {"$ref": reference}}}, {"a": {}})


@pytest.fixture
def caller(tenant, member):
    return Caller(tenant.pk, member.user_id, f"user:{member.user_id}")


@pytest.fixture
def ask_with_schema(caller):
    """Return a function that asks an agent with an answer schema."""

    def ask(*script, schema=TIDE, streamed=False, published=False, **fields):
        with FakeOpenAI(*script) as server:
            with caller.scope():
                account = IntegrationFactory(base_url=server.base_url)
                fields = {"model_provider": "openai-compatible", "integration": account} | fields
                agent = AgentFactory(config={"output_schema": schema}, **fields)
                if published:
                    publish_agent(agent)
                    agent.config = {}
                    agent.save()
                row = start_conversation(agent, user_id=caller.user_id)
                turn = load_turn(begin_turn(row.pk, content="When?", user_id=caller.user_id), caller)
            answer = run_turn(turn, (lambda piece: None) if streamed else None)
        return answer, server.requests

    return ask


@pytest.mark.parametrize("streamed", [False, True])
def test_agent_answers_by_configured_schema(ask_with_schema, caller, streamed):
    answer, requests = ask_with_schema(call_tool("final_result", hours=[1]), streamed=streamed)
    # JSON arrays are not citations.
    assert (answer.status, json.loads(answer.content), answer.citations) == ("completed", {"hours": [1]}, [])
    sent = {tool["function"]["name"]: tool["function"] for tool in requests[0].body["tools"]}
    assert sent["final_result"]["parameters"]["required"] == ["hours"]
    if streamed:
        assert read_answer(follow_answer(caller, answer.conversation_id, answer.pk))[0] == answer.content


def test_pinned_version_keeps_its_schema(ask_with_schema):
    answer, _ = ask_with_schema(call_tool("final_result", hours=[1]), published=True)
    assert json.loads(answer.content) == {"hours": [1]}


def test_model_corrects_invalid_answer(ask_with_schema):
    answer, requests = ask_with_schema(
        call_tool("final_result", hours=[99]), call_tool("final_result", hours=[9])
    )
    assert json.loads(answer.content) == {"hours": [9]}
    assert "99 is greater than the maximum of 23" in json.dumps(requests[1].body["messages"][-1])


def test_answer_that_stays_invalid_fails(ask_with_schema):
    answer, requests = ask_with_schema(call_tool("final_result", hours=[99]))
    assert (answer.status, answer.error_code, len(requests)) == ("failed", "bad_response", 2)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schema": {"type": "string"}}, "not a valid JSON Schema of type object"),
        ({"model_provider": "extractive", "integration": None}, "offline model"),
        (
            {"schema": TIDE | {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}},
            "recursive",
        ),
    ],
    ids=["no schema", "offline", "recursive"],
)
def test_unusable_schema_is_reported(ask_with_schema, fields, said):
    answer, requests = ask_with_schema(say("x"), **fields)
    assert (answer.status, answer.error_code, requests) == ("failed", "misconfigured", [])
    assert said in answer.error_message
