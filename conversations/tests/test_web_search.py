"""Web searches of agents, against servers with the wire formats of Tavily and SerpApi."""

import json
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from asgiref.sync import async_to_sync

from accounts.tests.factories import UserSettingsFactory
from agents.models import Integration
from agents.runtime.web_search import SearchAccount, WebSearchError, search_web
from agents.testing import FakeOpenAI, RecordedRequest, ScriptedReply, call_tool, say, unreachable_url
from agents.tests.factories import IntegrationFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.tests.test_tools import agent_of, executions, get_tool_results
from conversations.tests.test_turns import ask, caller
from tenants.tests.factories import SystemSettingFactory

__all__ = ["agent_of", "caller"]
KEY = "tvly-secret-key"
FOUND = {"title": "Tides", "url": "https://tides.example/", "text": "High water is at noon."}
ROWS = {
    "tavily": {"results": [{"title": "Tides", "url": FOUND["url"], "content": FOUND["text"], "score": 0.9}]},
    "serpapi": {"organic_results": [{"title": "Tides", "link": FOUND["url"], "snippet": FOUND["text"]}]},
}
SEARCH = call_tool("web_search", query="high  water", max_results=3)


class SearchServer(FakeOpenAI):
    """A scripted search service."""

    def handler(self):
        return SearchHandler

    @property
    def base_url(self):
        return super().base_url.removesuffix("/v1")


class SearchHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.fake.take(RecordedRequest(self.path, headers, json.loads(body or b"{}")))
        self.send_response(reply.status)
        if reply.location:
            self.send_header("Location", reply.location)
        self.end_headers()
        self.wfile.write(reply.raw or b"{}")

    def do_GET(self):
        self.do_POST()

    def log_message(self, *args):
        pass


def reply_with(value, status=200):
    return ScriptedReply(raw=json.dumps(value).encode(), status=status)


@pytest.fixture
def search(caller, agent_of):
    """Return a function that searches with an agent and returns the result for the model."""

    def run(asking=None, arguments=SEARCH):
        with FakeOpenAI(arguments, say("At noon.")) as model:
            with caller.scope():
                Integration.objects.filter(platform="openai-compatible").delete()
            ask(asking or caller, agent_of(model, tools=["web_search"]))
        return json.loads(get_tool_results(model)[0])

    return run


def add_account(caller, server, platform="tavily", **fields):
    address = server if isinstance(server, str) else server.base_url
    fields = {"credentials": {"api_key": KEY}, "user_id": caller.user_id, **fields}
    with caller.scope():
        return IntegrationFactory(platform=platform, base_url=address, **fields)


@pytest.mark.parametrize("platform", ["tavily", "serpapi"])
def test_results_of_the_service_reach_the_model(caller, search, platform):
    with SearchServer(reply_with(ROWS[platform])) as server:
        account = add_account(caller, server, platform)
        found = search()

    (request,) = server.requests
    url = urlsplit(request.path)
    assert found == {"provider": platform, "results": [FOUND]}
    if platform == "tavily":
        assert (url.path, request.headers["authorization"]) == ("/search", f"Bearer {KEY}")
        assert request.body == {"query": "high water", "max_results": 3, "search_depth": "basic"}
    else:
        sent = {name: value for name, (value,) in parse_qs(url.query).items()}
        assert url.path == "/search.json"
        assert sent == {"engine": "google", "q": "high water", "num": "3", "api_key": KEY}
    with caller.scope():
        account.refresh_from_db()
    assert account.status == "connected"
    assert executions(caller)[0][:3] == (
        "web_search",
        "completed",
        {"query": "high  water", "max_results": 3},
    )


@pytest.mark.parametrize(
    ("person", "organisation", "platform", "outcome"),
    [
        ("", None, None, "serpapi"),
        ("tavily", None, None, "tavily"),
        ("serpapi", None, None, "serpapi"),
        ("disabled", None, None, "Web search is disabled in the user settings."),
        ("tavily", "serpapi", None, "serpapi"),
        ("tavily", "disabled", None, "Web search is disabled in the organisation."),
        ("serpapi", "serpapi", "tavily", "tavily"),
        ("tavily", "tavily", "disabled", "Web search is disabled for this installation."),
    ],
)
def test_choices_of_platform_organisation_and_person(
    caller, tenant, search, person, organisation, platform, outcome
):
    with (
        SearchServer(reply_with(ROWS["tavily"])) as tavily,
        SearchServer(reply_with(ROWS["serpapi"])) as serpapi,
    ):
        add_account(caller, serpapi, "serpapi", name="A")
        add_account(caller, tavily, name="B")
        with caller.scope():
            UserSettingsFactory(user_id=caller.user_id, web_search_provider=person)
        tenant.settings = {"web_search": {"provider": organisation}} if organisation else {}
        with caller.scope():
            tenant.save(update_fields=["settings"])
        if platform:
            SystemSettingFactory(key="web_search.provider", value=platform)
        found = search()

    assert found.get("provider", found.get("error")) == outcome
    assert len(tavily.requests) + len(serpapi.requests) == ("provider" in found)


