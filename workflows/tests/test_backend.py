"""The interface of backends: the engine and a backend in memory run the same plans with the same bodies."""

import ast
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError

from agents.testing import say
from config.tenancy.scope import tenant_scope
from conversations.tests.test_turns import caller
from tenants.models import OutboxEvent, Tenant
from workflows.choices import StepKind
from workflows.models import Approval
from workflows.runtime import bodies as bodies_package
from workflows.runtime.step_bodies import get_body
from workflows.services.backend import Backend, EngineBackend
from workflows.testing import run_lanes
from workflows.tests.memory_backend import MemoryBackend
from workflows.tests.runs import publish, reread, states, transform
from workflows.tests.step_contexts import ScriptedService, ServedReply
from workflows.tests.test_agent_steps import make_agent, model
from workflows.tests.test_expert_group_steps import experts, hold_meeting, server
from workflows.tests.test_tool_steps import configure, mcp_url, sea

__all__ = ["caller", "configure", "experts", "make_agent", "mcp_url", "model", "sea", "server"]
BODIES = Path(settings.BASE_DIR) / "workflows/runtime/bodies"
# What only the engine may use: claims, commits, lanes, and the functions that start and control runs.
ENGINE = {
    "workflows.runtime.attempts",
    "workflows.runtime.lanes",
    "workflows.runtime.run_state",
    "workflows.services.closing",
    "workflows.services.commits",
    "workflows.services.lanes",
    "workflows.services.runs",
}
ENGINE_MODELS = {"StepExecution", "WorkflowEvent", "WorkflowGate", "WorkflowLane", "MapState", "MapRange"}
# The body of maps belongs to the engine: another backend runs the items itself.
EXCEPTIONS = {"maps.py": {"workflows.models.MapState"}}
GRAPH = (
    transform("base", "${ input.n * 2 }"),
    {"id": "large", "kind": "condition", "condition": "steps.base.output > 10"},
    transform("plus", "${ steps.base.output + 1 }", needs=["large"], when="steps.large.output"),
    transform("minus", "${ steps.base.output - 1 }", needs=["large"], when="!steps.large.output"),
    {"id": "both", "kind": "join", "needs": ["plus", "minus"], "join": "any"},
    {
        "id": "choice",
        "kind": "switch",
        "needs": ["both"],
        "cases": [{"when": "steps.base.output > 10", "goto": "sum"}],
        "default": "notice",
    },
    {
        "id": "sum",
        "kind": "tool",
        "tool": "calculator",
        "input": {"expression": "6 * 7"},
        "needs": ["choice"],
    },
    {"id": "notice", "kind": "emit", "event": "sum.skipped", "data": {"n": 1}, "needs": ["choice"]},
    {
        "id": "each",
        "kind": "map",
        "items": [1, 2, 3],
        "steps": [transform("double", "${ item * 2 }")],
        "needs": ["sum", "notice"],
        "join": "none_failed",
    },
)
OUTPUT = {"each": "${ steps.each.output.succeeded }", "sum": "${ steps.sum.output }"}


@pytest.fixture
def backend(monkeypatch):
    """A backend in memory, also for the steps that start runs."""
    memory = MemoryBackend()
    monkeypatch.setattr("workflows.runtime.bodies.waits.backend", memory)
    return memory


@pytest.fixture
def begin(backend, tenant, member):
    """Start a workflow of these steps in memory, run its steps and return the run."""

    def run(*steps, input_data=None, **members):
        with tenant_scope(tenant, user=member.user):
            row = backend.start(publish(*steps, **members), input_data=input_data, user_id=member.user_id)
        backend.work()
        return row

    return run


@pytest.fixture
def wait_begin(begin, backend):
    """Start a workflow whose step waits, followed by a transformation of its output."""

    def run(step, **members):
        return begin(step, transform("after", f"${{ steps.{step['id']}.output }}"), **members)

    return run


