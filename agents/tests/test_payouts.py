"""Payouts to sellers: exact amounts, paid once, refunds carried over."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, connections
from django.urls import reverse

from agents.ledger_triggers import LEDGER_FILL
from agents.models import LedgerEntry, Payout, TemplatePurchase
from agents.runtime import payouts as runtime
from agents.services import templates
from agents.services.payouts import (
    confirm_manual_payout,
    confirm_payout,
    create_payouts,
    get_seller_balance,
    get_statement,
)
from agents.services.templates import buy_template, complete_purchase, refund_purchase
from agents.tests.test_payments import stripe
from agents.tests.test_templates import offer
from audit.models import AuditLog
from config.db.ids import uuid7
from config.tenancy.scope import platform_scope, tenant_scope
from tenants.models import Tenant
from tenants.tests.factories import SystemSettingFactory

__all__ = ["offer", "stripe"]

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
PLATFORM = {"reason": "test", "actor": "system:test"}


@pytest.fixture
def clock(monkeypatch):
    """Set the time of payments and refunds."""

    class Clock:
        now = staticmethod(lambda: Clock.moment)
        moment = datetime(2026, 1, 10, tzinfo=UTC)

    monkeypatch.setattr(templates, "timezone", Clock)
    return Clock


@pytest.fixture
def sell(clock, tenant, other_tenant):
    """Create paid purchases of the other tenant's templates."""

    def make(price="10.00"):
        with platform_scope(**PLATFORM):
            purchase = TemplatePurchase(
                tenant_id=tenant.pk,
                template_id=uuid7(),
                seller_tenant_id=other_tenant.pk,
                price=Decimal(price),
            )
            purchase.save()
            return complete_purchase(purchase.pk)

    return make


def refund(purchase):
    with platform_scope(**PLATFORM):
        refund_purchase(purchase.pk)


def create(month):
    with platform_scope(**PLATFORM):
        return list(Payout.objects.filter(pk__in=create_payouts(month)))


def balance(seller):
    with tenant_scope(seller, actor="system:test"):
        return {name: str(value) for name, value in get_seller_balance().items()}


def connect(seller):
    with platform_scope(**PLATFORM):
        Tenant.objects.filter(pk=seller.pk).update(payout_account="acct_1")


def test_payout_contains_the_sales_of_its_month_once(sell, clock, other_tenant):
    sell("10.00"), sell("20.01"), refund(sell("7.77"))
    clock.moment = datetime(2026, 2, 1, tzinfo=UTC)
    sell("5.00")
    (payout,) = create(JANUARY)
    terms = (payout.sold, payout.platform_fee, payout.amount, payout.period_end)

    assert terms == (Decimal("30.01"), Decimal("9.00"), Decimal("21.01"), date(2026, 1, 31))
    assert (payout.sale_count, payout.refund_count) == (3, 1)
    assert (payout.status, payout.method, create(JANUARY)) == ("pending", "manual", [])
    assert [each.amount for each in create(FEBRUARY)] == [Decimal("3.50")]
    shown = {name: balance(other_tenant)[name] for name in ("payout", "paid_out", "pending", "open")}
    assert shown == {"payout": "24.51", "paid_out": "0.00", "pending": "24.51", "open": "0.00"}


def test_refund_after_a_payout_is_deducted_from_the_next(sell, clock, other_tenant):
    first = sell("10.00")
    (payout,) = create(JANUARY)
    with platform_scope(**PLATFORM):
        confirm_manual_payout(payout.pk, reference="bank-1")
    clock.moment = datetime(2026, 2, 3, tzinfo=UTC)
    refund(first)
    sell("4.00")
    assert balance(other_tenant)["open"] == "-4.20"
    assert create(FEBRUARY) == []
    clock.moment = datetime(2026, 3, 3, tzinfo=UTC)
    sell("10.00")
    (next_payout,) = create(date(2026, 3, 1))
    assert (next_payout.sale_count, next_payout.refund_count, next_payout.amount) == (2, 1, Decimal("2.80"))
    with tenant_scope(other_tenant, actor="system:test"):
        february, march = get_statement(FEBRUARY), get_statement(date(2026, 3, 1))
    assert (february["sales"], february["refunds"], february["fees"]) == (
        Decimal("4.00"),
        Decimal("-10.00"),
        Decimal("-1.80"),
    )
    assert february["closing_balance"] == march["opening_balance"] == Decimal("2.80")


def test_month_must_have_ended_and_seller_be_active(sell, other_tenant):
    sell()
    with pytest.raises(ValidationError, match="has not ended"):
        create(datetime.now(UTC).date())
    with platform_scope(**PLATFORM):
        Tenant.objects.filter(pk=other_tenant.pk).update(status="suspended")
    assert create(JANUARY) == []
    with platform_scope(**PLATFORM):
        Tenant.objects.filter(pk=other_tenant.pk).update(status="active")
    assert len(create(JANUARY)) == 1


