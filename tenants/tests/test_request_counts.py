"""Counts of API requests: what cannot be written waits, within a limit, and other tenants' counts do not."""

import logging

import pytest

from config.api import request_counts
from config.api.request_counts import RequestBuffer, RequestSource
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from knowledge.tests.waiting import wait_until
from tenants.models import MeterEvent

HOUR = 1_800_000_000


@pytest.fixture
def buffer(monkeypatch):
    """A buffer without its thread."""
    made = RequestBuffer()
    monkeypatch.setattr(made, "_run", lambda: None)
    return made


@pytest.fixture
def repair():
    """Let the database refuse counts until the function is called."""
    with pytest.MonkeyPatch.context() as patch:
        broken = request_counts.WRITE.replace("tenants_meterevent", "missing")
        patch.setattr(request_counts, "WRITE", broken)
        yield patch.undo


def add(buffer, tenant_id, *services):
    for service in services:
        buffer.add(RequestSource(tenant_id, uuid7(), None, None, service, HOUR))


def list_counts(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return sorted(MeterEvent.objects.values_list("service", "quantity"))


def test_counts_wait_for_the_database(buffer, tenant, repair, caplog):
    add(buffer, tenant.pk, "agents")
    buffer.flush()
    assert list_counts(tenant) == []
    assert "wait for the database" in caplog.text

    repair()
    add(buffer, tenant.pk, "members")
    buffer.flush()
    buffer.flush()
    assert list_counts(tenant) == [("agents", 1), ("members", 1)]


def test_oldest_counts_are_dropped_when_too_many_wait(buffer, tenant, repair, monkeypatch, caplog):
    monkeypatch.setattr(request_counts, "MAX_WAITING", 2)
    add(buffer, tenant.pk, "first", "second")
    buffer.flush()
    add(buffer, tenant.pk, "third")
    buffer.flush()
    assert "1 counted requests are lost: too many wait" in caplog.text

    repair()
    buffer.flush()
    assert list_counts(tenant) == [("second", 1), ("third", 1)]


def test_counts_of_a_deleted_tenant_are_dropped(transactional_db, buffer, caplog):
    tenant = factory_for("tenants.Tenant")()
    add(buffer, uuid7(), "agents", "members")
    add(buffer, tenant.pk, "agents")
    with caplog.at_level(logging.ERROR):
        buffer.flush()

    assert "2 counted requests are lost: the organisation was deleted" in caplog.text
    assert list_counts(tenant) == [("agents", 1)]
    caplog.clear()
    buffer.flush()
    assert not caplog.records


def test_thread_writes_and_ends_when_nothing_waits(transactional_db, settings):
    settings.REQUEST_COUNT_SECONDS = 0.05
    tenant = factory_for("tenants.Tenant")()
    buffer = RequestBuffer()
    for _ in range(3):
        add(buffer, tenant.pk, "agents")
        thread = buffer._thread
        wait_until(lambda: buffer._thread is None)
        thread.join()
    assert list_counts(tenant) == [("agents", 1)] * 3
