"""Payouts to sellers, and the balance and statements of their ledger.

A payout contains the entries of the ledger that no other payout contains, until the end of its month. A refund after
the payout of its sale is therefore deducted from the next one. If refunds exceed sales, the entries wait.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from agents.choices import LedgerEntryKind, PayoutMethod, PayoutStatus
from agents.models import LedgerEntry, Payout
from audit.services.events import record_event
from tenants.choices import TenantStatus

ZERO = Decimal("0.00")
# One statement: what commits meanwhile is either in a payout with its amount, or in the next one.
CREATE_SQL = """
WITH due AS MATERIALIZED (
  SELECT e.id, e.tenant_id, e.currency, e.kind, e.price, e.platform_fee, e.amount FROM agents_ledgerentry e
  WHERE e.payout_id IS NULL AND e.occurred_at < %(until)s ORDER BY e.id FOR UPDATE
), made AS (
  INSERT INTO agents_payout (tenant_id, period_start, period_end, sale_count, refund_count, sold, platform_fee,
    amount, currency, method, destination, transaction_id, error)
  SELECT d.tenant_id, %(start)s, %(end)s, count(*) FILTER (WHERE d.kind = 'sale'),
    count(*) FILTER (WHERE d.kind = 'refund'), sum(d.price), sum(d.platform_fee), sum(d.amount), d.currency,
    CASE WHEN t.payout_account = '' THEN 'manual' ELSE 'stripe' END, t.payout_account, '', ''
  FROM due d JOIN tenants_tenant t ON t.id = d.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
  GROUP BY d.tenant_id, d.currency, t.payout_account HAVING sum(d.amount) > 0
  ON CONFLICT (tenant_id, period_start, currency) DO NOTHING RETURNING id, tenant_id, currency
), entered AS (
  UPDATE agents_ledgerentry e SET payout_id = made.id FROM due JOIN made USING (tenant_id, currency)
  WHERE e.id = due.id AND e.tenant_id = due.tenant_id
)
SELECT id FROM made
"""


class PayoutStateError(ValidationError):
    """Raised when the state of a payout does not allow the operation."""


def parse_month(value: str) -> date:
    """Return the first day of a month written as YYYY-MM.

    Raises:
        ValueError: if it is not a month of this or the last century.
    """
    month = date.fromisoformat(f"{value}-01")
    if len(value) != 7 or not 1900 <= month.year < 2100:
        raise ValueError("not a month")
    return month


def get_month(moment: datetime | date) -> date:
    """Return the first day of a month."""
    return date(moment.year, moment.month, 1)


def get_next_month(month: date) -> date:
    """Return the first day of the following month."""
    return get_month(month + timedelta(days=31))


def get_previous_month(moment: datetime | date) -> date:
    """Return the first day of the month before a moment."""
    return get_month(get_month(moment) - timedelta(days=1))


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@transaction.atomic
def create_payouts(month: date) -> list[UUID]:
    """Create the payouts of a past month and return their IDs. Idempotent. Requires the platform scope.

    Sellers that are not active get theirs later.

    Raises:
        ValidationError: if the month has not ended.
    """
    start, following = get_month(month), get_next_month(get_month(month))
    if _start_of(following) > timezone.now():
        raise ValidationError({"month": "The month has not ended."})
    period = {"start": start, "end": following - timedelta(days=1), "until": _start_of(following)}
    with connection.cursor() as cursor:
        cursor.execute(CREATE_SQL, period)
        created = [row[0] for row in cursor.fetchall()]
    for payout in Payout.objects.filter(pk__in=created):
        record_event("payout.created", resource=payout, metadata=_describe(payout))
    return created


def find_payable() -> QuerySet[Payout]:
    """Return the unpaid payouts of active sellers. Requires the platform scope."""
    unpaid = Payout.objects.exclude(status=PayoutStatus.PAID)
    active: QuerySet[Payout] = unpaid.filter(tenant__status=TenantStatus.ACTIVE, tenant__deleted_at=None)
    return active


@transaction.atomic
def begin_attempt(payout_id: UUID) -> Payout | None:
    """Return a payout for the payment provider, or None if it is not payable. Requires the platform scope.

    A refused payout is pending again, so it cannot be paid by hand during the attempt.
    """
    payout = find_payable().select_for_update(of=("self",)).filter(pk=payout_id).first()
    if payout is not None and payout.status == PayoutStatus.FAILED:
        payout.status = PayoutStatus.PENDING
        payout.save(update_fields=["status", "updated_at"])
    return payout


@transaction.atomic
def confirm_payout(payout_id: UUID, *, transaction_id: str = "") -> Payout:
    """Mark a payout as paid. Idempotent. Requires the platform scope.

    A second payment with another ID is recorded as the event `payout.paid_twice`.
    """
    payout = _lock_payout(payout_id)
    if payout.status == PayoutStatus.PAID:
        if transaction_id not in ("", payout.transaction_id):
            ids = {"transaction_id": payout.transaction_id, "second_transaction_id": transaction_id}
            record_event("payout.paid_twice", resource=payout, metadata=_describe(payout) | ids)
        return payout
    payout.status, payout.paid_at, payout.error = PayoutStatus.PAID, timezone.now(), ""
    payout.transaction_id = transaction_id
    payout.save(update_fields=["status", "paid_at", "error", "transaction_id", "updated_at"])
    record_event("payout.paid", resource=payout, metadata=_describe(payout))
    return payout


@transaction.atomic
def confirm_manual_payout(payout_id: UUID, *, reference: str = "") -> Payout:
    """Mark a payout as paid by hand. Requires the platform scope.

    Raises:
        PayoutStateError: if the payment provider pays it and has not refused it.
    """
    payout = _lock_payout(payout_id)
    if payout.method != PayoutMethod.MANUAL and payout.status == PayoutStatus.PENDING:
        raise PayoutStateError("The payment provider pays this payout.")
    return confirm_payout(payout_id, transaction_id=reference)


@transaction.atomic
def record_failure(payout_id: UUID, error: str, *, is_refused: bool) -> None:
    """Store why an attempt failed, unless the payout was paid meanwhile. Requires the platform scope."""
    payout = _lock_payout(payout_id)
    if payout.status == PayoutStatus.PAID:
        return
    payout.error = error[: Payout._meta.get_field("error").max_length]
    payout.status = PayoutStatus.FAILED if is_refused else PayoutStatus.PENDING
    payout.refusals += is_refused
    payout.save(update_fields=["error", "status", "refusals", "updated_at"])
    record_event("payout.failed", resource=payout, metadata=_describe(payout))


def _lock_payout(payout_id: UUID) -> Payout:
    payout: Payout = Payout.objects.select_for_update(of=("self",)).get(pk=payout_id)
    return payout


def _describe(payout: Payout) -> dict[str, str]:
    return {
        "seller_tenant_id": str(payout.tenant_id),
        "month": f"{payout.period_start:%Y-%m}",
        "amount": str(payout.amount),
        "currency": payout.currency,
        "method": payout.method,
    }


def get_seller_balance() -> dict[str, Decimal]:
    """Return the sums of the ledger of the scope's tenant.

    Returns:
        `sold`, `fees` and `payout` (the seller's share), and the parts of the share that are `paid_out`, in a payout
        that is not paid yet (`pending`) or in no payout (`open`, negative after refunds).
    """
    paid = Q(payout__status=PayoutStatus.PAID)
    sums = LedgerEntry.objects.aggregate(
        sold=Sum("price"),
        fees=Sum("platform_fee"),
        paid_out=Sum("amount", filter=paid),
        pending=Sum("amount", filter=Q(payout__isnull=False) & ~paid),
        open=Sum("amount", filter=Q(payout=None)),
        # Last, since the filters above mean the reference of this name.
        payout=Sum("amount"),
    )
    return {name: value or ZERO for name, value in sums.items()}


def get_statement(month: date) -> dict[str, Any]:
    """Return the account of the scope's tenant in a month: balances, sales, refunds and payments."""
    start, end = _start_of(get_month(month)), _start_of(get_next_month(get_month(month)))
    sale, refund = Q(kind=LedgerEntryKind.SALE), Q(kind=LedgerEntryKind.REFUND)
    before = LedgerEntry.objects.filter(occurred_at__lt=start).aggregate(amount=Sum("amount"))
    sums = LedgerEntry.objects.filter(occurred_at__gte=start, occurred_at__lt=end).aggregate(
        sales=Sum("price", filter=sale),
        sale_count=Count("pk", filter=sale),
        refunds=Sum("price", filter=refund),
        refund_count=Count("pk", filter=refund),
        fees=Sum("platform_fee"),
        amount=Sum("amount"),
    )
    paid = Payout.objects.filter(status=PayoutStatus.PAID).aggregate(
        before=Sum("amount", filter=Q(paid_at__lt=start)),
        during=Sum("amount", filter=Q(paid_at__gte=start, paid_at__lt=end)),
    )
    opening = (before["amount"] or ZERO) - (paid["before"] or ZERO)
    paid_out, amount = paid["during"] or ZERO, sums.pop("amount") or ZERO
    return {
        "month": f"{start:%Y-%m}",
        "currency": "USD",
        "opening_balance": opening,
        **{name: value or (0 if name.endswith("count") else ZERO) for name, value in sums.items()},
        "paid_out": paid_out,
        "closing_balance": opening + amount - paid_out,
    }
