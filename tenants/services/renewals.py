"""Renewal of subscriptions by payments."""

from calendar import monthrange
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from tenants.choices import BillingInterval, BillingStatus, SubscriptionStatus
from tenants.models import BillingRecord, Subscription, Tenant
from tenants.models.plans import LIVE
from tenants.services.tenants import TenantStateError
from tenants.signals import platform_action

MONTHS = {BillingInterval.MONTHLY: 1, BillingInterval.YEARLY: 12}


def find_subscription(tenant: Tenant) -> Subscription:
    """Return the subscription that a payment renews: the live one, or the latest that expired.

    Requires the platform scope.

    Raises:
        TenantStateError: The tenant has none.
    """
    known = Subscription.objects.filter(tenant=tenant).exclude(status=SubscriptionStatus.CANCELLED)
    live = known.filter(status__in=LIVE).first()
    found = live or known.order_by("-started_at").first()
    if found is None:
        raise TenantStateError("The organisation has no subscription to renew.", "no_subscription")
    return found  # type: ignore[no-any-return]


@transaction.atomic
def renew_subscription(
    subscription: Subscription,
    *,
    transaction_id: str,
    amount: Decimal,
    currency: str,
    method: str = "",
) -> Subscription:
    """Record the payment of the next period and extend the subscription by it. Requires the platform scope.

    The period starts at the end of the previous one, or now if the grace period is over. The same transaction renews
    once. A subscription without an expiry keeps none.

    Raises:
        ValidationError: The amount or the currency is not that of the plan.
        TenantStateError: The subscription is cancelled.
    """
    rows = Subscription.objects.select_for_update(of=("self",)).select_related("plan")
    locked = rows.get(pk=subscription.pk)
    if BillingRecord.objects.filter(tenant_id=locked.tenant_id, transaction_id=transaction_id).exists():
        return locked  # type: ignore[no-any-return]
    if locked.status == SubscriptionStatus.CANCELLED:
        raise TenantStateError("The subscription is cancelled.", "subscription_cancelled")
    _check_payment(locked, amount, currency)
    start = _next_start(locked)
    end = add_months(start, MONTHS[locked.billing_interval], day=_billing_day(locked, start))
    bill = _build_bill(locked, start, end, amount)
    bill.payment_method, bill.transaction_id = method, transaction_id
    bill.save()
    locked.status = SubscriptionStatus.ACTIVE
    locked.expires_at = end if locked.expires_at else None
    locked.current_period_start, locked.current_period_end = start, end
    locked.save(
        update_fields=["status", "expires_at", "current_period_start", "current_period_end", "updated_at"]
    )
    _announce(locked, bill)
    return locked  # type: ignore[no-any-return]


def _build_bill(subscription: Subscription, start: datetime, end: datetime, amount: Decimal) -> BillingRecord:
    """Return the paid bill of a period. Its number makes a second bill of the same period impossible."""
    plan, now = subscription.plan, timezone.now()
    return BillingRecord(
        tenant_id=subscription.tenant_id,
        subscription=subscription,
        number=f"{start:%Y%m%d}-{subscription.pk.hex[-12:]}",
        status=BillingStatus.PAID,
        period_start=start.date(),
        period_end=end.date() - timedelta(days=1),
        currency=plan.currency,
        net_amount=amount,
        lines=[{"description": plan.name, "quantity": 1, "unit_price": str(amount)}],
        issued_at=now,
        paid_at=now,
    )


def add_months(moment: datetime, months: int, *, day: int) -> datetime:
    """Return the moment some months later, on `day` or on the last day of a shorter month."""
    place = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(place, 12)
    return moment.replace(year=year, month=month + 1, day=min(day, monthrange(year, month + 1)[1]))


def _billing_day(subscription: Subscription, start: datetime) -> int:
    """Return the day on which periods end: that of the first one, unless a trial or a gap moved it."""
    first = subscription.started_at.day
    return first if start.day == min(first, monthrange(start.year, start.month)[1]) else start.day


def _next_start(subscription: Subscription) -> datetime:
    now = timezone.now()
    end = subscription.expires_at or subscription.current_period_end or now
    grace = timedelta(days=subscription.plan.grace_days)
    return end if end + grace > now else now


def _check_payment(subscription: Subscription, amount: Decimal, currency: str) -> None:
    plan = subscription.plan
    is_yearly = subscription.billing_interval == BillingInterval.YEARLY
    price = plan.price_yearly if is_yearly else plan.price_monthly
    if currency != plan.currency:
        raise ValidationError({"currency": f"The plan is paid in {plan.currency}."})
    if amount != price:
        raise ValidationError({"amount": f"The price of the period is {price} {plan.currency}."})


def _announce(subscription: Subscription, bill: BillingRecord) -> None:
    details: dict[str, Any] = {
        "bill": bill.number,
        "amount": str(bill.net_amount),
        "currency": bill.currency,
        "expires_at": subscription.expires_at.isoformat() if subscription.expires_at else None,
    }
    platform_action.send(
        sender=Subscription,
        action="subscription.renewed",
        resource=subscription,
        tenant_id=subscription.tenant_id,
        details=details,
    )
