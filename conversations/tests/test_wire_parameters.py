"""Members of `/v1` requests: passed on, ignored or refused, and never dropped silently."""

import importlib
import json
from pathlib import Path

import anthropic
import openai
import pytest
from django.conf import settings

from agents.testing import call_tool, say
from conversations.api import parameters, wire_models
from conversations.api.anthropic.schemas import MessagesRequest
from conversations.api.openai.embeddings import EmbeddingRequest
from conversations.api.openai.responses import ResponseRequest
from conversations.api.openai.schemas import ChatRequest
from conversations.api.openai.vector_files import AttachRequest
from conversations.api.openai.vectors import SearchRequest, StoreRequest, StoreUpdateRequest

ASK = [{"role": "user", "content": "When is high water?"}]
REQUESTS = {
    ChatRequest: "openai.types.chat.completion_create_params.CompletionCreateParamsStreaming",
    ResponseRequest: "openai.types.responses.response_create_params.ResponseCreateParamsStreaming",
    EmbeddingRequest: "openai.types.embedding_create_params.EmbeddingCreateParams",
    SearchRequest: "openai.types.vector_store_search_params.VectorStoreSearchParams",
    StoreRequest: "openai.types.vector_store_create_params.VectorStoreCreateParams",
    StoreUpdateRequest: "openai.types.vector_store_update_params.VectorStoreUpdateParams",
    AttachRequest: "openai.types.vector_stores.file_create_params.FileCreateParams",
    MessagesRequest: "anthropic.types.beta.message_create_params.MessageCreateParamsStreaming",
}
# Arguments of Anthropic's client that it sends as headers.
HEADERS = {"betas", "user_profile_id", "workspace_id"}


@pytest.fixture
def openai_client(wired):
    with openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=0) as made:
        yield made


@pytest.fixture
def anthropic_client(wired):
    with anthropic.Anthropic(base_url=wired.url, api_key=wired.key.secret, max_retries=0) as made:
        yield made


@pytest.fixture
def send(openai_client, anthropic_client):
    """Return a function that sends a request with extra members in one of the three dialects."""

    def send(dialect, model="guide", **body):
        if dialect == "chat":
            return openai_client.chat.completions.create(
                model=model, messages=body.pop("messages", ASK), extra_body=body
            )
        if dialect == "responses":
            return openai_client.responses.create(
                model=model, input=body.pop("input", "When?"), extra_body=body
            )
        return anthropic_client.beta.messages.create(
            model=model, max_tokens=500, messages=body.pop("messages", ASK), extra_body=body
        )

    return send


@pytest.mark.parametrize("shape", REQUESTS, ids=lambda shape: shape.__name__)
def test_every_member_of_the_official_client_is_decided(shape):
    module, _, name = REQUESTS[shape].rpartition(".")
    members = set(getattr(importlib.import_module(module), name).__annotations__) - HEADERS
    listed = {parameter.name for parameter in parameters.PARAMETERS[shape.table]}
    used = {field.alias or name for name, field in shape.model_fields.items()}
    assert members - listed - used == set()


def test_passed_on_members_are_fields():
    shapes = [
        shape for shape in all_shapes(wire_models.WireModel) if shape.table and not shape.__subclasses__()
    ]
    for shape in shapes:
        used = {field.alias or name for name, field in shape.model_fields.items()}
        for parameter in parameters.PARAMETERS[shape.table]:
            passed_on = parameter.handling == parameters.Handling.PASSED_ON
            assert passed_on == (parameter.name in used), (shape, parameter.name)


def all_shapes(shape):
    return [shape, *(each for child in shape.__subclasses__() for each in all_shapes(child))]


def test_reference_page_is_current():
    page = Path(settings.BASE_DIR, "docs/reference/wire-parameters.md").read_text()
    assert page == parameters.render_parameters(), "Run python -m conversations.api.parameters"