@pytest.mark.parametrize("n", [3, 8])
def test_both_backends_run_a_plan_alike(start, begin, backend, n):
    engine = start(*GRAPH, output=OUTPUT, input_data={"n": n})
    memory = begin(*GRAPH, output=OUTPUT, input_data={"n": n})
    with tenant_scope(engine.tenant_id, actor="system:test"):
        described = EngineBackend().describe(engine.pk)

    found = backend.describe(memory.pk)
    assert (described.status, described.error) == (found.status, found.error) == ("completed", "")
    assert described.output == found.output
    assert found.output == {"each": 3, "sum": 42 if n == 8 else None}
    assert states(memory) == states(engine)


def test_failures_can_be_driven_again(start, begin, backend, monkeypatch, tenant, member):
    from workflows.runtime.step_bodies import StepError, StepResult, _bodies

    answers = [StepError("refused", "Refused.", retryable=False), StepResult(5)]

    def body(context):
        answer = answers.pop(0)
        if isinstance(answer, StepError):
            raise answer
        return answer

    monkeypatch.setitem(_bodies, "http", body)
    steps = (
        transform("first", 1),
        {"id": "call", "kind": "http", "url": "https://example.com"},
        transform("last", "${ steps.call.output + steps.first.output }"),
    )
    run = begin(*steps, output={"n": "${ steps.last.output }"})

    assert backend.describe(run.pk).error == "Step call: Refused."
    with tenant_scope(tenant, user=member.user):
        backend.redrive(run.pk)
    backend.work()
    assert backend.describe(run.pk).output == {"n": 6}
    with pytest.raises(ValidationError):
        backend.redrive(run.pk)


def test_an_event_ends_a_wait(wait_begin, backend):
    run = wait_begin({"id": "paid", "kind": "wait_event", "event": "invoice.paid"})

    assert backend.describe(run.pk).status == "running"
    assert backend.signal("event:invoice.lost", {}) == 0
    assert backend.signal("event:invoice.paid", {"data": {"n": 1}}) == 1
    backend.work()
    assert backend.describe(run.pk).status == "completed"


@pytest.mark.parametrize("kind", ["approval", "form"])
def test_people_end_a_wait(wait_begin, backend, tenant, member, kind):
    form = {"form": {"type": "object", "properties": {"title": {"type": "string"}}}}
    run = wait_begin({"id": "ask", "kind": kind, "prompt": "Publish this?", **form})
    with tenant_scope(tenant, user=member.user):
        assert Approval.objects.get().prompt == "Publish this?"

    assert backend.signal(f"step:{run.pk}:ask", {"decision": "approve"}) == 1
    backend.work()
    assert backend.describe(run.pk).status == "completed"


def test_a_delay_ends(wait_begin, backend):
    run = wait_begin({"id": "pause", "kind": "delay", "seconds": 3600})

    assert backend.describe(run.pk).status == "running"
    backend.pass_time()
    assert backend.describe(run.pk).status == "completed"


def test_a_step_starts_a_run_in_the_same_backend(begin, backend, tenant, member):
    with tenant_scope(tenant, user=member.user):
        publish(transform("n", "${ input.n + 1 }"), slug="child", output={"n": "${ steps.n.output }"})
    child = {"id": "child", "kind": "workflow", "workflow": "child", "input": {"n": "${ input.n }"}}
    run = begin(child, output={"n": "${ steps.child.output.n }"}, input_data={"n": 1})

    assert backend.describe(run.pk).output == {"n": 2}
    assert len(backend.runs) == 2


def test_an_agent_answers(begin, backend, model, make_agent):
    make_agent(model(say("At noon.")))
    agent = {"id": "ask", "kind": "agent", "agent": "guide", "prompt": "When is high water?"}
    run = begin(agent, output={"text": "${ steps.ask.output.text }"})

    assert backend.describe(run.pk).output == {"text": "At noon."}


def test_a_meeting_ends_a_wait(begin, backend, experts, caller):
    group = {
        "id": "meet",
        "kind": "expert_group",
        "agents": ["lead", "ice"],
        "topic": "How thick is the ice?",
    }
    run = begin(group, output={"summary": "${ steps.meet.output.summary }"})

    assert backend.describe(run.pk).status == "running"
    hold_meeting(caller)
    backend.pass_time()
    assert backend.describe(run.pk).output == {"summary": "Done."}


