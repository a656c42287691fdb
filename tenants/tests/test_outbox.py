"""Outgoing events."""

import threading
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection, transaction

from audit.choices import SecurityEventType, Severity
from audit.models import SecurityAuditLog
from audit.services.security import record_security_event
from config.tenancy.scope import platform_scope, tenant_scope
from tenants.event_types import EVENT_TYPES, BudgetWarningEvent, RunCompletedEvent, describe_event
from tenants.models import OutboxEvent
from tenants.services.outbox import publish, publish_once


def run_completed():
    return RunCompletedEvent(run_id=uuid4(), workflow_id=uuid4(), status="completed")


def types(tenant):
    with tenant_scope(tenant):
        return list(OutboxEvent.objects.order_by("id").values_list("type", flat=True))


def test_event_is_stored_with_its_change(tenant):
    with tenant_scope(tenant):
        publish(run_completed())
        with transaction.atomic():
            publish(run_completed())
            transaction.set_rollback(True)

    assert types(tenant) == ["run.completed"]


def test_event_with_a_key_is_stored_once(tenant, other_tenant):
    event = BudgetWarningEvent(
        subject="tenant", subject_id=tenant.pk, resource="tokens", period="day", limit=10, used=8, percent=80
    )
    for owner in (tenant, tenant, other_tenant):
        with tenant_scope(owner):
            publish_once(event, key="budget")

    assert types(tenant) == types(other_tenant) == ["budget.warning"]


def test_event_of_another_tenant_is_invisible_and_cannot_be_written(tenant, other_tenant):
    with tenant_scope(other_tenant):
        publish(run_completed())
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenants_outboxevent")
        seen = cursor.fetchone()[0]
        cursor.execute("UPDATE tenants_outboxevent SET relayed_at = now()")
        changed = cursor.rowcount

    assert (seen, changed) == (0, 0)


def test_data_of_an_event_cannot_be_changed(tenant):
    with tenant_scope(tenant):
        publish(run_completed())
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            OutboxEvent.objects.update(data={})


def test_data_must_match_the_schema(tenant):
    with pytest.raises(ValueError, match="status"):
        RunCompletedEvent(run_id=uuid4(), workflow_id=uuid4())


@pytest.mark.parametrize("count", [1, 50])
def test_security_events_of_high_severity_are_published(tenant, count):
    with tenant_scope(tenant, actor="system:test"):
        for _ in range(count):
            record_security_event(SecurityEventType.ACCESS_DENIED, action="read", actor="key:1")
        alerts = [event.data for event in OutboxEvent.objects.filter(type="security.alert")]
        serious = SecurityAuditLog.objects.filter(severity__in=[Severity.ERROR, Severity.CRITICAL]).count()

    assert len(alerts) == serious == (count > 20)
    for data in alerts:
        EVENT_TYPES["security.alert"].model_validate(data)


def test_platform_publishes_for_a_named_tenant(tenant):
    with platform_scope(reason="test"):
        publish(run_completed(), tenant_id=tenant.pk)

    assert types(tenant) == ["run.completed"]


@pytest.mark.django_db(transaction=True)
def test_parallel_transactions_publish_a_key_once(transactional_db):
    from config.testing.factories import factory_for

    tenant = factory_for("tenants.Tenant")()
    barrier = threading.Barrier(4)

    def write():
        with tenant_scope(tenant.pk):
            barrier.wait()
            publish_once(run_completed(), key="same")
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert types(tenant) == ["run.completed"]


def test_documentation_lists_the_types_of_events():
    page = (settings.BASE_DIR / "docs/reference/events.md").read_text()
    rows = [
        f"| `{name}` | {describe_event(event)} | {', '.join(f'`{field}`' for field in event.model_fields)} |"
        for name, event in EVENT_TYPES.items()
    ]

    assert [line for line in page.splitlines() if line.startswith("| `")] == rows
