"""Errors of model endpoints and tools, as seen by the user and in the records."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agents.models import BudgetCounter, BudgetReservation, Integration, LlmUsage
from agents.services.integrations import FAILURE_THRESHOLD
from agents.testing import (
    FakeOpenAI,
    call_tool,
    fail,
    half_stream,
    invalid_reply,
    redirect,
    say,
    slow,
    unreachable_url,
)
from agents.tests.factories import AgentFactory, AgentFallbackFactory, BudgetFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Message, ToolExecution

URL = "/api/v1/conversations/"
QUESTION = "When is high water?"


@pytest.fixture
def guide(tenant):
    """Return a function that creates the agent `guide` in a tenant with a budget."""

    def make(base_url, **fields):
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(name="House", base_url=base_url)
            BudgetFactory(
                subject="tenant", subject_id=None, resource="tokens", period="day", limit_value=50_000
            )
            common = {"model_provider": "openai-compatible", "model_name": "m", "integration": account}
            return AgentFactory(slug="guide", timeout=fields.pop("timeout", 8), **common, **fields)

    return make


def ask_question(client):
    return client.post(URL, {"agent": "guide", "message": QUESTION}, content_type="application/json")


# For each case: the endpoint's reply; status, code and message of the answer; provider status; whether it counts
# as a failure for the circuit breaker.
WRONG = {
    "down": (None, 502, "unreachable", "The model endpoint is unreachable.", None, 1),
    "slow": (slow(30), 504, "timeout", "The model endpoint did not answer in time.", None, 1),
    "429": (
        fail(429, retry_after=0.01),
        503,
        "rate_limited",
        "The model endpoint is limiting requests. Try again later.",
        429,
        0,
    ),
    "429-for-long": (
        fail(429, retry_after=3600),
        503,
        "rate_limited",
        "The model endpoint is limiting requests. Try again later.",
        429,
        0,
    ),
    "500": (
        fail(500, retry_after=0.01),
        502,
        "server_error",
        "The endpoint failed with status 500. Try again later.",
        500,
        1,
    ),
    "401": (fail(401), 502, "authentication", "The model endpoint rejected the API key.", 401, 0),
    "nonsense": (
        invalid_reply(),
        502,
        "bad_response",
        "The model endpoint returned an invalid response.",
        None,
        0,
    ),
    "half": (
        half_stream(),
        502,
        "bad_response",
        "The model endpoint ended its answer before it was complete.",
        None,
        0,
    ),
    "redirect": (
        redirect("http://10.0.0.1/v1/chat/completions"),
        409,
        "refused_request",
        "The model endpoint refused the request with status 307.",
        307,
        0,
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_model_errors_are_reported_and_recorded(api_client, tenant, guide, wrong):
    reply, http_status, code, words, provider_status, counted = WRONG[wrong]
    client = api_client()
    with FakeOpenAI(reply or say("never")) as server:
        guide(server.base_url if reply else unreachable_url(), timeout=2 if wrong == "slow" else 8)
        response = ask_question(client)
    problem = response.json()
    assert (response.status_code, problem["code"], problem["detail"]) == (http_status, code, words)
    assert len(server.requests) == {"429": 3, "500": 3, "down": 0}.get(wrong, 1)
    with tenant_scope(tenant, actor="system:test"):
        question, answer = Message.objects.order_by("sequence_number")
        (used,) = LlmUsage.objects.all()
        (account,) = Integration.objects.all()
        assert list(BudgetReservation.objects.all()) == []
        assert list(BudgetCounter.objects.values_list("used", "reserved")) == [(0, 0)]
    assert (question.content, question.status) == (QUESTION, "completed")
    assert (answer.status, answer.error_code, answer.error_message) == ("failed", code, words)
    assert (used.error_message, used.status_code, used.total_tokens) == (words, provider_status, 0)
    assert used.message_id == answer.pk
    assert (account.status, account.last_error) == ("error", words)
    assert (account.failure_count, account.last_sync_at) == (counted, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ragged", [False, True], ids=["cut", "ragged"])
def test_interrupted_stream_is_stored_and_counted(api_client, tenant, guide, ragged):
    client = api_client()
    with FakeOpenAI(half_stream("High water is at noon, but", ragged=ragged)) as server:
        guide(server.base_url)
        made = client.post(URL, {"agent": "guide"}, content_type="application/json").json()
        response = client.post(
            f"{URL}{made['id']}/messages/",
            {"content": QUESTION},
            content_type="application/json",
            headers={"accept": "text/event-stream"},
        )
        shown = b"".join(response.streaming_content).decode()
    words = "The model endpoint ended its answer before it was complete."
    assert "event: message.failed" in shown
    assert words in shown
    with tenant_scope(tenant, actor="system:test"):
        answer = Message.objects.get(role="assistant")
        (used,) = LlmUsage.objects.all()
        assert list(BudgetReservation.objects.all()) == []
        (counter,) = BudgetCounter.objects.all()
    assert (answer.status, answer.content.startswith("High water is at")) == ("failed", True)
    assert (used.error_message, used.status_code) == (words, 200)
    assert answer.token_count == used.total_tokens == counter.used > 0
    assert counter.reserved == 0


def test_slow_model_leaves_time_for_fallback(api_client, tenant, guide):
    with FakeOpenAI(slow(30)) as server, FakeOpenAI(say("At noon.")) as spare:
        agent = guide(server.base_url, timeout=12)
        with tenant_scope(tenant, actor="system:test"):
            account = IntegrationFactory(name="Spare", base_url=spare.base_url)
            common = {"model_provider": "openai-compatible", "model_name": "s", "integration": account}
            AgentFallbackFactory(agent=agent, **common)
        response = ask_question(api_client())
    assert (response.status_code, response.json()["answer"]["content"]) == (201, "At noon.")
    with tenant_scope(tenant, actor="system:test"):
        failed, answered = LlmUsage.objects.order_by("pk")
        late = Integration.objects.get(name="House")
        spared = Integration.objects.get(name="Spare")
        assert list(BudgetReservation.objects.all()) == []
        (counter,) = BudgetCounter.objects.all()
    words = "The model endpoint did not answer in time."
    assert (failed.model, failed.error_message, failed.total_tokens) == ("m", words, 0)
    assert (answered.model, answered.error_message, answered.status_code) == ("s", "", 200)
    assert (late.status, late.last_error, late.failure_count) == ("error", words, 1)
    assert (spared.status, spared.failure_count) == ("connected", 0)
    assert (counter.used, counter.reserved) == (answered.total_tokens, 0)


def test_slow_endpoint_opens_circuit_breaker(api_client, tenant, guide):
    client = api_client()
    with FakeOpenAI(slow(30)) as server:
        guide(server.base_url, timeout=1)
        codes = [ask_question(client).json()["code"] for _ in range(FAILURE_THRESHOLD + 1)]
    assert codes == ["timeout"] * FAILURE_THRESHOLD + ["unreachable"]
    assert len(server.requests) == FAILURE_THRESHOLD


def test_exhausted_budget_does_not_count_as_endpoint_failure(api_client, tenant, guide):
    with FakeOpenAI(say("never")) as server:
        guide(server.base_url)
        with tenant_scope(tenant, actor="system:test"):
            BudgetFactory(subject="user", subject_id=None, resource="tokens", period="day", limit_value=1)
        response = ask_question(api_client())
    assert (response.status_code, response.json()["code"]) == (429, "budget_exceeded")
    with tenant_scope(tenant, actor="system:test"):
        (account,) = Integration.objects.all()
        assert list(BudgetReservation.objects.all()) == []
    assert (account.status, account.last_error, server.requests) == ("disconnected", "", [])


# --- tools ---------------------------------------------------------------------------------------------


class PageHandler(BaseHTTPRequestHandler):
    """Serves redirects to a private address, endless pages and invalid responses."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/endless":
            self.server.closing.wait(30)
        if self.path == "/inward":
            self.send_response(302)
            self.send_header("Location", self.server.inward)
            self.end_headers()
            return
        self.wfile.write(b"\x00\xff no protocol\r\n\r\n")

    def log_message(self, *_):
        """Log nothing."""