def test_second_payment_is_recorded(sell):
    sell()
    (payout,) = create(JANUARY)
    with platform_scope(**PLATFORM):
        confirm_manual_payout(payout.pk, reference="bank-1")
        for again in ("", "bank-1", "tr_1"):
            assert confirm_payout(payout.pk, transaction_id=again).transaction_id == "bank-1"
        event = AuditLog.objects.get(action="payout.paid_twice")
    assert event.metadata["transaction_id"] == "bank-1"
    assert event.metadata["second_transaction_id"] == "tr_1"


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        (Payout, {"amount": "1.00", "sold": "1.30", "platform_fee": "0.30"}, "terms of a payout"),
        (Payout, {"destination": "acct_9"}, "terms of a payout"),
        (Payout, {"status": "failed", "paid_at": None}, "paid payout"),
        (LedgerEntry, {"amount": "9.00", "price": "12.00"}, "cannot be changed"),
        (LedgerEntry, {"payout": None}, "stay in their payout"),
    ],
)
def test_ledger_and_payouts_are_immutable_for_every_role(sell, model, change, message):
    sell()
    (payout,) = create(JANUARY)
    with platform_scope(**PLATFORM):
        confirm_manual_payout(payout.pk)
    with platform_scope(**PLATFORM), pytest.raises(IntegrityError, match=message):
        model.objects.update(**change)


def test_later_entry_cannot_enter_a_payout(sell, other_tenant):
    sell()
    (payout,) = create(JANUARY)
    sell()
    with platform_scope(**PLATFORM), pytest.raises(IntegrityError, match="sums of its ledger entries"):
        LedgerEntry.objects.filter(payout=None).update(payout=payout)


def test_purchase_has_one_sale_in_the_ledger(sell):
    sell()
    with platform_scope(**PLATFORM):
        entry = LedgerEntry.objects.get()
        entry.pk = uuid7()
        with pytest.raises(IntegrityError, match="agents_ledgerentry_purchase_once"):
            entry.save(force_insert=True)


def test_sellers_write_neither_payouts_nor_entries(sell, other_tenant):
    sell()
    create(JANUARY)
    for model, change in ((Payout, {"status": "paid"}), (LedgerEntry, {"price": "9.00"})):
        with tenant_scope(other_tenant, actor="system:test"), pytest.raises(ProgrammingError):
            model.objects.update(**change)


def test_ledger_outlives_the_buyer_and_ends_with_the_seller(sell, tenant, other_tenant):
    sell()
    create(JANUARY)
    with platform_scope(**PLATFORM):
        TemplatePurchase.objects.all().delete()
    assert balance(other_tenant)["payout"] == "7.00"
    with platform_scope(**PLATFORM), connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_tenant WHERE id = %s", [other_tenant.pk])
        assert (Payout.objects.count(), LedgerEntry.objects.count()) == (0, 0)


def test_migration_enters_earlier_purchases(sell):
    sell(), refund(sell("3.33"))
    columns = ("tenant_id", "purchase_id", "kind", "price", "platform_fee", "amount", "occurred_at")
    with platform_scope(**PLATFORM), connection.cursor() as cursor:
        written = set(LedgerEntry.objects.values_list(*columns))
        LedgerEntry.objects.all().delete()
        cursor.execute(LEDGER_FILL)
        assert set(LedgerEntry.objects.values_list(*columns)) == written
        assert len(written) == 3


def test_commission_is_a_setting_of_the_platform(offer, tenant, member):
    with platform_scope(**PLATFORM):
        setting = SystemSettingFactory(key="marketplace.commission", value="0.15", is_public=False)
    template = offer("20.00")
    with tenant_scope(tenant, user=member.user):
        purchase = buy_template(template, actor=member.user_id, method="manual")
        forged = TemplatePurchase.objects.get(pk=purchase.pk)
        purchase.refresh_from_db()
    assert (purchase.commission_rate, purchase.seller_payout) == (Decimal("0.150"), Decimal("17.00"))
    with platform_scope(**PLATFORM):
        setting.value = "everything"
        setting.save()
    template = offer("30.00")
    with tenant_scope(tenant, user=member.user):
        assert templates.get_commission() == Decimal("0.30")
        forged.pk, forged.template_id, forged.price = None, template.pk, template.price
        forged.seller_id = template.user_id
        with pytest.raises(ProgrammingError, match="row-level security"):
            forged.save(force_insert=True)


def test_seller_reads_payouts_statement_and_entries(sell, clock, api_client, other_tenant):
    sell(), sell("5.00")
    (payout,) = create(JANUARY)
    seller = api_client(role="analyst", tenant=other_tenant)
    (shown,) = seller.get("/api/v1/payouts/").json()["results"]
    entries = seller.get(f"/api/v1/ledger-entries/?payout={payout.pk}").json()["results"]
    statement = seller.get("/api/v1/payouts/statement/?month=2026-01").json()

    assert (shown["id"], shown["amount"], shown["status"]) == (str(payout.pk), "10.50", "pending")
    assert [each["amount"] for each in entries] == ["3.50", "7.00"]
    assert (statement["sales"], statement["sale_count"], statement["closing_balance"]) == (
        "15.00",
        2,
        "10.50",
    )
    assert seller.get("/api/v1/payouts/statement/").json()["opening_balance"] == "10.50"
    assert seller.get("/api/v1/payouts/statement/?month=2026-13").json()["code"] == "invalid_month"
    assert api_client().get("/api/v1/payouts/").json()["results"] == []
    assert api_client("viewer", tenant=other_tenant).get("/api/v1/payouts/").status_code == 403