DROPPED = [
    ("chat", "background_music", True),
    ("chat", "logit_bias.a", {"logit_bias": {"a": "b"}}),
    ("chat", "web_search_options", {}),
    ("chat", "modalities", ["text", "audio"]),
    ("chat", "messages.0.audio", {"messages": [{**ASK[0], "audio": {"id": "a"}}]}),
    (
        "chat",
        "tools.0.function.cache",
        {"tools": [{"type": "function", "function": {"name": "f", "cache": 1}}]},
    ),
    ("responses", "background", True),
    ("responses", "truncation", "auto"),
    ("responses", "conversation", "conv_1"),
    ("responses", "input.0.volume", {"input": [{"role": "user", "content": "When?", "volume": 11}]}),
    ("messages", "mcp_servers", [{"type": "url", "name": "a", "url": "https://a.example"}]),
    ("messages", "container", "c_1"),
    ("messages", "thinking", {"type": "enabled", "budget_tokens": 2000}),
    ("messages", "top_k", 5),
    (
        "messages",
        "tools.0.defer_loading",
        {"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]},
    ),
]


def attack(send, dialect, name, value):
    """Return whether a member that changes the answer is accepted, and the error."""
    body = value if isinstance(value, dict) and "." in name else {name: value}
    try:
        send(dialect, **body)
    except (openai.BadRequestError, anthropic.BadRequestError) as error:
        return False, error
    return True, None


@pytest.mark.security("dropped input")
def test_members_that_change_the_answer_are_refused(send, wired, attacks):
    for dialect, name, value in DROPPED:
        accepted, error = attack(send, dialect, name, value)
        attacks.attempt(name, succeeded=accepted)
        if dialect == "messages":
            assert name in error.body["error"]["message"]
        else:
            assert error.param == name
    assert (wired.messages(), wired.model.requests) == ([], [])


@pytest.mark.parametrize(
    ("shape", "member", "value", "parameter"),
    [
        (ChatRequest, "messages", [{"role": "user", "content": 5}], "messages.0.content"),
        (
            ChatRequest,
            "messages",
            [{"role": "user", "content": [{"text": "a"}]}],
            "messages.0.content.0.type",
        ),
        (ChatRequest, "messages", [{"role": "user", "content": [{"type": 5}]}], "messages.0.content.0.type"),
        (ChatRequest, "tool_choice", "sometimes", "tool_choice"),
        (ChatRequest, "tool_choice", {"type": "function", "function": {}}, "tool_choice.function.name"),
        (ChatRequest, "messages", None, "messages"),
        (ResponseRequest, "input", 5, "input"),
        (ResponseRequest, "input", [{"role": "pilot"}], "input.0.role"),
        (EmbeddingRequest, "input", 5, "input"),
        (SearchRequest, "query", ["a", ""], "query.1"),
        (AttachRequest, "attributes", {"kind": []}, "attributes.kind"),
        (MessagesRequest, "system", [{"type": 5}], "system.0.type"),
        (MessagesRequest, "thread", {"type": "end"}, "thread"),
        (MessagesRequest, "thread", {"type": "continue"}, "thread.previous_message_id"),
        (MessagesRequest, "thread", {"type": "create", "name": "a"}, "thread.name"),
    ],
)
def test_errors_name_members_and_no_types(shape, member, value, parameter):
    body = {"model": "guide", "messages": ASK, "input": "a", "query": "a", "max_tokens": 5, "file_id": "a"}
    used = {name: given for name, given in body.items() if name in shape.model_fields}
    with pytest.raises(wire_models.CompatError) as caught:
        wire_models.validate_schema(shape, {**used, member: value})
    assert caught.value.members["parameter"] == parameter


@pytest.mark.security("dropped input", mutation=True)
def test_members_are_dropped_without_the_table(send, attacks, monkeypatch):
    monkeypatch.setitem(parameters.PARAMETERS, parameters.RESPONSES, ())
    monkeypatch.setitem(ResponseRequest.model_config, "extra", "ignore")
    ResponseRequest.model_rebuild(force=True)
    try:
        for dialect, name, value in DROPPED:
            if dialect == "responses" and "." not in name:
                attacks.attempt(name, succeeded=attack(send, dialect, name, value)[0])
    finally:
        monkeypatch.undo()
        ResponseRequest.model_rebuild(force=True)


def test_members_without_effect_are_ignored(send):
    send(
        "chat",
        user="a",
        prompt_cache_key="k",
        service_tier="flex",
        modalities=["text"],
        web_search_options=None,
    )
    send("responses", background=False, truncation="disabled", safety_identifier="x", include=[])
    send("messages", cache_control={"type": "ephemeral"}, service_tier="auto", thinking={"type": "disabled"})


@pytest.mark.parametrize("model", ["guide", "house/m"])
def test_settings_are_passed_on(send, wired, model):
    send("chat", model, reasoning_effort="low", logit_bias={"50256": -100}, verbosity="low", seed=7)
    send("responses", model, reasoning={"effort": "high"}, text={"verbosity": "high"})
    send("messages", model, output_config={"effort": "medium"})
    first, second, third = (request.body for request in wired.model.requests)
    assert (first["reasoning_effort"], first["logit_bias"], first["verbosity"], first["seed"]) == (
        "low",
        {"50256": -100},
        "low",
        7,
    )
    assert (second["reasoning_effort"], second["verbosity"]) == ("high", "high")
    assert third["reasoning_effort"] == "medium"


RESULTS = [
    ("chat", "messages", [*ASK, {"role": "tool", "tool_call_id": "call_9", "content": "rain"}]),
    ("responses", "input", [{"type": "function_call_output", "call_id": "call_9", "output": "rain"}]),
    (
        "messages",
        "messages",
        [
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "call_9", "content": "rain"}],
            }
        ],
    ),
]


