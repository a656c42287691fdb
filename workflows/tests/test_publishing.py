"""Publishing of workflows: checks against the tenant, versions, differences and restoring."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from agents.tests.factories import AgentFactory, McpServerConfigFactory
from config.tenancy.scope import tenant_scope
from knowledge.tests.factories import CollectionFactory
from workflows.models import Workflow, WorkflowTrigger, WorkflowVersion
from workflows.services.lookup import get_latest_version
from workflows.services.publishing import publish, restore_version
from workflows.services.version_diff import diff_versions, diff_with_draft
from workflows.tests.factories import WorkflowFactory, WorkflowTriggerFactory, WorkflowVersionFactory
from workflows.tests.runs import transform


def call(slug, **more):
    return {"id": "call", "kind": "workflow", "workflow": slug} | more


def make(*steps, **more):
    return WorkflowFactory(definition={"schema": "conclave.workflow/1", "steps": list(steps)}, **more)


def refused(workflow):
    with pytest.raises(ValidationError) as caught:
        publish(workflow)
    assert not WorkflowVersion.objects.filter(workflow=workflow).exists()
    return caught.value.message_dict["definition"]


def test_versions_are_numbered_and_frozen(scope, member):
    workflow = make(transform("a"), config={"region": "eu"}, timeout=60)

    first = publish(workflow, note="First", user_id=member.user_id)
    workflow.definition["steps"][0]["value"] = 2
    workflow.save()
    second = publish(workflow)

    assert (first.version, second.version) == (1, 2)
    assert (first.note, first.created_by_id) == ("First", member.user_id)
    assert first.snapshot == {
        "definition": {"schema": "conclave.workflow/1", "steps": [transform("a")]},
        "config": {"region": "eu"},
        "timeout": 60,
        "retry": workflow.retry_config,
    }
    assert get_latest_version(workflow) == second
    assert Workflow.objects.get(pk=workflow.pk).version == 2


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"kind": "agent", "agent": "ghost"}, "steps.0.agent: Step s: The agent ghost does not exist."),
        ({"kind": "agent", "agent": "asleep"}, "steps.0.agent: Step s: The agent asleep is not active."),
        (
            {"kind": "agent", "agent": "writer", "version": 9},
            "steps.0.version: Step s: The agent writer has no",
        ),
        (
            {"kind": "agent", "agent": "writer", "output_schema": {"type": "string"}},
            "steps.0.output_schema: Step s:",
        ),
        (
            {"kind": "expert_group", "agents": ["writer", "ghost"], "topic": "x"},
            "steps.0.agents.1: Step s: The agent",
        ),
        (
            {"kind": "tool", "tool": "assets.list"},
            "steps.0.tool: Step s: The tool assets.list does not exist.",
        ),
        (
            {"kind": "mcp", "server": "ghost", "tool": "x"},
            "steps.0.server: Step s: The MCP server ghost does not",
        ),
        (
            {"kind": "retrieval", "collection": "ghost", "query": "x"},
            "steps.0.collection: Step s: The collection",
        ),
        ({"kind": "http", "url": "https://x.test/", "integration": "ghost"}, "steps.0.integration: Step s:"),
        (
            {"kind": "approval", "prompt": "?", "roles": ["admin", "ghost"]},
            "steps.0.roles.1: Step s: The role ghost",
        ),
        (
            {"kind": "emit", "event": "run.completed"},
            "steps.0.event: Step s: Only Conclave publishes run.completed events.",
        ),
        (
            {"kind": "workflow", "workflow": "ghost"},
            "steps.0.workflow: Step s: The workflow ghost does not exist",
        ),
        (
            {"kind": "map", "items": [], "workflow": "ghost"},
            "steps.0.workflow: Step s: The workflow ghost does not",
        ),
        (
            transform("s", compensate={"kind": "tool", "tool": "undo"}),
            "steps.0.compensate.tool: Step s: The tool undo",
        ),
        (transform("s", "${ steps.x.output }"), "steps.0.value: Step s: Step x does not exist."),
    ],
)
def test_reference_without_a_row_is_refused(step, message, scope):
    AgentFactory(slug="writer")
    AgentFactory(slug="asleep", status="inactive")

    (found,) = refused(make({"id": "s"} | step))

    assert found.startswith(message)


def test_existing_references_are_accepted(scope):
    agent = AgentFactory(slug="writer")
    CollectionFactory(slug="handbook")
    server = McpServerConfigFactory().mcp_server
    steps = [
        {"id": "a", "kind": "agent", "agent": "writer", "prompt": "Hello"},
        {"id": "by_id", "kind": "agent", "agent": str(agent.pk)},
        {"id": "b", "kind": "retrieval", "collection": "handbook", "query": "x"},
        {"id": "c", "kind": "tool", "tool": "calculator", "input": {"expression": "1 + 1"}},
        {"id": "d", "kind": "approval", "prompt": "?", "roles": ["admin"]},
    ]

    assert publish(make(*steps)).version == 1
    (found,) = refused(make({"id": "e", "kind": "mcp", "server": server.slug, "tool": "ghost"}))
    assert found.endswith("has no tool ghost.")


def test_deleted_agent_and_workflow_are_unknown(scope):
    AgentFactory(slug="gone").soft_delete()
    child = make(transform("a"), slug="child")
    publish(child)
    child.soft_delete()

    (found,) = refused(make({"id": "s", "kind": "agent", "agent": "gone"}))
    assert found == "steps.0.agent: Step s: The agent gone does not exist."
    (found,) = refused(make(call("child")))
    assert found == "steps.0.workflow: Step call: The workflow child does not exist or is archived."


def test_draft_without_steps_is_not_published(scope):
    assert refused(WorkflowFactory(definition={})) == ["steps: Add a step."]


def test_foreign_agent_is_unknown(tenant, member, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        AgentFactory(slug="theirs")
    with tenant_scope(tenant, user=member.user):
        workflow = make({"id": "a", "kind": "agent", "agent": "theirs"})
        assert refused(workflow) == ["steps.0.agent: Step a: The agent theirs does not exist."]


def test_pinned_workflow_gets_the_number_of_its_latest_version(scope):
    child = make(transform("a"), slug="child")
    publish(child)
    publish(child)
    steps = [call("child"), call("child", id="two", version="latest"), call("child", id="three", version=1)]

    version = publish(make(*steps))

    assert [step["version"] for step in version.snapshot["definition"]["steps"]] == [2, "latest", 1]


def test_child_must_be_published_and_get_its_required_input(scope):
    schema = {
        "type": "object",
        "required": ["topic"],
        "properties": {"topic": {}},
        "additionalProperties": False,
    }
    document = {"input": schema, "steps": [transform("a")]}
    child = WorkflowFactory(slug="child", definition=document)

    (found,) = refused(make(call("child")))
    assert found == "steps.0.workflow: Step call: The workflow child has no published version."
    publish(child)
    assert refused(make(call("child", input={"other": 1}))) == [
        "steps.0.input: Step call: Add topic, which is required.",
        "steps.0.input.other: Step call: The schema does not declare other.",
    ]
    assert publish(make(call("child", input={"topic": "x"})))


def test_workflow_that_starts_itself_is_refused(scope):
    assert refused(make(call("loop"), slug="loop")) == [
        "steps.0.workflow: Step call: The workflow starts itself: loop -> loop."
    ]
    first, second = make(transform("x"), slug="first"), make(call("first"), slug="second")
    publish(first)
    publish(second)
    first.definition = {"steps": [{"id": "m", "kind": "map", "items": [], "workflow": "second"}]}
    first.save()

    with pytest.raises(ValidationError, match="first -> second -> first"):
        publish(first)


def test_workflows_nest_at_most_ten_levels(scope):
    publish(make(transform("x"), slug="w0"))
    for depth in range(1, 11):
        publish(make(call(f"w{depth - 1}"), slug=f"w{depth}"))

    (found,) = refused(make(call("w10"), slug="w11"))

    assert "nest more than 10 levels deep" in found


@pytest.mark.parametrize(
    ("trigger", "path"),
    [
        ({"name": "n", "type": "scheduled", "cron": "often"}, "triggers.0.cron"),
        ({"name": "n", "type": "scheduled", "cron": "0 0 30 2 *"}, "triggers.0.cron"),
        ({"name": "n", "type": "scheduled", "cron": "99 99 * * *"}, "triggers.0.cron"),
        (
            {"name": "n", "type": "scheduled", "cron": "0 6 * * 1", "timezone": "Mars/Base"},
            "triggers.0.timezone",
        ),
        ({"name": "n", "type": "event", "event": "x"}, "triggers.0.event"),
        ({"name": "n", "type": "manual", "colour": "red"}, "triggers.0.colour"),
        ({"name": "n", "type": "webhook", "input": {"topic": "${ input.x }"}}, "triggers.0.input"),
        ({"name": "n", "type": "webhook", "input": {"topic": "${ trigger.body"}}, "triggers.0.input"),
        ({"name": "n", "type": "webhook", "input": {"other": 1}}, "triggers.0.input"),
        ({"name": "n", "type": "webhook"}, "triggers.0.input"),
    ],
)
def test_invalid_trigger_is_refused(trigger, path, scope):
    schema = {"type": "object", "required": ["topic"]}
    workflow = WorkflowFactory(definition={"input": schema, "steps": [transform("a")], "triggers": [trigger]})

    (found,) = refused(workflow)

    assert found.startswith(f"{path}: ")


@pytest.mark.django_db(transaction=True)
def test_concurrent_publishers_get_different_numbers(tenant, member):
    with tenant_scope(tenant, user=member.user):
        workflow = make(transform("a"))

    def work(_):
        try:
            with tenant_scope(tenant, user=member.user):
                return publish(workflow).version
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(4))) == [1, 2, 3, 4]


def test_difference_names_the_steps(scope):
    workflow = make(transform("a"), transform("b"), transform("c"))
    first = publish(workflow)
    workflow.definition = {"steps": [transform("a", 2), transform("c"), transform("d")]}
    workflow.timeout = 60
    workflow.save()

    changes = diff_with_draft(first, workflow)
    second = publish(workflow)

    assert changes == diff_versions(first, second)
    assert {(each["path"], each["change"]): (each["before"], each["after"]) for each in changes} == {
        ("definition.steps.a.value", "changed"): (1, 2),
        ("definition.steps.b", "removed"): (transform("b"), None),
        ("definition.steps.d", "added"): (None, transform("d")),
        ("timeout", "changed"): (3600, 60),
    }
    assert diff_with_draft(second, workflow) == []


def test_moved_steps_are_a_difference(scope):
    version = WorkflowVersionFactory(snapshot={"definition": {"steps": [transform("a"), transform("b")]}})
    other = WorkflowVersionFactory(snapshot={"definition": {"steps": [transform("b"), transform("a")]}})

    (change,) = diff_versions(version, other)

    assert (change["path"], change["before"], change["after"]) == ("definition.steps", ["a", "b"], ["b", "a"])


def test_restored_version_becomes_the_draft(scope):
    workflow = make(transform("a"))
    first = publish(workflow)
    workflow.definition = {"steps": [transform("b")]}
    workflow.save()
    publish(workflow)

    restored = restore_version(workflow, first)

    assert restored.definition == first.snapshot["definition"]
    assert publish(restored).version == 3
    with pytest.raises(ValueError, match="another workflow"):
        restore_version(make(transform("a")), first)


def test_triggers_of_the_document_are_stored(scope):
    schedule = {"name": "nightly", "type": "scheduled", "cron": "30 2 * * *"}
    workflow = WorkflowFactory(definition={"steps": [transform("a")], "triggers": [schedule]})
    other = WorkflowTriggerFactory(workflow=workflow, name="other")
    publish(workflow)
    first = WorkflowTrigger.objects.get(workflow=workflow, name="nightly")
    workflow.definition["triggers"] = [{**schedule, "cron": "30 3 * * *"}]
    workflow.save()
    publish(workflow)

    changed = WorkflowTrigger.objects.get(pk=first.pk)

    assert (first.config, changed.config) == ({"cron": "30 2 * * *"}, {"cron": "30 3 * * *"})
    assert first.next_fire_at < changed.next_fire_at or first.next_fire_at.hour != changed.next_fire_at.hour
    assert set(WorkflowTrigger.objects.filter(workflow=workflow)) == {changed, other}


def test_trigger_maps_its_data_to_the_input(scope):
    mapped = {"name": "hook", "type": "webhook", "input": {"topic": "${ trigger.body.subject }"}}
    schema = {"type": "object", "required": ["topic"]}
    document = {
        "input": schema,
        "steps": [transform("a")],
        "triggers": [mapped, {"name": "m", "type": "manual"}],
    }

    publish(WorkflowFactory(definition=document))

    assert WorkflowTrigger.objects.get(name="hook").config == {"input": mapped["input"]}