def test_staff_confirm_payouts_in_the_console(sell, clock, staff_client, other_tenant):
    sell()
    (payout,) = create(JANUARY)
    clock.moment = datetime(2026, 2, 3, tzinfo=UTC)
    sell("5.00")
    connect(other_tenant)
    (by_stripe,) = create(FEBRUARY)
    staff_client.post(reverse("admin:platform"), {"reason": "Pay the sellers"})
    page = staff_client.get(reverse("admin:agents_payout_change", args=[payout.pk])).content.decode()
    assert "Sales and refunds" in page
    where = reverse("admin:agents_payout_changelist")
    body = {"action": "confirm", "_selected_action": [str(payout.pk), str(by_stripe.pk)]}
    page = staff_client.post(where, body, follow=True).content.decode()
    assert "1 payments confirmed." in page
    assert "1 payouts skipped." in page
    assert balance(other_tenant)["paid_out"] == "7.00"


def test_command_creates_the_payouts_of_a_month(sell, capsys):
    sell()
    call_command("payouts", "--month", "2026-01")
    assert "7.00 USD of 2026-01  manual  pending" in capsys.readouterr().out
    call_command("payouts", "--month", "2026-01")
    assert capsys.readouterr().out == "0 new payouts.\n"
    for month in ("2026-13", "2999-01", "january"):
        with pytest.raises(CommandError):
            call_command("payouts", "--month", month)


# What must hold in every snapshot of the ledger, in one statement.
INVARIANT = """
SELECT coalesce(sum(e.amount), 0) = (SELECT coalesce(sum(seller_payout), 0) FROM agents_templatepurchase
    WHERE seller_tenant_id = %(seller)s AND payment_status = 'completed'),
  count(*) = count(DISTINCT (purchase_id, kind)),
  coalesce(sum(e.amount) FILTER (WHERE payout_id IS NOT NULL), 0) = (SELECT coalesce(sum(amount), 0)
    FROM agents_payout WHERE tenant_id = %(seller)s)
FROM agents_ledgerentry e WHERE e.tenant_id = %(seller)s
"""


def check_ledger(seller):
    with platform_scope(**PLATFORM), connection.cursor() as cursor:
        cursor.execute(INVARIANT, {"seller": seller.pk})
        return cursor.fetchone()


def trade(dice, buyer, seller, purchases):
    """Buy, refund or pay out at random."""
    step = dice.choice(["buy", "buy", "refund", "pay"])
    if step == "pay":
        runtime.run_payouts(date(2026, dice.randrange(1, 9), 1))
        return
    with platform_scope(**PLATFORM):
        if step == "buy":
            price = Decimal(dice.randrange(1, 100_000)) / 100
            ids = {"tenant_id": buyer.pk, "template_id": uuid7(), "seller_tenant_id": seller.pk}
            row = TemplatePurchase(price=price, **ids)
            row.save()
            complete_purchase(row.pk)
        elif purchases:
            refund_purchase(dice.choice(purchases))
    if step == "buy":
        purchases.append(row.pk)


def in_thread(work):
    try:
        return work()
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_balances_equal_the_ledger_at_any_time(tenant, other_tenant, clock, stripe, monkeypatch):
    """Four writers buy, refund and pay out at random, while a reader checks every snapshot."""
    connect(other_tenant)
    monkeypatch.setattr(
        clock, "now", lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=random.randrange(200))
    )
    purchases, done = [], threading.Event()

    def write(seed):
        dice = random.Random(seed)
        for _ in range(12):
            trade(dice, tenant, other_tenant, purchases)

    def watch():
        seen = {check_ledger(other_tenant)}
        while not done.is_set():
            seen.add(check_ledger(other_tenant))
        return seen

    with ThreadPoolExecutor(5) as pool:
        watcher = pool.submit(in_thread, watch)
        writers = [pool.submit(in_thread, lambda seed=seed: write(seed)) for seed in range(4)]
        wait(writers)
        done.set()

    assert [writer.exception() for writer in writers] == [None] * 4
    assert watcher.result() | {check_ledger(other_tenant)} == {(True, True, True)}
    with platform_scope(**PLATFORM):
        paid = {str(payout.pk): payout.amount for payout in Payout.objects.filter(status="paid")}
    sent = [(each["metadata"]["payout"], Decimal(each["amount"]) / 100) for each in stripe.transfers]
    assert sorted(sent) == sorted(paid.items())
    assert len(paid) > 1
    assert balance(other_tenant)["paid_out"] == str(sum(paid.values()))
