"""Webhooks that start runs: signatures, replays, and equal answers to all unverified requests."""

import json
import threading
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from standardwebhooks import Webhook

from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.roles import as_platform
from tenants.models import Tenant
from tenants.services.webhooks import rotate_secret
from workflows.api import hooks
from workflows.models import TriggerFiring, Workflow, WorkflowTrigger
from workflows.services import webhooks
from workflows.tests.factories import WorkflowTriggerFactory
from workflows.tests.runs import list_runs, publish, transform
from workflows.tests.test_webhook_signatures import sign_github

pytestmark = pytest.mark.engine
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"subject": "Invoice", "n": 3}'
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def add_webhook(tenant, secret=SECRET, **config):
    with tenant_scope(tenant, actor="system:test"):
        return WorkflowTriggerFactory(
            workflow=publish(transform("a", 1), input=SCHEMA), config=config, secret=secret
        )


def sign(body=BODY, webhook_id="msg_1", secret=SECRET):
    now = datetime.now(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body.decode("latin-1")),
    }


def send(trigger_id, headers=None, body=BODY):
    headers = sign(body) if headers is None else headers
    return Client().post(f"/hooks/{trigger_id}", body, content_type="application/json", headers=headers)


def test_webhook_starts_a_run(tenant):
    trigger = add_webhook(tenant, input={"n": "${ trigger.body.n }"})
    response = send(trigger.pk)
    (run,) = list_runs(tenant)

    assert (response.status_code, response.json()) == (202, {"run_id": str(run.pk)})
    assert (run.trigger_id, run.trigger_type, run.input_data) == (trigger.pk, "webhook", {"n": 3})
    assert run.trigger_data == {"webhook_id": "msg_1", "body": json.loads(BODY)}


def test_replay_returns_the_same_run(tenant):
    trigger = add_webhook(tenant)
    first, second = send(trigger.pk), send(trigger.pk)

    assert (second.status_code, second.json()) == (202, first.json())
    assert second["Idempotency-Replayed"] == "true"
    assert len(list_runs(tenant)) == 1


def test_same_id_at_another_trigger_is_no_replay(tenant, other_tenant):
    ids = {send(add_webhook(each).pk).json()["run_id"] for each in (tenant, tenant, other_tenant)}

    assert len(ids) == 3


def test_webhook_of_github_starts_a_run_once_per_body(tenant):
    trigger = add_webhook(tenant, scheme="github")
    headers = sign_github(SECRET, BODY) | {"X-GitHub-Event": "push"}
    first = send(trigger.pk, headers)
    second = send(trigger.pk, headers | {"X-GitHub-Delivery": "2"})
    (run,) = list_runs(tenant)

    assert first.json() == second.json() == {"run_id": str(run.pk)}
    assert (run.trigger_data["event"], run.trigger_data["delivery"]) == ("push", "1")


def test_secret_before_the_rotation_is_accepted_until_it_expires(tenant):
    trigger = add_webhook(tenant)
    with tenant_scope(tenant, actor="system:test"):
        new = rotate_secret(WorkflowTrigger.objects.get(pk=trigger.pk))
    old = send(trigger.pk, sign(webhook_id="msg_old"))
    current = send(trigger.pk, sign(webhook_id="msg_new", secret=new))
    with tenant_scope(tenant, actor="system:test"):
        WorkflowTrigger.objects.update(rotation_ends_at=datetime.now(UTC))
    expired = send(trigger.pk, sign(webhook_id="msg_late"))

    assert [old.status_code, current.status_code, expired.status_code] == [202, 202, 401]


@pytest.mark.parametrize(
    ("body", "config"),
    [
        (b"subject=Invoice", {}),
        (b'{"text": "\\u0000"}', {}),
        (b'{"n": "many"}', {"input": {"n": "${ trigger.body.n }"}}),
        (b"{}", {"input": {"n": "${ trigger.body.n }"}}),
    ],
)
def test_signed_webhook_with_unusable_body_starts_nothing_and_can_be_repeated(tenant, body, config):
    trigger = add_webhook(tenant, **config)
    response = send(trigger.pk, body=body)
    repeated = send(trigger.pk)

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert repeated.status_code == 202
    assert len(list_runs(tenant)) == 1


def test_webhook_of_a_paused_workflow_starts_nothing(tenant):
    trigger = add_webhook(tenant)
    with tenant_scope(tenant, actor="system:test"):
        Workflow.objects.update(status="paused")

    assert send(trigger.pk).status_code == 400
    assert list_runs(tenant) == []


def disable(trigger):
    with tenant_scope(trigger.tenant_id, actor="system:test"):
        WorkflowTrigger.objects.filter(pk=trigger.pk).update(is_enabled=False)


