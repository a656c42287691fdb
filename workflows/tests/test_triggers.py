"""Triggers in the API and the console: their next time, their secret and its rotation."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from workflows.models import WorkflowTrigger
from workflows.tests.factories import WorkflowFactory, WorkflowTriggerFactory

URL = "/api/v1/workflow-triggers/"
YEARLY = {"cron": "0 6 1 1 *", "timezone": "Europe/Berlin"}
NEW_YEAR = datetime(timezone.now().year + 1, 1, 1, 5, tzinfo=UTC)


@pytest.fixture
def client(api_client):
    made = api_client()
    with tenant_scope(made.key.tenant_id, user=made.key.user):
        made.workflow = WorkflowFactory()
    return made


def add_trigger(client, **body):
    body = {"workflow": str(client.workflow.pk), "name": "start"} | body
    return client.post(URL, body, content_type="application/json")


def add_schedule(client, **body):
    return add_trigger(client, trigger_type="scheduled", **{"config": YEARLY} | body)


def change(client, pk, **body):
    return client.patch(f"{URL}{pk}/", body, content_type="application/json").json()


def load(client, pk):
    """Return the trigger, with its secrets decrypted."""
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        trigger = WorkflowTrigger.objects.get(pk=pk)
        assert trigger.secret is None or trigger.previous_secret != trigger.secret
        return trigger


def test_new_schedule_has_its_next_time(client):
    response = add_schedule(client)

    assert response.status_code == 201
    assert response.json()["next_fire_at"] == f"{NEW_YEAR:%Y-%m-%dT%H:%M:%SZ}"
    assert response.json()["secret"] is None


def test_config_is_checked_by_the_type_of_trigger(client):
    response = add_schedule(client, config={"cron": "99 99 * * *"})

    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == ["/config/cron"]


def test_next_time_follows_the_schedule_and_not_other_changes(client):
    pk = add_schedule(client).json()["id"]
    due = timezone.now() - timedelta(seconds=1)
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        WorkflowTrigger.objects.filter(pk=pk).update(next_fire_at=due)
    renamed = change(client, pk, name="renamed", config=YEARLY, is_enabled=True)
    disabled = change(client, pk, is_enabled=False)
    enabled = change(client, pk, is_enabled=True)
    manual = change(client, pk, trigger_type="manual", config={})

    assert datetime.fromisoformat(renamed["next_fire_at"]) == due
    assert disabled["next_fire_at"] is None
    assert datetime.fromisoformat(enabled["next_fire_at"]) == NEW_YEAR
    assert manual["next_fire_at"] is None


def test_secret_of_a_webhook_is_returned_once(client):
    key = {"Idempotency-Key": "once"}
    body = {"workflow": str(client.workflow.pk), "name": "hook", "trigger_type": "webhook", "config": {}}
    made = client.post(URL, body, content_type="application/json", headers=key)
    repeated = client.post(URL, body, content_type="application/json", headers=key)
    shown = client.get(f"{URL}{made.json()['id']}/")

    assert made.json()["secret"] == load(client, made.json()["id"]).secret
    assert made.json()["secret"].startswith("whsec_")
    assert made["Cache-Control"] == "no-store"
    assert (repeated.json()["id"], repeated.json()["secret"]) == (made.json()["id"], None)
    assert "secret" not in shown.json()


def test_rotation_keeps_the_previous_secret_for_a_day(client):
    made = add_trigger(client, trigger_type="webhook", config={}).json()
    rotated = client.post(f"{URL}{made['id']}/rotate/", content_type="application/json")
    trigger = load(client, made["id"])

    assert rotated.json()["secret"] == trigger.secret != made["secret"]
    assert trigger.previous_secret == made["secret"]
    assert trigger.rotation_ends_at > timezone.now() + timedelta(hours=23)


def test_only_webhooks_have_a_secret_to_rotate(client):
    pk = add_schedule(client).json()["id"]
    response = client.post(f"{URL}{pk}/rotate/", content_type="application/json")

    assert response.status_code == 409


def test_user_without_write_permission_cannot_rotate_a_secret(client, api_client):
    made = add_trigger(client, trigger_type="webhook", config={}).json()
    response = api_client("user", tenant=client.key.tenant).post(
        f"{URL}{made['id']}/rotate/", content_type="application/json"
    )

    assert response.status_code == 403
    assert load(client, made["id"]).secret == made["secret"]


def test_changed_type_gets_a_secret(client):
    pk = add_schedule(client).json()["id"]
    change(client, pk, trigger_type="webhook", config={})

    assert load(client, pk).secret.startswith("whsec_")


@pytest.mark.parametrize(
    ("kind", "config", "shown"), [("webhook", "{}", True), ("scheduled", '{"cron": "@yearly"}', False)]
)
def test_console_adds_a_trigger_and_shows_the_secret_of_a_webhook(member, admin_client, kind, config, shown):
    with tenant_scope(member.tenant_id, user=member.user):
        workflow = WorkflowFactory()
    form = {"workflow": workflow.pk, "name": "x", "trigger_type": kind, "is_enabled": "on", "config": config}
    page = admin_client.post("/console/workflows/workflowtrigger/add/", form).content.decode()
    with tenant_scope(member.tenant_id, user=member.user):
        trigger = WorkflowTrigger.objects.get()
        assert (trigger.secret is not None and trigger.secret in page) is shown
    assert (trigger.next_fire_at is None) is shown


def test_console_computes_the_next_time_of_a_changed_schedule(member, admin_client):
    with tenant_scope(member.tenant_id, user=member.user):
        trigger = WorkflowTriggerFactory(trigger_type="scheduled", config={"cron": "@yearly"}, secret=None)
    form = {"workflow": trigger.workflow_id, "trigger_type": "scheduled", "is_enabled": "on"}
    found = {}
    for name, config in (("renamed", '{"cron": "@yearly"}'), ("changed", '{"cron": "@monthly"}')):
        url = f"/console/workflows/workflowtrigger/{trigger.pk}/change/"
        admin_client.post(url, form | {"name": name, "config": config})
        with tenant_scope(member.tenant_id, user=member.user):
            found |= dict(WorkflowTrigger.objects.values_list("name", "next_fire_at"))

    assert found.keys() == {"renamed", "changed"}
    assert found["renamed"] is None
    assert found["changed"] > timezone.now()
