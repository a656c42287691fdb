"""Several workers and open transactions: order of events, and no attempt twice."""

import threading
from collections import Counter
from uuid import uuid4

import pytest
from django.db import connections
from procrastinate.contrib.django.models import ProcrastinateJob

from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.roles import as_platform
from tenants import tasks
from tenants.event_types import RunCompletedEvent
from tenants.models import OutboxEvent, WebhookDelivery
from tenants.services.deliveries import deliver_pending
from tenants.services.outbox import publish
from tenants.services.relay import relay_events
from tenants.tests.factories import WebhookEndpointFactory
from tenants.tests.test_webhooks import receiver

__all__ = ["receiver"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(transactional_db):
    return factory_for("tenants.Tenant")()


def emit(tenant, status="completed"):
    with tenant_scope(tenant, actor="system:test"):
        publish(RunCompletedEvent(run_id=uuid4(), workflow_id=uuid4(), status=status))


def add_endpoint(tenant, url="https://receiver.example/"):
    with tenant_scope(tenant, actor="system:test"):
        return WebhookEndpointFactory(url=url)


def in_threads(count, body):
    """Run `body` in threads with their own connections."""

    def run():
        try:
            body()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads):
    for thread in threads:
        thread.join(20)


def relayed(tenant):
    with tenant_scope(tenant):
        events = dict(OutboxEvent.objects.values_list("id", "data__status"))
        rows = WebhookDelivery.objects.order_by("id").values_list("event_id", flat=True)
        return [events[event_id] for event_id in rows]


def test_open_transaction_holds_later_events_back(tenant):
    add_endpoint(tenant)
    begun, finish = threading.Event(), threading.Event()

    def slow():
        with tenant_scope(tenant, actor="system:test"):
            publish(RunCompletedEvent(run_id=uuid4(), workflow_id=uuid4(), status="first"))
            begun.set()
            finish.wait(20)

    threads = in_threads(1, slow)
    begun.wait(20)
    emit(tenant, "second")
    early = relay_events(tenant.pk), relayed(tenant)
    finish.set()
    join(threads)
    late = _relay_until(tenant, 2)

    assert early == (0, [])
    assert (late, relayed(tenant)) == (2, ["first", "second"])


def _relay_until(tenant, count):
    """Relay until `count` events are relayed: other databases of the cluster delay them by their transactions."""
    done = 0
    for _ in range(200):
        done += relay_events(tenant.pk)
        if done >= count:
            break
        threading.Event().wait(0.05)
    return done


def test_two_workers_send_each_event_once(tenant, receiver):
    endpoint = add_endpoint(tenant, receiver.url())
    with tenant_scope(tenant, actor="system:test"):
        for _ in range(60):
            publish(RunCompletedEvent(run_id=uuid4(), workflow_id=uuid4(), status="completed"))
    _relay_until(tenant, 60)
    join(in_threads(3, lambda: deliver_pending(tenant.pk, endpoint.pk)))
    sent = Counter(headers["webhook-id"] for _, headers, _ in receiver.requests)
    with tenant_scope(tenant):
        done = Counter(WebhookDelivery.objects.values_list("status", "attempt_count", "error"))

    assert done == {("succeeded", 1, ""): 60}
    assert (len(sent), set(sent.values())) == (60, {1})


def test_worker_finds_new_events_and_due_deliveries(tenant, second_connection, monkeypatch):
    idle = factory_for("tenants.Tenant")()
    endpoint = add_endpoint(tenant)
    add_endpoint(idle)
    emit(tenant)
    _relay_until(tenant, 1)
    monkeypatch.setattr(
        "tenants.services.relay.find_work", lambda: [(tenant.pk, None), (tenant.pk, endpoint.pk)]
    )
    with as_platform():
        for _ in range(2):
            tasks.send_events.func.__wrapped__(0)
        jobs = sorted(ProcrastinateJob.objects.values_list("task_name", "queueing_lock", "lock"))

    assert jobs == [
        (
            "tenants.tasks.deliver_webhooks",
            f"deliver_webhooks:{endpoint.pk}",
            f"deliver_webhooks:{endpoint.pk}",
        ),
        ("tenants.tasks.relay_events", f"relay_events:{tenant.pk}", f"relay_events:{tenant.pk}"),
    ]
    monkeypatch.undo()
    worker = second_connection("conclave_worker")
    found = worker.execute("SELECT tenant_id, endpoint_id FROM conclave_outbox_work()").fetchall()

    assert found == [(tenant.pk, endpoint.pk)]
