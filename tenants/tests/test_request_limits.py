"""Limits on API requests: exact across processes, and few statements."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from agents.services.budgets import CallSubjects, load_call_terms
from config.api import request_counts, request_leases
from config.api.request_leases import LEASE_SQL, LONG_AGO, LeaseTerms, RequestLeases, RequestLimitError
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from tenants.models import OutboxEvent, Tenant
from tenants.tests.factories import SubscriptionFactory, SubscriptionPlanFactory, TenantQuotaFactory

AGENTS = "/api/v1/agents/"


@pytest.fixture
def leases(settings, monkeypatch):
    """Check limits, with the leases of a new process."""
    settings.REQUEST_LEASE_SECONDS = 5
    fresh = RequestLeases()
    monkeypatch.setattr(request_leases, "leases", fresh)
    monkeypatch.setattr(request_counts, "leases", fresh)
    return fresh


def limit(tenant, **limits):
    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(**limits)


def take_all(process, tenant, tries):
    """Return the number of requests that the limit allows."""
    taken = 0
    for _ in range(tries):
        try:
            process.take(tenant.pk)
            taken += 1
        except RequestLimitError:
            pass
    return taken


def count_used(tenant):
    """Return the count of the tightest limit."""
    with connection.cursor() as cursor:
        cursor.execute(LEASE_SQL, [tenant.pk, 0, LONG_AGO, 0])
        return LeaseTerms(*cursor.fetchone()).used


def used_events(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return {event.type: event.data for event in OutboxEvent.objects.filter(type__startswith="budget.")}


def test_refusal_names_limit_plan_and_reset(leases, tenant, api_client):
    client = api_client()
    with as_platform():
        plan = SubscriptionPlanFactory(name="Small", max_daily_requests=2)
        SubscriptionFactory(plan=plan, tenant=tenant, status="active", expires_at=None)
    replies = [client.get(AGENTS) for _ in range(3)]
    refused = replies[2].json()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert [reply.headers["RateLimit-Remaining"] for reply in replies] == ["1", "0", "0"]
    assert replies[0].headers["RateLimit"].startswith('"minute";r=')
    assert '"organisation";r=1;t=' in replies[0].headers["RateLimit"]
    assert {name: refused[name] for name in ("code", "resource", "limit", "used", "plan")} == {
        "code": "limit_exceeded",
        "resource": "requests",
        "limit": 2,
        "used": 2,
        "plan": "Small",
    }
    assert datetime.fromisoformat(refused["resets_at"]) == midnight
    assert 0 < int(replies[2].headers["Retry-After"]) <= 86_400


def test_without_a_limit_a_process_asks_once_in_a_while(
    leases, tenant, api_client, django_assert_num_queries
):
    assert leases.take(tenant.pk) is None
    with django_assert_num_queries(0):
        assert [leases.take(tenant.pk) for _ in range(50)] == [None] * 50
    assert "RateLimit" not in api_client().get(AGENTS).headers


def test_lease_spares_statements_and_unused_requests_are_returned(leases, tenant):
    limit(tenant, max_daily_requests=10_000)
    assert leases.take(tenant.pk).limit == 10_000
    assert count_used(tenant) == 100
    assert take_all(leases, tenant, 99) == 99
    assert count_used(tenant) == 100
    leases.take(tenant.pk)
    leases.release()
    assert count_used(tenant) == 200
    request_counts.flush_request_counts()
    assert count_used(tenant) == 101
    assert not leases.has_unused()


@pytest.mark.django_db(transaction=True)
def test_return_connects_before_it_locks_and_replaces_a_broken_connection(leases, tenant, monkeypatch):
    limit(tenant, max_daily_requests=10_000)
    leases.take(tenant.pk)
    (lease,) = leases._leases.values()
    wrapper, locked = connections["default"], []
    connect = wrapper.connect
    monkeypatch.setattr(wrapper, "connect", lambda: (locked.append(lease.lock.locked()), connect()))
    wrapper.connection.close()
    leases.release(everything=True)
    assert (lease.left, wrapper.connection) == (99, None)
    leases.release(everything=True)
    assert (lease.left, count_used(tenant), locked) == (0, 1, [False])


def test_lease_of_an_earlier_day_is_not_returned(leases, tenant):
    limit(tenant, max_daily_requests=10_000)
    leases.take(tenant.pk)
    with connection.cursor() as cursor:
        cursor.execute(LEASE_SQL, [tenant.pk, 50, LONG_AGO, 0])
    assert count_used(tenant) == 100


def test_a_lowered_limit_refuses_and_a_raised_one_allows(leases, tenant, monkeypatch):
    monkeypatch.setattr(request_leases, "REFUSED_SECONDS", 0)
    limit(tenant, max_daily_requests=5)
    assert take_all(leases, tenant, 9) == 5
    limit(tenant, max_daily_requests=3)
    assert take_all(leases, tenant, 2) == 0
    limit(tenant, max_daily_requests=7)
    assert take_all(leases, tenant, 9) == 2


@pytest.mark.django_db(transaction=True)
def test_each_day_starts_at_zero_and_a_clock_that_jumps_back_keeps_the_count(
    leases, tenant, second_connection
):
    def move(days):
        second_connection("conclave_owner").execute(
            "UPDATE conclave_request_count SET period_start = period_start + %s WHERE period = 'day'",
            [timedelta(days=days)],
        )

    limit(tenant, max_daily_requests=3, api_quota_monthly=100)
    assert take_all(leases, tenant, 4) == 3
    move(1)
    assert take_all(RequestLeases(), tenant, 4) == 0
    move(-2)
    assert take_all(RequestLeases(), tenant, 4) == 3
    limit(tenant, max_daily_requests=None)
    assert count_used(tenant) == 6


def test_events_warn_once_and_tell_the_exceeded_limit(leases, tenant):
    with as_platform():
        TenantQuotaFactory(
            tenant=tenant, resource="requests", period="day", limit_value=5, warn_at_percent=60
        )
    assert take_all(leases, tenant, 8) == 5
    take_all(RequestLeases(), tenant, 1)
    with tenant_scope(tenant, actor="system:test"):
        assert OutboxEvent.objects.count() == 2
    known = {"subject": "tenant", "subject_id": str(tenant.pk), "resource": "api_requests", "period": "day"}
    assert used_events(tenant) == {
        "budget.warning": known | {"limit": 5, "used": 3, "percent": 60},
        "budget.exceeded": known | {"limit": 5},
    }


def test_return_of_a_lease_exceeds_no_limit(leases, tenant):
    limit(tenant, max_daily_requests=1)
    leases.take(tenant.pk)
    assert count_used(tenant) == 1
    assert "budget.exceeded" not in used_events(tenant)


def test_quotas_override_the_plan_and_soft_ones_keep_it(leases, tenant):
    limit(tenant, max_daily_requests=2)
    with as_platform():
        quota = TenantQuotaFactory(
            tenant=tenant, resource="requests", period="day", limit_value=4, valid_until=timezone.now()
        )
    assert take_all(leases, tenant, 9) == 2
    with as_platform():
        type(quota).objects.update(valid_until=None)
    assert take_all(RequestLeases(), tenant, 9) == 2
    with as_platform():
        type(quota).objects.update(is_hard=False, limit_value=100)
    assert take_all(RequestLeases(), tenant, 9) == 0


def test_answers_of_models_are_another_resource(leases, tenant):
    limit(tenant, max_daily_requests=1)
    with as_platform():
        TenantQuotaFactory(tenant=tenant, resource="answers", period="day", limit_value=9)
    with tenant_scope(tenant, actor="system:test"):
        terms = load_call_terms(CallSubjects(tenant.pk), "openai", "m")
    assert [(each.resource, each.period, each.value) for each in terms.limits] == [("requests", "day", 9)]


@pytest.mark.django_db(transaction=True)
def test_of_many_parallel_requests_exactly_the_limit_passes(leases, tenant):
    """Eight processes with two threads each send 320 requests against a limit of 200."""
    limit(tenant, max_daily_requests=200)
    processes = [RequestLeases() for _ in range(8)]

    def send(process):
        try:
            return take_all(process, tenant, 20)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        taken = sum(pool.map(send, processes * 2))
    assert taken <= 200
    for process in processes:
        process.release(everything=True)
    assert count_used(tenant) == taken
    assert taken + take_all(RequestLeases(), tenant, 100) == 200