def test_the_users_own_account_precedes_those_of_colleagues(caller, tenant, search):
    colleague = add_member(tenant)
    with SearchServer(reply_with(ROWS["tavily"])) as server:
        add_account(caller, server, name="A", user_id=colleague.user_id, credentials={"api_key": "theirs"})
        search()
        add_account(caller, server, name="B")
        search()

    keys = [request.headers["authorization"] for request in server.requests]
    assert keys == ["Bearer theirs", f"Bearer {KEY}"]


def test_accounts_of_other_tenants_are_not_used(caller, other_tenant, search):
    outsider = add_member(other_tenant)
    with tenant_scope(other_tenant, user=outsider.user):
        IntegrationFactory(platform="tavily")

    assert search() == {"error": "Web search needs an integration with tavily or serpapi."}


@pytest.mark.parametrize(
    ("platform", "reply", "error"),
    [
        ("tavily", reply_with({}, 401), "The search service rejected the API key."),
        ("tavily", reply_with({"results": 7}), "The search service returned an invalid response."),
        ("tavily", ScriptedReply(raw=b"<html>"), "The search service returned an invalid response."),
        ("tavily", ScriptedReply(raw=b"[1]"), "The search service returned an invalid response."),
        ("tavily", ScriptedReply(raw=b" " * 2**21), "The search service returned an invalid response."),
        (
            "serpapi",
            reply_with({"error": f"Invalid {KEY}"}),
            "The search service returned an invalid response.",
        ),
        ("serpapi", reply_with({}, 400), "The search service failed."),
    ],
)
def test_failures_are_errors_without_the_key(caller, search, caplog, platform, reply, error):
    with SearchServer(reply) as server:
        account = add_account(caller, server, platform)
        found = search()
    with caller.scope():
        account.refresh_from_db()

    assert found == {"error": error}
    assert (account.status, account.last_error) == ("error", error)
    assert KEY not in caplog.text


@pytest.mark.parametrize(("status", "failures"), [(429, 0), (503, 1)])
def test_only_outages_count_towards_the_pause(caller, search, monkeypatch, status, failures):
    monkeypatch.setattr("agents.runtime.retries.MAX_RETRIES", 0)
    with SearchServer(reply_with({}, status)) as server:
        account = add_account(caller, server)
        search()
    with caller.scope():
        account.refresh_from_db()

    assert (account.status, account.failure_count) == ("error", failures)


def test_redirects_are_not_followed(caller, search):
    with (
        SearchServer(reply_with(ROWS["tavily"])) as inner,
        SearchServer(ScriptedReply(status=302, location=f"{inner.base_url}/search")) as server,
    ):
        add_account(caller, server)
        found = search()

    assert (found, inner.requests) == ({"error": "The search service failed."}, [])


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([{"title": "x", "url": "javascript:alert(1)"}], 0),
        ([{"url": "file:///etc/passwd"}, 7, {"url": "https://a.example/"}], 1),
        ([{"url": f"https://{n}.example/", "content": "x" * 5000} for n in range(30)], 3),
        ([], 0),
    ],
)
def test_results_are_bounded_and_lead_to_web_pages(caller, search, rows, count):
    with SearchServer(reply_with({"results": rows})) as server:
        add_account(caller, server)
        results = search()["results"]

    assert len(results) == count
    assert all(len(each["text"]) <= 1000 for each in results)


def test_serpapi_without_results_is_no_failure(caller, search):
    reply = reply_with({"error": "Google hasn't returned any results for this query."})
    with SearchServer(reply) as server:
        add_account(caller, server, "serpapi")

        assert search() == {"provider": "serpapi", "results": []}


@pytest.mark.parametrize("query", ["", "   ", "x" * 401])
def test_query_is_bounded(caller, search, query):
    add_account(caller, unreachable_url())

    assert "between 1 and 400 characters" in search(arguments=call_tool("web_search", query=query))["error"]


@pytest.mark.security("web search of internal addresses")
def test_account_cannot_lead_to_internal_addresses(caller, settings, monkeypatch, attacks):
    monkeypatch.setattr("agents.runtime.retries.MAX_RETRIES", 0)
    settings.MODEL_HOSTS, settings.MODEL_NETWORKS = [], []
    with SearchServer(reply_with(ROWS["tavily"])) as server:
        for address in (server.base_url, server.base_url.replace("127.0.0.1", "localhost")):
            attacks.attempt(address, succeeded="results" in run_search(add_account(caller, address)))
    assert server.requests == []


def run_search(account):
    """Search without a model, whose own server is on an internal address."""
    try:
        return {
            "results": async_to_sync(search_web)(SearchAccount(1, "tavily", account.base_url, KEY), "x", 1)
        }
    except WebSearchError as error:
        return {"error": str(error)}


@pytest.mark.security("web search of internal addresses", mutation=True)
def test_guarded_client_is_what_keeps_searches_out(caller, monkeypatch, attacks):
    monkeypatch.setattr("agents.runtime.web_search.http_client", lambda _: httpx2.AsyncClient())
    with SearchServer(reply_with(ROWS["tavily"])) as server:
        attacks.attempt(succeeded="results" in run_search(add_account(caller, server)))