def test_services_are_called(begin, backend, sea, configure, mcp_url, tenant, settings):
    configure(mcp_url)
    with tenant_scope(tenant, actor="system:test"):
        Tenant.objects.update(settings={"workflows": {"http_hosts": ["127.0.0.1"]}})
    with ScriptedService(ServedReply(201, b'{"id": 7}')) as service:
        settings.FETCH_NETWORKS = ["127.0.0.0/8"]
        settings.FETCH_PORTS = [*settings.FETCH_PORTS, service.port]
        run = begin(
            {"id": "find", "kind": "retrieval", "collection": "sea", "query": "high water"},
            {"id": "add", "kind": "mcp", "server": "sums", "tool": "add", "input": {"a": 42, "b": 1}},
            {"id": "post", "kind": "http", "method": "POST", "url": service.url},
            output={
                "id": "${ steps.post.output.body.id }",
                "n": "${ steps.add.output.result }",
                "source": "${ steps.find.output.passages[0].source }",
            },
        )

    assert backend.describe(run.pk).output == {"id": 7, "n": 43, "source": "tides.md"}


def test_events_are_published(begin, tenant):
    run = begin({"id": "notice", "kind": "emit", "event": "sum.found", "data": {"n": 1}})

    with tenant_scope(tenant, actor="system:test"):
        assert OutboxEvent.objects.get(type="sum.found").data == {"n": 1, "run_id": str(run.pk)}


def test_runs_are_paused_and_cancelled(wait_begin, backend):
    run = wait_begin({"id": "paid", "kind": "wait_event", "event": "invoice.paid"})
    assert backend.pause(run.pk)
    backend.signal("event:invoice.paid", {})
    backend.work()

    assert backend.describe(run.pk).status == "paused"
    assert backend.resume(run.pk)
    assert backend.cancel(run.pk)
    assert not backend.cancel(run.pk)
    assert backend.describe(run.pk).status == "cancelled"


def list_methods(owner):
    return {name for name in vars(owner) if not name.startswith("_")}


@pytest.mark.parametrize("implementation", [EngineBackend, MemoryBackend])
def test_implementations_have_every_method(implementation):
    assert list_methods(Backend) <= list_methods(implementation)
    assert list_methods(Backend) == {"start", "signal", "cancel", "pause", "resume", "redrive", "describe"}


def test_the_engine_is_controlled_by_the_interface(tenant, member):
    engine = EngineBackend()
    with tenant_scope(tenant, user=member.user):
        workflow = publish({"id": "paid", "kind": "wait_event", "event": "invoice.paid"})
        run = engine.start(workflow, user_id=member.user_id)
    run_lanes(tenant)
    with tenant_scope(tenant, user=member.user):
        assert engine.pause(run.pk)
        assert engine.resume(run.pk)
        assert engine.signal("event:invoice.paid", {"n": 1}) == 1
    run_lanes(tenant)

    assert reread(run).status == "completed"
    with tenant_scope(tenant, user=member.user):
        assert not engine.cancel(run.pk)
        assert engine.describe(workflow.pk) is None


def list_imports(text):
    """Return the imported modules and names of a module of the package, as dotted paths."""
    found, package = set(), bodies_package.__name__.split(".")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*start, *filter(None, [node.module])])
            found |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    return found


def find_engine_imports(text):
    forbidden = ENGINE | {f"workflows.models.{name}" for name in ENGINE_MODELS}
    return {
        name for name in list_imports(text) if name in forbidden or name.startswith("workflows.models.engine")
    }


def test_bodies_reach_the_engine_by_their_context_only():
    found = {path.name: find_engine_imports(path.read_text()) for path in BODIES.glob("*.py")}

    assert len(found) > 8
    assert {name: each for name, each in found.items() if each} == EXCEPTIONS


@pytest.mark.parametrize(
    "text",
    [
        "from workflows.services.commits import commit_step",
        "def f():\n    from workflows.services import lanes",
        "import workflows.services.runs",
        "from workflows.models import StepExecution",
        "from ..lanes import run_lane",
    ],
)
def test_imports_of_the_engine_are_found(text):
    assert find_engine_imports(text)


def test_every_kind_has_a_body_in_the_package():
    places = {kind: get_body(kind).__module__ for kind in StepKind}

    assert len(places) == 17
    assert {place.rpartition(".")[0] for place in places.values()} == {bodies_package.__name__}
