"""Steps that search, call built-in tools and call tools of MCP servers."""

import json
import time

import pytest

from agents.models import McpServer
from agents.testing import unreachable_url
from agents.tests.factories import McpServerConfigFactory
from config.db.ids import uuid7
from config.testing.fixtures import add_member
from config.testing.roles import as_platform
from conversations.models import McpToolExecution
from conversations.tests.test_turns import caller
from conversations.tests.test_web_search import ROWS, SearchServer, add_account, reply_with
from knowledge.models import Document, RagQuery
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion
from workflows.choices import StepKind
from workflows.runtime.step_bodies import StepCancelledError, StepError, get_body
from workflows.tests.days.mcp_server import run_mcp_server
from workflows.tests.step_contexts import build_context, cancel_after

__all__ = ["caller"]
TOOLS = [{"name": name} for name in ("add", "fail", "wait", "report_key")]


@pytest.fixture
def run(member):
    """Return a function that runs a step of a kind."""

    def run_step(kind, config, **fields):
        return get_body(kind)(build_context(member, kind, config, **fields))

    return run_step


@pytest.fixture
def sea(caller, tmp_path):
    """A collection with a document about tides."""
    (tmp_path / "tides.md").write_text("# Tides\n\nHigh water comes at noon in Emden.")
    with caller.scope():
        collection, _ = get_or_create_collection("sea")
    ingestion = Ingestion(caller.tenant_id, collection, "system:test")
    list(ingestion.run(ingestion.files(tmp_path)))
    return collection


def fails(run, kind, config, **fields):
    """Return code and retryability of the error."""
    with pytest.raises(StepError) as caught:
        run(kind, config, **fields)
    return caught.value.code, caught.value.retryable


def test_search_returns_passages_and_is_recorded(run, caller, sea):
    config = {"collection": "sea", "query": "high\0 water", "top_k": 3, "filter": {"sources": ["tides.md"]}}
    result = run(StepKind.RETRIEVAL, config)
    (passage,) = result.output["passages"]
    assert (passage["number"], passage["source"]) == (1, "tides.md")
    assert "noon in Emden" in passage["text"]
    json.dumps(result.output)
    with caller.scope():
        query = RagQuery.objects.get()
    assert (query.query_text, query.user_id) == ("high water", caller.user_id)
    assert result.metadata == {"query_id": str(query.pk)}
    other = config | {"filter": {"documents": ["00000000-0000-7000-8000-000000000000"]}}
    assert run(StepKind.RETRIEVAL, other).output == {"passages": []}


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        ({"tags": ["sea", "x"]}, {"tags": ["x"]}),
        ({"languages": ["en"]}, {"languages": ["de"]}),
        ({"uploaded_after": "2026-05-01T12:00:00Z"}, {"uploaded_after": "2026-05-01T12:00:01Z"}),
        ({"uploaded_before": "2026-05-02T00:00:00Z"}, {"uploaded_before": "2026-05-01T14:00:00+02:00"}),
    ],
)
def test_search_filters_by_tag_language_and_date(run, caller, sea, found, missing):
    with caller.scope():
        columns = {"metadata": {"tags": ["sea"]}, "uploaded_at": "2026-05-01T12:00:00Z"}
        Document.objects.update(**columns)
    config = {"collection": "sea", "query": "high water"}
    counts = [
        len(run(StepKind.RETRIEVAL, config | {"filter": each}).output["passages"])
        for each in (found, missing)
    ]
    assert counts == [1, 0]


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"collection": "none"}, "collection_not_found"),
        ({"query": 5}, "invalid_input"),
        ({"top_k": 0}, "invalid_input"),
        ({"top_k": "many"}, "invalid_input"),
        ({"filter": {"tenant": 1}}, "invalid_input"),
        ({"filter": {"documents": ["x"]}}, "invalid_input"),
        ({"filter": {"languages": ["deu"]}}, "invalid_input"),
        ({"filter": {"uploaded_after": "yesterday"}}, "invalid_input"),
    ],
)
def test_invalid_searches_fail(run, sea, config, code):
    found = fails(run, StepKind.RETRIEVAL, {"collection": "sea", "query": "tides", **config})
    assert found == (code, False)


@pytest.mark.security("search in another tenant's collection")
def test_collections_of_other_tenants_are_not_found(run, sea, other_tenant, attacks):
    outsider = add_member(other_tenant)
    context = build_context(outsider, StepKind.RETRIEVAL, {"collection": "sea", "query": "tides"})
    with pytest.raises(StepError) as caught:
        get_body(StepKind.RETRIEVAL)(context)
    attacks.attempt(succeeded=caught.value.code != "collection_not_found")


@pytest.mark.security("search in another tenant's collection", mutation=True)
def test_collections_are_found_in_the_scope_of_their_tenant(run, member, sea, attacks):
    result = run(StepKind.RETRIEVAL, {"collection": "sea", "query": "tides"})
    attacks.attempt(succeeded=bool(result.output["passages"]))


def test_cancelled_search_sends_no_query(run, caller, sea):
    config = {"collection": "sea", "query": "tides"}
    with pytest.raises(StepCancelledError):
        run(StepKind.RETRIEVAL, config, check_cancelled=cancel_after(1))
    with caller.scope():
        assert not RagQuery.objects.exists()


