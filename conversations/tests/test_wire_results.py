"""Responses of `/v1` follow the schemas of the OpenAPI document."""

import json
import re
from functools import cache

import httpx
import pytest
from jsonschema import Draft202012Validator

from agents.testing import call_tool, say
from config.api.docs import document
from conversations.tests.compat import WEATHER
from conversations.tests.test_openai_files import index_all

ASK = [{"role": "user", "content": "When is high water?"}]
ANTHROPIC = {"anthropic-version": "2023-06-01"}
# The response has no JSON body, or the request always fails.
UNSENT = {("get", "/v1/files/{name}/content"), ("post", "/v1/responses/{name}/cancel")}


@cache
def load_closed_components():
    """Return the components, in which objects have no other members than the documented ones."""

    def close(schema):
        if isinstance(schema, list):
            return [close(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        closed = {name: close(value) for name, value in schema.items()}
        return {"additionalProperties": False, **closed} if "properties" in schema else closed

    return {"components": {"schemas": close(document()["components"]["schemas"])}}


def find_schema(method, path):
    """Return the documented path of an operation, and the schema of its response."""
    for documented, operations in sorted(document()["paths"].items(), key=lambda item: "{" in item[0]):
        pattern = re.sub(r"\{\w+\}", "[^/]+", documented)
        if documented.startswith("/v1/") and method in operations and re.fullmatch(pattern, path):
            content = operations[method]["responses"]["200"]["content"]
            return documented, content["application/json"]["schema"]
    raise AssertionError(f"{method} {path} is not documented")


@pytest.fixture
def send(wired):
    """Return a function that sends a request, validates the response and records the operation."""
    headers = {"Authorization": f"Bearer {wired.key.secret}"}
    with httpx.Client(base_url=wired.url, headers=headers) as client:

        def send(method, path, body=None, **fields):
            response = client.request(method, path, json=body, **fields)
            assert response.status_code == 200, response.text
            documented, schema = find_schema(method, path)
            Draft202012Validator(load_closed_components() | schema).validate(response.json())
            send.operations.add((method, documented))
            return response.json()

        send.operations = set()
        yield send


def list_typed_operations():
    return {
        (method, path)
        for path, operations in document()["paths"].items()
        for method in operations
        if path.startswith("/v1/")
    } - UNSENT


def exercise_models(send):
    for headers in ({}, ANTHROPIC):
        send("get", "/v1/models", headers=headers)
        send("get", "/v1/models/guide", headers=headers)


def exercise_answers(send, wired):
    function = {"type": "function", "function": WEATHER}
    chat = {"model": "guide", "messages": ASK}
    response = {"model": "guide", "input": "When?", "text": {"format": {"type": "text"}}}
    message = {"model": "guide", "messages": ASK}
    send("post", "/v1/chat/completions", chat)
    send("post", "/v1/messages", message | {"max_tokens": 9})
    wired.script(*[call_tool("weather", city="Emden")] * 3)
    send("post", "/v1/chat/completions", chat | {"tools": [function]})
    tool = {"name": "weather", "input_schema": WEATHER["parameters"]}
    send("post", "/v1/messages", message | {"max_tokens": 9, "tools": [tool]})
    called = send("post", "/v1/responses", response | {"tools": [{"type": "function", **WEATHER}]})
    (call,) = called["output"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
    image = {"type": "input_image", "image_url": "data:image/png;base64,eA=="}
    asked = [call, result, {"role": "user", "content": [{"type": "input_text", "text": "And?"}, image]}]
    name = send("post", "/v1/responses", response | {"input": asked})["id"]
    send("get", f"/v1/responses/{name}")
    assert len(send("get", f"/v1/responses/{name}/input_items")["data"]) == 3
    send("delete", f"/v1/responses/{name}")
    send("post", "/v1/messages/count_tokens", message)


def exercise_files(send, wired):
    file = send("post", "/v1/files", files={"file": ("a.md", b"noon")}, data={"purpose": "user_data"})["id"]
    send("get", "/v1/files")
    send("get", f"/v1/files/{file}")
    path = f"/v1/vector_stores/{send('post', '/v1/vector_stores', {'name': 'Sea'})['id']}"
    attached = {"file_id": file, "attributes": {"a": 1, "b": True, "c": "d"}}
    send("post", f"{path}/files", attached)
    index_all(wired)
    send("get", f"{path}/files")
    send("get", f"{path}/files/{file}")
    assert send("post", f"{path}/search", {"query": "noon"})["data"]
    send("delete", f"{path}/files/{file}")
    send("get", "/v1/vector_stores")
    send("get", path)
    send("post", path, {"metadata": {"a": "b"}})
    send("delete", path)
    send("delete", f"/v1/files/{file}")


def test_responses_follow_their_schemas(send, wired):
    exercise_models(send)
    exercise_answers(send, wired)
    exercise_files(send, wired)
    for encoding in ("float", "base64"):
        body = {"model": "lexical-hash-384", "input": "noon", "encoding_format": encoding}
        send("post", "/v1/embeddings", body)
    assert send.operations == list_typed_operations()


def test_streamed_chunks_follow_their_schema(wired):
    wired.script(call_tool("weather", city="Emden"), say("It rains."))
    function = {"type": "function", "function": WEATHER}
    body = {"model": "guide", "messages": ASK, "stream": True, "stream_options": {"include_usage": True}}
    headers = {"Authorization": f"Bearer {wired.key.secret}"}
    schema = {"$ref": "#/components/schemas/OpenAIChatCompletionChunk"}
    validator = Draft202012Validator(load_closed_components() | schema)
    for tools in ([function], []):
        url = f"{wired.url}/v1/chat/completions"
        response = httpx.post(url, json=body | {"tools": tools}, headers=headers)
        *chunks, end = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
        assert (end, len(chunks) > 3) == ("[DONE]", True)
        for chunk in chunks:
            validator.validate(json.loads(chunk))


def test_no_response_is_a_free_object():
    schemas = document()["components"]["schemas"]
    for method, path in list_typed_operations():
        content = document()["paths"][path][method]["responses"]["200"]["content"]["application/json"]
        for each in content["schema"].get("anyOf", [content["schema"]]):
            assert schemas[each["$ref"].rpartition("/")[2]]["required"], (method, path)


def test_undocumented_members_do_not_follow_the_schema():
    _, schema = find_schema("delete", "/v1/files/file-x")
    deleted = {"id": "file-x", "object": "file", "deleted": True}
    validator = Draft202012Validator(load_closed_components() | schema)
    assert validator.is_valid(deleted)
    assert not validator.is_valid(deleted | {"purpose": "assistants"})
    assert not validator.is_valid({"id": "file-x", "object": "file"})