@pytest.mark.security("dropped input")
def test_tool_results_need_their_call(send, wired, attacks):
    for dialect, name, value in RESULTS:
        accepted, error = attack(send, dialect, name, value)
        attacks.attempt(dialect, succeeded=accepted)
        assert "call_9" in str(error)
        if dialect != "messages":
            assert error.param == name
    assert (wired.messages(), wired.model.requests) == ([], [])


# --- answers --------------------------------------------------------------------------------------------

JSON_OBJECT = {"type": "json_object"}


def test_json_object_is_passed_on_and_checked(send, wired):
    wired.script(say('{"hour": 12}'), say("At noon."))
    done = send("chat", "house/m", response_format=JSON_OBJECT)
    assert json.loads(done.choices[0].message.content) == {"hour": 12}
    assert wired.model.requests[0].body["response_format"] == JSON_OBJECT
    with pytest.raises(openai.APIStatusError, match="not valid JSON") as caught:
        send("responses", "house/m", text={"format": JSON_OBJECT})
    assert caught.value.status_code == 502


def test_agent_corrects_an_answer_without_json_object(send, wired):
    wired.script(say("[1]"), say('{"hour": 12}'))
    done = send("chat", response_format=JSON_OBJECT)
    assert json.loads(done.choices[0].message.content) == {"hour": 12}
    assert [request.body["response_format"] for request in wired.model.requests] == [JSON_OBJECT] * 2


def test_schema_of_a_model_answer_is_checked(send, wired):
    schema = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
    wired.script(say('{"hour": "noon"}'))
    shape = {"type": "json_schema", "json_schema": {"name": "tide", "schema": schema}}
    with pytest.raises(openai.APIStatusError, match="does not match the schema"):
        send("chat", "house/m", response_format=shape)
    assert wired.model.requests[0].body["response_format"]["json_schema"]["schema"] == schema


SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Weather",
    "type": "object",
    "properties": {
        "city": {"title": "City", "type": "string", "minLength": 1, "default": "Emden", "format": "hostname"},
        "kind": {"oneOf": [{"const": "wind"}, {"const": "rain"}], "discriminator": {"propertyName": "k"}},
        "next": {"$ref": "#/$defs/Next"},
    },
    "$defs": {"Next": {"title": "Next", "type": "object", "properties": {}}},
    "x-order": ["city", "kind"],
}


@pytest.mark.parametrize("model", ["guide", "house/m"])
@pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
def test_tool_schema_reaches_the_model_unchanged(send, wired, model, dialect):
    tool = {"name": "weather", "description": "Tells the weather."}
    tools = {
        "chat": {"type": "function", "function": {**tool, "parameters": SCHEMA}},
        "responses": {"type": "function", **tool, "parameters": SCHEMA},
        "messages": {**tool, "input_schema": SCHEMA},
    }
    send(dialect, model, tools=[tools[dialect]])
    sent = {row["function"]["name"]: row["function"] for row in wired.model.requests[0].body["tools"]}
    assert json.dumps(sent["weather"]["parameters"]) == json.dumps(SCHEMA)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_agent_is_made_to_call_the_client_tool(send, wired, choice):
    wired.script(call_tool("weather", city="Emden"))
    tool = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
    done = send("chat", tools=[tool], tool_choice=choice)
    assert done.choices[0].message.tool_calls[0].function.name == "weather"
    assert wired.model.requests[0].body["tool_choice"] != "auto"