def test_built_in_tools_return_their_results(run):
    assert run(StepKind.TOOL, {"tool": "calculator", "input": {"expression": "6 * 7"}}).output == 42
    clock = run(StepKind.TOOL, {"tool": "current_time", "input": {"time_zone": "Europe/Berlin"}})
    assert clock.output["zone"] == "Europe/Berlin"
    assert run(StepKind.TOOL, {"tool": "current_time"}).output["zone"] == "UTC"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"tool": "calculator", "input": {"expression": "9**9**9"}}, "tool_error"),
        ({"tool": "http_fetch", "input": {"url": "http://127.0.0.1/"}}, "tool_error"),
        ({"tool": "web_search", "input": {"query": "tides"}}, "tool_error"),
        ({"tool": "assets.list"}, "tool_not_found"),
        ({"tool": "calculator", "input": []}, "tool_error"),
        ({"tool": "calculator", "input": [1]}, "invalid_input"),
    ],
)
def test_failures_of_built_in_tools(run, config, code):
    assert fails(run, StepKind.TOOL, config) == (code, False)


def test_web_search_uses_the_account_of_the_user(run, caller):
    with SearchServer(reply_with(ROWS["tavily"]), reply_with({}, 401)) as server:
        add_account(caller, server)
        result = run(StepKind.TOOL, {"tool": "web_search", "input": {"query": "high water"}})
        refused = fails(run, StepKind.TOOL, {"tool": "web_search", "input": {"query": "tides"}})
    assert result.output["results"][0]["title"] == "Tides"
    assert refused == ("tool_error", False)


@pytest.fixture(scope="module")
def mcp_url():
    with run_mcp_server() as url:
        yield url


@pytest.fixture
def configure(caller):
    """Return a function that configures the reference server as `sums`."""

    def make(url, **fields):
        with caller.scope():
            fields.setdefault("resource_limits", {"timeout": 20})
            config = McpServerConfigFactory(config={}, env={}, **fields)
            with as_platform():
                McpServer.objects.filter(pk=config.mcp_server_id).update(
                    slug="sums", server_type="http", command=url, tool_definitions=TOOLS
                )

    return make


def list_calls(caller):
    from config.tenancy.scope import tenant_scope

    with tenant_scope(caller.tenant_id, actor="system:test"):
        return list(McpToolExecution.objects.order_by("pk"))


def call(tool, **arguments):
    return {"server": "sums", "tool": tool, "input": arguments}


def test_an_mcp_tool_is_called_and_recorded(run, caller, configure, mcp_url):
    configure(mcp_url)
    result = run(StepKind.MCP, call("add", a=40, b=2))
    assert result.output == {"result": 42}
    (record,) = list_calls(caller)
    assert (record.tool_name, record.status, record.parameters) == ("add", "completed", {"a": 40, "b": 2})
    assert record.metadata["step_id"] == "post"
    with caller.scope():
        assert not McpToolExecution.objects.exists()


@pytest.mark.parametrize("idempotency", ["key", "none"])
def test_mcp_servers_receive_the_idempotency_key(run, configure, mcp_url, idempotency):
    configure(mcp_url)
    execution_id = uuid7()
    config = {**call("report_key"), "idempotency": idempotency}
    result = run(StepKind.MCP, config, execution_id=execution_id)
    expected = f"{execution_id}:post:-1:0" if idempotency == "key" else "None"
    assert result.output == {"result": expected}


def test_texts_of_mcp_servers_are_not_repeated_in_errors(run, caller, configure, mcp_url):
    configure(mcp_url)
    with pytest.raises(StepError) as caught:
        run(StepKind.MCP, call("fail"))
    assert (caught.value.code, caught.value.retryable) == ("tool_error", False)
    (record,) = list_calls(caller)
    assert record.error_message not in caught.value.message


@pytest.mark.parametrize(
    ("idempotency", "expected"), [("key", ("timeout", True)), ("none", ("unknown_outcome", False))]
)
def test_late_mcp_tools_time_out(run, caller, configure, mcp_url, idempotency, expected):
    configure(mcp_url)
    config = {**call("wait", seconds=0.6), "timeout": 0.3, "idempotency": idempotency}
    assert fails(run, StepKind.MCP, config) == expected
    assert [each.status for each in list_calls(caller)] == ["timeout"]


def test_mcp_failures_without_a_call(run, caller, configure):
    configure(unreachable_url(), resource_limits={"timeout": 20, "max_calls_per_minute": 1})
    assert fails(run, StepKind.MCP, call("add")) == ("unreachable", True)
    assert fails(run, StepKind.MCP, call("add")) == ("rate_limited", True)
    assert fails(run, StepKind.MCP, call("missing")) == ("tool_not_found", False)
    assert fails(run, StepKind.MCP, {"server": "other", "tool": "add"}) == ("tool_not_found", False)


def test_cancellation_ends_an_mcp_call(run, caller, configure, mcp_url, monkeypatch):
    monkeypatch.setattr("workflows.runtime.outside_calls.CHECK_SECONDS", 0.05)
    configure(mcp_url)
    started = time.monotonic()
    with pytest.raises(StepCancelledError):
        run(StepKind.MCP, call("wait", seconds=1), check_cancelled=cancel_after(3))
    assert time.monotonic() - started < 5
    assert [(each.status, each.error_code) for each in list_calls(caller)] == [("failed", "cancelled")]


@pytest.mark.security("MCP server of other members")
def test_restricted_servers_are_not_called(run, caller, configure, mcp_url, attacks):
    configure(mcp_url, for_all_users=False)
    found = fails(run, StepKind.MCP, call("add", a=1, b=2))
    nobody = fails(run, StepKind.MCP, call("add", a=1, b=2), user_id=None)
    attacks.attempt("another user", succeeded=found[0] != "tool_not_found" or bool(list_calls(caller)))
    attacks.attempt("no user", succeeded=nobody[0] != "tool_not_found")


@pytest.mark.security("MCP server of other members", mutation=True)
def test_servers_for_all_are_called(run, configure, mcp_url, attacks):
    configure(mcp_url)
    attacks.attempt(succeeded=run(StepKind.MCP, call("add", a=1, b=2)).output == {"result": 3})