@pytest.fixture
def pages(settings):
    """An allowed server on 127.0.0.1 and a private one on 127.0.0.2."""
    made = []
    for host in ("127.0.0.1", "127.0.0.2"):
        server = ThreadingHTTPServer((host, 0), PageHandler)
        server.daemon_threads, server.block_on_close = True, False
        server.asked, server.closing = [], threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.append(server)
    front, inside = made
    front.inward = f"http://127.0.0.2:{inside.server_address[1]}/secret"
    settings.FETCH_NETWORKS = ["127.0.0.1/32"]
    settings.FETCH_PORTS = [front.server_address[1], inside.server_address[1]]
    yield front, inside
    for server in made:
        server.closing.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/inward", "failed", "The page cannot be reached."),
        ("/endless", "timeout", "The tool did not respond within 1 seconds."),
        ("/garbage", "failed", "The page cannot be reached."),
    ],
)
def test_tool_failure_is_returned_to_model(api_client, tenant, guide, pages, path, status, words):
    front, inside = pages
    url = f"http://127.0.0.1:{front.server_address[1]}{path}"
    client = api_client()
    with FakeOpenAI(call_tool("http_fetch", url=url), say("I could not read it.")) as server:
        guide(server.base_url, tools=["http_fetch"], tool_timeout=1, timeout=20)
        response = ask_question(client)
    assert (response.status_code, response.json()["answer"]["content"]) == (201, "I could not read it.")
    (result,) = [each["content"] for each in server.requests[1].body["messages"] if each["role"] == "tool"]
    assert result == f'{{"error":"{words}"}}'
    assert (front.asked, inside.asked) == ([path], [])
    with tenant_scope(tenant, actor="system:test"):
        (row,) = ToolExecution.objects.all()
    assert (row.status, row.error_message, row.tool_input) == (status, words, {"url": url})
    assert row.completed_at is not None
