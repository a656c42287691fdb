"""Budgets: no call exceeds a limit, also under concurrency."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, connections
from django.utils import timezone

from agents.models import Budget, BudgetCounter, BudgetReservation, ModelPrice
from agents.runtime.meter import Meter, ModelRoute
from agents.services.budgets import (
    BudgetExceededError,
    BudgetLimit,
    CallSubjects,
    expire_reservations,
    load_call_terms,
    period_start,
    reserve_budget,
    settle_reservation,
)
from agents.tests.factories import AgentFactory, BudgetFactory, LlmUsageFactory, ModelPriceFactory
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from tenants.models import OutboxEvent
from tenants.services.quotas import Quota, quotas
from tenants.tests.factories import SubscriptionFactory, SubscriptionPlanFactory, TenantQuotaFactory


def limit_of(tenant_id, value=100, resource="tokens", period="month"):
    return BudgetLimit("tenant", tenant_id, resource, period, Decimal(value))


def hold(limits, tokens=1, cost=0, **options):
    amounts = {"tokens": Decimal(tokens), "cost": Decimal(cost), "requests": Decimal(1)}
    return reserve_budget(limits, amounts, spent=options.get("spent", {}), seconds=options.get("seconds", 60))


def counted():
    return list(BudgetCounter.objects.values_list("resource", "used", "reserved").order_by("resource"))


def test_reservation_is_settled_by_actual_usage(scope, tenant):
    reservation = hold([limit_of(tenant.pk)], 60)
    assert counted() == [("tokens", 0, 60)]
    settle_reservation(reservation, {"tokens": Decimal(42)})
    assert counted() == [("tokens", 42, 0)]
    assert not BudgetReservation.objects.exists()


def test_other_reservations_count(scope, tenant):
    hold([limit_of(tenant.pk)], 60)
    with pytest.raises(BudgetExceededError, match="100 model tokens a month for the organisation"):
        hold([limit_of(tenant.pk)], 41)
    assert hold([limit_of(tenant.pk)], 40) is not None
    assert counted() == [("tokens", 0, 100)]


def test_refusal_publishes_one_event(tenant, member):
    subjects = CallSubjects(tenant.pk, member.user_id)
    meter = Meter(
        lambda: tenant_scope(tenant, user=member.user), subjects, further=(limit_of(tenant.pk, 10),)
    )
    for _ in range(2):
        with pytest.raises(BudgetExceededError):
            meter.begin(ModelRoute("test", "m"), 10, 1)
    with tenant_scope(tenant):
        event = OutboxEvent.objects.get()
    assert (event.type, event.data["resource"], event.data["limit"]) == ("budget.exceeded", "tokens", 10)


def spend_and_list_warnings(limit, tokens):
    settle_reservation(hold([limit], tokens), {"tokens": Decimal(tokens)})
    return [(row.data["limit"], row.data["used"], row.data["percent"]) for row in OutboxEvent.objects.all()]


def test_one_warning_is_published_at_four_fifths_of_a_limit(scope, tenant):
    limit = limit_of(tenant.pk)
    assert spend_and_list_warnings(limit, 79) == []
    assert spend_and_list_warnings(limit, 1) == [(100, 80, 80)]
    assert spend_and_list_warnings(limit, 5) == [(100, 80, 80)]
    assert OutboxEvent.objects.get().type == "budget.warning"


def test_soft_quota_warns_at_its_own_percentage(scope, tenant):
    TenantQuotaFactory(resource="tokens", period="month", limit_value=50, is_hard=False, warn_at_percent=60)
    limit = limit_of(tenant.pk)
    assert spend_and_list_warnings(limit, 29) == []
    assert spend_and_list_warnings(limit, 1) == [(50, 30, 60)]


def test_refusal_by_one_limit_reserves_nothing(scope, tenant):
    limits = [limit_of(tenant.pk, 100), limit_of(tenant.pk, 5, "cost", "day")]
    with pytest.raises(BudgetExceededError, match="5 US dollars a day"):
        hold(limits, 10, cost=6)
    assert [row for row in counted() if row[2]] == []
    assert not BudgetReservation.objects.exists()


def test_nothing_is_reserved_without_limits(scope):
    assert hold([]) is None
    assert not BudgetCounter.objects.exists()


def test_limit_per_answer_adds_up_its_calls(scope, tenant):
    limit = limit_of(tenant.pk, 1, "cost", "request")
    assert hold([limit], cost="0.6", spent={"cost": Decimal("0.4")}) is None
    with pytest.raises(BudgetExceededError, match="an answer"):
        hold([limit], cost="0.6", spent={"cost": Decimal("0.5")})


def test_new_limit_includes_previous_usage(scope, tenant, member):
    LlmUsageFactory(prompt_tokens=50, completion_tokens=20, user_id=member.user.pk)
    LlmUsageFactory(prompt_tokens=9, completion_tokens=9, user_id=uuid7())
    mine = BudgetLimit("user", member.user.pk, "tokens", "month", Decimal(100))
    with pytest.raises(BudgetExceededError):
        hold([mine], 31)
    assert hold([mine], 30) is not None
    assert counted() == [("tokens", 70, 30)]


def test_expired_reservation_is_released(scope, tenant):
    hold([limit_of(tenant.pk)], 100)
    BudgetReservation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    late = hold([limit_of(tenant.pk)], 100)
    assert counted() == [("tokens", 0, 100)]
    assert [row.pk for row in BudgetReservation.objects.all()] == [late.id]


def test_late_settlement_counts_and_releases_nothing_twice(scope, tenant):
    lost = hold([limit_of(tenant.pk)], 40)
    BudgetReservation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert expire_reservations(tenant.pk) == 1
    settle_reservation(lost, {"tokens": Decimal(25)})
    settle_reservation(lost, {})
    assert counted() == [("tokens", 25, 0)]


def test_job_releases_lost_reservations_of_every_tenant(tenant, other_tenant):
    for each in (tenant, other_tenant):
        with tenant_scope(each, actor="system:test"):
            hold([limit_of(each.pk)], 10, seconds=-1)
    with as_platform():
        assert expire_reservations() == 2
        assert list(BudgetCounter.unscoped.values_list("reserved", flat=True)) == [0, 0]


def test_periods_begin_in_utc():
    moment = datetime(2026, 3, 1, 0, 30, tzinfo=UTC).astimezone()
    assert period_start("day", moment) == datetime(2026, 3, 1, tzinfo=UTC)
    assert period_start("month", moment + timedelta(days=20)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert period_start("total", moment) == datetime(1970, 1, 1, tzinfo=UTC)


def test_quotas_override_the_budget_and_the_budget_the_plan(tenant):
    with as_platform():
        plan = SubscriptionPlanFactory(max_monthly_tokens=1000, max_daily_requests=50, api_quota_monthly=900)
        SubscriptionFactory(plan=plan, tenant=tenant, status="active", expires_at=None)
        type(tenant).objects.filter(pk=tenant.pk).update(max_daily_requests=40)
        TenantQuotaFactory(tenant=tenant, resource="tokens", period="month", limit_value=700)
    with tenant_scope(tenant, actor="system:test"):
        found = quotas()
    assert sorted(found, key=str) == [
        Quota("requests", "day", 40),
        Quota("requests", "month", 900),
        Quota("tokens", "month", 700),
    ]


@pytest.mark.parametrize(
    ("quota", "hard"),
    [({"limit_value": None}, []), ({"is_hard": False, "limit_value": 5}, [Quota("tokens", "month", 1)])],
)
def test_unlimited_quota_lifts_the_limit_of_the_plan_and_a_soft_one_keeps_it(tenant, quota, hard):
    with as_platform():
        plan = SubscriptionPlanFactory(max_monthly_tokens=1)
        SubscriptionFactory(plan=plan, tenant=tenant, status="active", expires_at=None)
        TenantQuotaFactory(tenant=tenant, resource="tokens", period="month", **quota)
    with tenant_scope(tenant, actor="system:test"):
        assert [quota for quota in quotas() if quota.resource == "tokens"] == hard


def test_terms_name_each_limit_once_and_prefer_the_exact_one(scope, tenant, member):
    agent, other = AgentFactory(), AgentFactory()
    BudgetFactory(subject="agent", subject_id=None, resource="cost", period="day", limit_value=5)
    BudgetFactory(subject="agent", subject_id=agent.pk, resource="cost", period="day", limit_value=9)
    BudgetFactory(subject="user", subject_id=uuid7(), limit_value=1)
    BudgetFactory(subject="user", subject_id=member.user.pk, limit_value=2, is_active=False)
    ModelPriceFactory(provider="openai", model="*", input_price=3, output_price=4)
    one = load_call_terms(CallSubjects(tenant.pk, member.user.pk, agent_id=agent.pk), "openai", "gpt-x")
    two = load_call_terms(CallSubjects(tenant.pk, member.user.pk, agent_id=other.pk), "openai", "gpt-x")
    assert [(limit.subject_id, limit.value) for limit in one.limits] == [(agent.pk, 9)]
    assert [(limit.subject_id, limit.value) for limit in two.limits] == [(other.pk, 5)]
    assert one.price.of(1_000_000, 500_000) == 5


def test_terms_of_another_tenant_do_not_apply(scope, tenant, other_tenant, member):
    with as_platform():
        for model, fields in (
            (Budget, {"subject": "user", "resource": "tokens", "period": "day", "limit_value": 0}),
            (ModelPrice, {"provider": "openai", "model": "*", "input_price": 1, "output_price": 1}),
        ):
            model.unscoped.create(tenant=other_tenant, **fields)
    terms = load_call_terms(CallSubjects(tenant.pk, member.user.pk), "openai", "gpt-x")
    assert (terms.limits, terms.price) == ((), None)


def spend(tenant_id, limits):
    """Reserve one call on a separate connection; return whether it was allowed."""
    try:
        with tenant_scope(tenant_id, actor="system:test"):
            reservation = hold(limits, 1, cost="0.01")
        with tenant_scope(tenant_id, actor="system:test"):
            settle_reservation(
                reservation, {"tokens": Decimal(1), "cost": Decimal("0.01"), "requests": Decimal(1)}
            )
    except BudgetExceededError:
        return False
    finally:
        connections.close_all()
    return True


@pytest.mark.django_db(transaction=True)
def test_of_200_parallel_calls_exactly_100_pass(tenant):
    limits = [
        limit_of(tenant.pk, 100, "tokens", "month"),
        limit_of(tenant.pk, 2, "cost", "day"),
        BudgetLimit("user", uuid7(), "requests", "day", Decimal(150)),
    ]
    with ThreadPoolExecutor(20) as pool:
        passed = list(pool.map(lambda order: spend(tenant.pk, limits[::order]), [1, -1] * 100))
    assert sum(passed) == 100
    with tenant_scope(tenant, actor="system:test"):
        assert counted() == [("cost", 1, 0), ("requests", 100, 0), ("tokens", 100, 0)]
        assert not BudgetReservation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_calls_cannot_both_take_the_last_request(tenant, second_connection):
    with tenant_scope(tenant, actor="system:test"):
        hold([limit_of(tenant.pk, 10)], 9)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: spend(tenant.pk, [limit_of(tenant.pk, 10)]), range(2))) == [
            False,
            True,
        ]
    assert connection.in_atomic_block is False
