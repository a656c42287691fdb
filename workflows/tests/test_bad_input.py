"""Bad input: definitions, payloads, outputs and tenants that fail alone, with a message that names the step.

Hostile documents, expressions and webhooks have tests beside those of the parts that read them.
"""

import pytest
from django.test import Client
from django.utils import timezone

from agents.tests.factories import AgentFactory
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from tenants.models import Tenant
from tenants.tests.factories import OutboxEventFactory
from workflows.models import WorkflowExecution
from workflows.runtime.clock import tick_tenant
from workflows.runtime.event_delivery import deliver_events
from workflows.runtime.step_bodies import StepResult
from workflows.services import plans
from workflows.services.lanes import kick
from workflows.services.publishing import DefinitionError
from workflows.services.publishing import publish as publish_draft
from workflows.services.runs import start_run
from workflows.services.wakeups import repair_lanes
from workflows.testing import run_lanes, skip_waits
from workflows.tests.factories import WorkflowFactory
from workflows.tests.runs import attempts, publish, request, reread, states, transform
from workflows.tests.test_webhooks import add_webhook, sign

pytestmark = pytest.mark.engine
TEN_MEGABYTES = 10 * 1024 * 1024


def begin(tenant, *steps, **options):
    with tenant_scope(tenant, actor="system:test"):
        return start_run(publish(*steps, **options))


def refused(tenant, definition):
    with tenant_scope(tenant, actor="system:test"), pytest.raises(DefinitionError) as caught:
        publish_draft(WorkflowFactory(definition=definition))
    return caught.value.messages


def test_steps_that_need_each_other_are_refused(tenant, member):
    steps = [transform("a", 1, needs=["c"]), transform("b", 1), transform("c", 1)]

    (message,) = refused(tenant, {"steps": steps})

    assert message == "steps.0.needs: Step a: These steps depend on each other: a -> b -> c -> a."


def test_schedule_that_never_fires_is_refused(tenant, member):
    trigger = {"name": "nightly", "type": "scheduled", "cron": "0 0 30 2 *"}

    (message,) = refused(tenant, {"steps": [transform("a", 1)], "triggers": [trigger]})

    assert message.startswith("triggers.0.cron: ")


def test_input_of_ten_megabytes_starts_no_run(api_client):
    client = api_client("user")
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        publish(transform("a", 1), slug="big")
    response = client.post(
        "/api/v1/workflows/big/run/",
        {"input": {"text": "x" * TEN_MEGABYTES}},
        content_type="application/json",
    )

    assert response.status_code == 413
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        assert not WorkflowExecution.objects.exists()


def test_webhook_of_ten_megabytes_starts_no_run(tenant):
    trigger = add_webhook(tenant)
    body = b'{"text": "%s"}' % (b"x" * TEN_MEGABYTES)
    response = Client().post(
        f"/hooks/{trigger.pk}", body, content_type="application/json", headers=sign(body)
    )

    assert response.status_code == 413
    with tenant_scope(tenant, actor="system:test"):
        assert not WorkflowExecution.objects.exists()


def test_output_of_100_megabytes_fails_the_step_alone(tenant, http, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    http.results += [StepResult("x" * 100_000_000), StepResult("small")]
    large, small = begin(tenant, request()), begin(tenant, request())
    run_lanes(tenant)

    assert reread(large).error_message == "Step call: The output has 100000002 bytes; the limit is 100000000."
    assert attempts(large, "call")[0].error_code == "output_too_large"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert reread(small).status == "completed"


def test_agent_deleted_after_the_publication_fails_the_step_alone(tenant, member):
    with tenant_scope(tenant, user=member.user):
        agent = AgentFactory(slug="writer")
        steps = [{"id": "draft", "kind": "agent", "agent": "writer", "prompt": "Write."}]
        workflow = WorkflowFactory(definition={"steps": steps})
        publish_draft(workflow)
        run = start_run(workflow, user_id=member.user_id)
        agent.delete()
    other = begin(tenant, transform("a", 1))
    run_lanes(tenant)

    assert reread(run).error_message == "Step draft: The agent writer does not exist or is not active."
    assert reread(other).status == "completed"


def test_tenant_suspended_in_mid_run_starts_no_further_step(tenant, other_tenant, http):
    def suspend():
        with as_platform():
            Tenant.objects.filter(pk=tenant.pk).update(status="suspended")
        return StepResult(1)

    http.run = suspend
    run = begin(tenant, request(), {"id": "pause", "kind": "delay", "seconds": 60}, transform("b", 1))
    other = begin(other_tenant, transform("a", 1))
    run_lanes(tenant)
    run_lanes(other_tenant)
    skip_waits(tenant)
    assert states(run)["call"] == "completed"
    assert "b" not in states(run)
    assert reread(other).status == "completed"

    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(status="active")
    with tenant_scope(tenant, actor="system:test"):
        repair_lanes(tenant.pk)
        kick(tenant.pk)
    run_lanes(tenant)
    skip_waits(tenant)
    assert (reread(run).status, len(http.contexts)) == ("completed", 1)


@pytest.fixture
def forget(monkeypatch):
    """Return a function after which the definitions with a step `lost` cannot be compiled, as after a downgrade."""

    def run():
        compile_plan = plans.compile_plan

        def compile_or_fail(snapshot):
            if "'lost'" in str(snapshot):
                raise ValueError("Unknown kind.")
            return compile_plan(snapshot)

        monkeypatch.setattr(plans, "compile_plan", compile_or_fail)
        plans.get_plan.cache_clear()

    yield run
    plans.get_plan.cache_clear()


def test_run_whose_plan_cannot_be_compiled_fails_and_others_go_on(tenant, forget):
    runs = [begin(tenant, transform("lost", 1)), begin(tenant, transform("kept", 1))]
    forget()
    run_lanes(tenant)

    assert [reread(run).status for run in runs] == ["failed", "completed"]
    assert "The definition is not valid" in reread(runs[0]).error_message


def test_plan_that_cannot_be_compiled_stops_neither_events_nor_time_limits(tenant, forget):
    wait = {"kind": "wait_event", "event": "ticket.answered", "timeout": 3600}
    lost, kept = (begin(tenant, {"id": name, **wait}) for name in ("lost", "kept"))
    run_lanes(tenant)
    forget()
    with tenant_scope(tenant, actor="system:test"):
        event = OutboxEventFactory(type="ticket.answered")
        assert deliver_events(tenant.pk, [event.pk], ["ticket.answered"]) == 1
        WorkflowExecution.objects.filter(pk=lost.pk).update(status="running", deadline_at=timezone.now())
    tick_tenant(tenant.pk)
    run_lanes(tenant)

    assert [reread(run).status for run in (lost, kept)] == ["failed", "completed"]
    assert reread(lost).error_message == "The run exceeded its time limit."
