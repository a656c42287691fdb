"""Renewal of subscriptions by payments."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone

from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.roles import as_platform
from tenants.models import BillingRecord, Subscription
from tenants.services.renewals import add_months, find_subscription, renew_subscription
from tenants.services.tenants import TenantStateError
from tenants.tests.factories import SubscriptionFactory, SubscriptionPlanFactory

PRICES = {"price_monthly": Decimal("20.00"), "price_yearly": Decimal("200.00"), "currency": "EUR"}
PAYMENT = {"transaction_id": "bank-1", "amount": Decimal("20.00"), "currency": "EUR", "method": "transfer"}


@pytest.fixture
def subscribe(tenant):
    def make(*, days, grace_days=0, **fields):
        expires_at = timezone.now() + timedelta(days=days)
        with as_platform():
            plan = SubscriptionPlanFactory(grace_days=grace_days, **PRICES)
            defaults = {"status": "active", "started_at": expires_at - timedelta(days=100)}
            return SubscriptionFactory(tenant=tenant, plan=plan, expires_at=expires_at, **defaults | fields)

    return make


def renew(subscription, **changes):
    with platform_scope(reason="test", actor="system:test"):
        return renew_subscription(subscription, **PAYMENT | changes)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (31, 1, datetime(2026, 2, 28, tzinfo=UTC)),
        (31, 12, datetime(2027, 1, 31, tzinfo=UTC)),
        (5, 13, datetime(2027, 2, 5, tzinfo=UTC)),
    ],
)
def test_months_end_on_the_day_of_the_start(day, months, later):
    assert add_months(datetime(2026, 1, 5, tzinfo=UTC), months, day=day) == later


@pytest.mark.parametrize(
    ("status", "days", "grace_days"), [("active", 10, 0), ("past_due", -3, 7), ("trial", 1, 0)]
)
def test_payment_extends_from_the_old_end(subscribe, status, days, grace_days):
    before = subscribe(days=days, grace_days=grace_days, status=status)
    after = renew(before)

    end = add_months(before.expires_at, 1, day=before.expires_at.day)
    assert (after.status, after.expires_at) == ("active", end)
    assert (after.current_period_start, after.current_period_end) == (before.expires_at, end)
    with tenant_scope(before.tenant, actor="system:test"):
        bill = BillingRecord.objects.get()
    assert (bill.status, bill.net_amount, bill.transaction_id) == ("paid", Decimal("20.00"), "bank-1")
    assert (bill.period_start, bill.period_end) == (before.expires_at.date(), end.date() - timedelta(days=1))


def test_payment_after_the_grace_period_extends_from_now(subscribe):
    after = renew(subscribe(days=-90, grace_days=7, status="expired"))
    assert abs(after.current_period_start - timezone.now()) < timedelta(minutes=1)
    assert after.expires_at > timezone.now() + timedelta(days=27)


def test_end_of_the_month_is_kept_after_a_shorter_month(subscribe):
    january = datetime(2098, 1, 31, tzinfo=UTC)
    before = subscribe(days=1)
    with as_platform():
        Subscription.objects.filter(pk=before.pk).update(started_at=january, expires_at=january)
    ends = [renew(before, transaction_id=name).expires_at for name in ("a", "b")]
    assert [f"{end:%m-%d}" for end in ends] == ["02-28", "03-31"]


def test_yearly_subscription_is_extended_by_a_year(subscribe):
    before = subscribe(days=1, billing_interval="yearly")
    after = renew(before, amount=Decimal("200.00"))
    assert after.expires_at.year == before.expires_at.year + 1


def test_same_transaction_renews_once_and_each_other_again(subscribe):
    before = subscribe(days=10)
    once = renew(before)
    assert renew(before).expires_at == once.expires_at
    assert renew(before, transaction_id="bank-2").current_period_start == once.expires_at


@pytest.mark.parametrize("change", [{"amount": Decimal("19.99")}, {"currency": "USD"}])
def test_other_payment_renews_nothing(subscribe, change):
    before = subscribe(days=10)
    with pytest.raises(ValidationError, match="EUR"):
        renew(before, **change)
    with tenant_scope(before.tenant, actor="system:test"):
        assert not BillingRecord.objects.exists()
        assert Subscription.objects.get().expires_at == before.expires_at


def test_cancelled_and_missing_subscriptions_are_not_renewed(subscribe, tenant):
    with platform_scope(reason="test", actor="system:test"), pytest.raises(TenantStateError):
        find_subscription(tenant)
    with pytest.raises(TenantStateError, match="cancelled"):
        renew(subscribe(days=10, status="cancelled"))


@pytest.mark.django_db(transaction=True)
def test_parallel_payments_each_add_one_period(subscribe):
    before = subscribe(days=10)

    def pay(number):
        try:
            renew(before, transaction_id=f"bank-{number}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pay, [1, 1, 2, 2, 3, 3]))
    with tenant_scope(before.tenant, actor="system:test"):
        assert BillingRecord.objects.count() == 3
        after = Subscription.objects.get().expires_at
    months = (after.year - before.expires_at.year) * 12 + after.month - before.expires_at.month
    assert months == 3
