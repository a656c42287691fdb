"""`/v1` and the event streams in the OpenAPI document."""

import inspect
import json
import re

import pytest
from jsonschema import Draft202012Validator

from config.api.docs import document
from conversations.api import event_schemas, streaming, wire_operations
from conversations.api.anthropic import messages
from conversations.api.openai import response_streams
from conversations.api.openai.urls import urlpatterns
from conversations.tests.test_api import QUESTION, URL, agent, client, post

__all__ = ["agent", "client"]
METHODS = ("get", "post", "put", "patch", "delete")


def test_documented_paths_are_those_of_the_url_configuration():
    views = {
        str(route.pattern): route.callback.view_class
        for route in urlpatterns
        if hasattr(route.callback, "view_class")
    }
    routed = {
        "/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route): {
            name for name in METHODS if hasattr(view, name)
        }
        for route, view in views.items()
    }
    found = {path: set(methods) for path, methods in document()["paths"].items() if path.startswith("/v1/")}

    assert found == routed
    assert len(found) > 15


def test_every_post_of_v1_documents_its_body():
    bare = {"/v1/responses/{name}/cancel"}
    found = {
        path
        for path, methods in document()["paths"].items()
        if path.startswith("/v1/") and "post" in methods and "requestBody" not in methods["post"]
    }

    assert found == bare


def test_idempotency_key_is_documented_where_it_is_accepted():
    found = {
        path
        for path, methods in document()["paths"].items()
        if path.startswith("/v1/")
        and "post" in methods
        and "Idempotency-Key" not in {parameter["name"] for parameter in methods["post"]["parameters"]}
    }

    assert found == {"/v1/messages/count_tokens"}


def test_chat_events_include_errors():
    data = document()["components"]["schemas"]["OpenAIChatEvent"]["properties"]["data"]

    assert {"$ref": "#/components/schemas/OpenAIError"} in [
        each.get("contentSchema") for each in data["anyOf"]
    ]


def test_description_of_answer_streams_lists_all_events():
    operation = document()["paths"]["/api/v1/conversations/{conversation_id}/messages/"]["post"]

    assert all(name in operation["responses"]["200"]["description"] for name in event_schemas.ANSWER_EVENTS)


def test_ignored_members_are_documented_and_unknown_ones_are_not():
    schema = document()["components"]["schemas"]["OpenAIChatRequest"]

    assert {"messages", "temperature", "user"} <= schema["properties"].keys()
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("module", "pattern", "names"),
    [
        (streaming, r'"(message\.\w+)"', event_schemas.ANSWER_EVENTS),
        (messages, r'encode_event\(\s*"(\w+)"', wire_operations.ANTHROPIC_EVENTS),
    ],
    ids=["answers", "anthropic"],
)
def test_documented_events_are_those_that_are_sent(module, pattern, names):
    assert set(re.findall(pattern, inspect.getsource(module))) == set(names)


def test_documented_response_events_include_those_that_are_sent():
    sent = set(re.findall(r'_event\(\s*"([\w.]+)"', inspect.getsource(response_streams)))

    assert sent | {"response.completed", "response.incomplete"} == set(wire_operations.RESPONSE_EVENTS)


@pytest.mark.django_db(transaction=True)
def test_streamed_events_follow_their_schema(client, agent):
    conversation = post(client, URL, {"agent": "guide"}).json()["id"]
    url = f"{URL}{conversation}/messages/"
    response = post(client, url, {"content": QUESTION}, accept="text/event-stream")
    text = b"".join(response.streaming_content).decode()
    events = [dict(line.split(": ", 1) for line in part.split("\n")) for part in text.split("\n\n") if part]
    operation = document()["paths"]["/api/v1/conversations/{conversation_id}/messages/"]["post"]
    components = {"components": document()["components"]}
    schema = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]

    assert len(events) > 2
    for event in events:
        Draft202012Validator(components | schema).validate(event)
        data, _ = event_schemas.ANSWER_EVENTS[event["event"]]
        Draft202012Validator(components | data).validate(json.loads(event["data"]))