def suspend(trigger):
    with as_platform():
        Tenant.objects.filter(pk=trigger.tenant_id).update(status="suspended")


def make_manual(trigger):
    with tenant_scope(trigger.tenant_id, actor="system:test"):
        WorkflowTrigger.objects.filter(pk=trigger.pk).update(trigger_type="manual", config={})


def answer(trigger_id, headers):
    """Return what a sender can observe: status, headers, body and number of queries."""
    with CaptureQueriesContext(connection) as queries:
        response = send(trigger_id, headers)
    body = response.json()
    body.pop("request_id"), body.pop("instance")
    names = {name: value for name, value in response.items() if name not in ("X-Request-ID", "Retry-After")}
    # A process loads the key of a tenant once, after the transaction that created it.
    count = sum("tenants_tenantkey" not in query["sql"] for query in queries)
    return response.status_code, names, body, count


@pytest.mark.security("webhook probing")
def test_unknown_disabled_and_wrongly_signed_webhooks_look_the_same(tenant, attacks):
    trigger = add_webhook(tenant)
    known = answer(trigger.pk, sign(secret=webhooks.NO_SECRETS[0]))
    others = {"unknown": answer(uuid4(), sign())}
    for name, change in {"disabled": disable, "suspended": suspend, "manual": make_manual}.items():
        each = add_webhook(tenant if name != "suspended" else factory_for("tenants.Tenant")())
        change(each)
        others[name] = answer(each.pk, sign())

    assert known[0] == 401
    for name, found in others.items():
        attacks.attempt(name, succeeded=found != known)
    assert list_runs(tenant) == []


@pytest.mark.security("webhook probing", mutation=True)
def test_answers_differ_if_unknown_triggers_take_fewer_steps(tenant, attacks, monkeypatch):
    trigger = add_webhook(tenant)

    def receive(trigger_id, headers, body):
        if trigger_id != trigger.pk:
            raise webhooks.InvalidWebhookError
        return webhooks.receive_webhook(trigger_id, headers, body)

    monkeypatch.setattr(hooks, "receive_webhook", receive)
    known = answer(trigger.pk, sign(secret=webhooks.NO_SECRETS[0]))

    attacks.attempt(succeeded=answer(uuid4(), sign()) != known)


@pytest.mark.security("forged webhook")
@pytest.mark.parametrize("scheme", ["standard-webhooks", "github"])
def test_forged_requests_start_nothing(tenant, other_tenant, scheme, attacks):
    trigger = add_webhook(tenant, scheme=scheme)
    foreign = add_webhook(other_tenant, secret="whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", scheme=scheme)
    signed = sign_github(SECRET, BODY) if scheme == "github" else sign()
    send(trigger.pk, signed)
    forged = {
        "captured request at another tenant": (foreign.pk, signed, BODY),
        "other body": (trigger.pk, signed, b"{}"),
        "other ID": (trigger.pk, signed | {"webhook-id": "msg_2", "X-GitHub-Delivery": "2"}, BODY),
        "no signature": (trigger.pk, {}, BODY),
        "secret of another tenant": (foreign.pk, sign(webhook_id="msg_3"), BODY),
        "replay": (trigger.pk, signed, BODY),
    }
    for name, (trigger_id, headers, body) in forged.items():
        before = len(list_runs(tenant)) + len(list_runs(other_tenant))
        send(trigger_id, headers, body)
        after = len(list_runs(tenant)) + len(list_runs(other_tenant))
        attacks.attempt(name, succeeded=after > before)


@pytest.mark.security("forged webhook", mutation=True)
def test_replay_succeeds_without_receipts(tenant, attacks):
    trigger = add_webhook(tenant)
    send(trigger.pk)
    with as_platform():
        TriggerFiring.unscoped.all()._raw_delete("default")
    send(trigger.pk)

    attacks.attempt(succeeded=len(list_runs(tenant)) == 2)


def test_many_unverified_requests_from_an_address_are_refused(tenant, settings):
    settings.API_DEFAULT_RATE = 2
    statuses = [send(uuid4()).status_code for _ in range(4)]

    assert statuses == [401, 401, 429, 429]


def test_only_post_is_accepted(tenant):
    assert Client().get(f"/hooks/{add_webhook(tenant).pk}").status_code == 405
    assert Client().post("/hooks/1").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_racing_deliveries_start_one_run(transactional_db):
    tenant = factory_for("tenants.Tenant")()
    trigger = add_webhook(tenant)
    barrier, answers, headers = threading.Barrier(4), [], sign()

    def deliver():
        barrier.wait()
        answers.append(send(trigger.pk, headers).json()["run_id"])
        connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [str(run.pk) for run in list_runs(tenant)] * 4
