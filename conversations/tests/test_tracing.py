"""Traces of a chat completion, exported over OTLP."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agents.models import LlmUsage
from agents.testing import FakeOpenAI, call_tool, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from config.testing.processes import free_port
from config.testing.web_server import run_web_server
from knowledge.tests.waiting import wait_until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
QUESTION = "When is high water at Emden-Neptun-7?"
SERVER = 2


class TraceCollector(ThreadingHTTPServer):
    """An OTLP collector; `spans` maps names to spans, `payload` is all received data."""

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), CollectorHandler)
        self.payload, self.spans = b"", {}
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def wait(self, name):
        return wait_until(lambda: self.spans.get(name), progress=lambda: sorted(self.spans))


class CollectorHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces"
        self.server.payload += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans.update({span.name: span for span in scope.spans})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def get_attributes(span):
    """Return the attributes of a span as Python values."""
    found = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        found[each.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


@pytest.fixture(scope="module")
def port():
    """The port to which the server exports traces; nothing listens there outside `collector`."""
    return free_port()


@pytest.fixture
def collector(port):
    with TraceCollector(port) as made:
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def server(port, django_db_setup, django_db_blocker):
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with django_db_blocker.unblock(), run_web_server(**variables) as server:
        yield server


@pytest.fixture
def key(transactional_db, tenant, api_key):
    return api_key()


def create_agent(tenant, base_url):
    with tenant_scope(tenant, actor="system:test"):
        account = IntegrationFactory(base_url=base_url, credentials={"api_key": "sk-very-secret-0815"})
        return AgentFactory(
            slug="guide", model_provider="openai-compatible", model_name="m", integration=account, timeout=20
        )


def ask(server, key, **headers):
    body = {"model": "guide", "messages": [{"role": "user", "content": QUESTION}]}
    headers = {"Authorization": f"Bearer {key.secret}", **headers}
    return requests.post(f"{server.url}/v1/chat/completions", json=body, headers=headers, timeout=60)


@pytest.mark.slow
def test_chat_completion_is_one_trace_with_semantic_attributes(tenant, key, server, collector):
    script = (call_tool("calculator", expression="6*7"), say("It is at noon."))
    with FakeOpenAI(*script) as model:
        agent = create_agent(tenant, model.base_url)
        answer = ask(server, key, traceparent=f"00-{TRACE}-{PARENT}-01")
        assert answer.status_code == 200, answer.text
        request = collector.wait("POST /v1/chat/completions")
    with tenant_scope(tenant, actor="system:test"):
        usage = list(LlmUsage.objects.order_by("id"))

    run, chat = collector.spans["invoke_agent guide"], collector.spans["chat m"]
    assert {span.trace_id.hex() for span in collector.spans.values()} == {TRACE}
    assert (request.parent_span_id.hex(), request.kind) == (PARENT, SERVER)
    assert (run.parent_span_id, chat.parent_span_id) == (request.span_id, run.span_id)
    assert get_attributes(request)["http.route"] == "/v1/chat/completions"
    assert get_attributes(request)["http.response.status_code"] == 200
    found = get_attributes(chat)
    assert (found["gen_ai.operation.name"], found["gen_ai.request.model"]) == ("chat", "m")
    assert found["gen_ai.provider.name"] == "openai-compatible"
    assert found["gen_ai.response.model"] == "m"
    sent = {(row.prompt_tokens, row.completion_tokens) for row in usage}
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) in sent
    about = {
        "gen_ai.agent.name": "guide",
        "gen_ai.agent.id": str(agent.pk),
        "gen_ai.conversation.id": str(usage[0].conversation_id),
        "conclave.tenant.id": str(tenant.pk),
    }
    assert about.items() <= get_attributes(run).items()
    assert get_attributes(run)["gen_ai.operation.name"] == "invoke_agent"
    for secret in (QUESTION, "at noon", key.secret, "sk-very-secret-0815"):
        assert secret.encode() not in collector.payload


@pytest.mark.slow
def test_unreachable_collector_has_no_effect(tenant, key, server):
    with FakeOpenAI(say("At noon.")) as model:
        create_agent(tenant, model.base_url)
        ask(server, key)
        began = time.monotonic()
        answers = [ask(server, key).status_code for _ in range(10)]
        assert (set(answers), time.monotonic() - began < 10) == ({200}, True)
