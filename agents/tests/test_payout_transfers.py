"""Transfers of payouts by Stripe: made once, tried again after failures, and only to active sellers."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from agents.models import Payout
from agents.runtime import payouts as runtime
from agents.services.payouts import confirm_manual_payout, create_payouts
from agents.tests.test_payments import stripe
from agents.tests.test_payouts import JANUARY, PLATFORM, balance, clock, connect, create, sell
from config.db.ids import uuid7
from config.tenancy.scope import platform_scope
from tenants.models import Tenant

__all__ = ["clock", "sell", "stripe"]


@pytest.mark.parametrize(
    "change", [{"status": "suspended"}, {"deleted_at": datetime(2026, 2, 2, tzinfo=UTC)}]
)
def test_only_active_sellers_are_paid(sell, stripe, other_tenant, change):
    sell()
    connect(other_tenant)
    (payout,) = create(JANUARY)
    with platform_scope(**PLATFORM):
        Tenant.objects.filter(pk=other_tenant.pk).update(**change)
    runtime.run_payouts(JANUARY)
    for payout_id in (payout.pk, uuid7()):
        runtime.send_payout(payout_id)
    assert stripe.transfers == []
    with platform_scope(**PLATFORM):
        Tenant.objects.filter(pk=other_tenant.pk).update(status="active", deleted_at=None)
    runtime.run_payouts(JANUARY)
    assert len(stripe.transfers) == 1


def test_stripe_transfer_is_made_once_after_a_crash(sell, stripe, other_tenant, monkeypatch):
    sell("12.50")
    connect(other_tenant)
    with monkeypatch.context() as crash:
        crash.setattr(runtime, "confirm_payout", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            runtime.run_payouts(JANUARY)
    # Stripe forgets idempotency keys after a day.
    stripe.kept.clear()
    runtime.run_payouts(JANUARY)
    runtime.run_payouts(JANUARY)
    with platform_scope(**PLATFORM):
        payout = Payout.objects.get()

    assert (payout.status, payout.transaction_id, payout.error) == ("paid", "tr_0", "")
    (transfer,) = stripe.transfers
    assert (transfer["amount"], transfer["currency"], transfer["destination"]) == ("875", "usd", "acct_1")
    ((_, authorization, key, _),) = [each for each in stripe.asked if each[0] == "/v1/transfers"]
    assert (authorization, key) == ("Bearer sk_test_secret", f"payout-{payout.pk}-0")
    assert balance(other_tenant)["paid_out"] == "8.75"


def test_concurrent_transfers_share_the_idempotency_key(sell, stripe, other_tenant, monkeypatch):
    sell()
    connect(other_tenant)
    with platform_scope(**PLATFORM):
        (payout_id,) = create_payouts(JANUARY)
        payout = Payout.objects.get(pk=payout_id)
    # Neither lookup sees the transfer of the other.
    monkeypatch.setattr(stripe, "hides_transfers", True)
    adapter = runtime.get_payout_adapter("stripe")

    assert (adapter.send(payout), adapter.send(payout)) == ("tr_0", "tr_0")
    assert len(stripe.transfers) == 1


def test_refused_payout_is_shown_and_tried_again(sell, stripe, other_tenant):
    sell()
    connect(other_tenant)
    stripe.broken = True
    runtime.run_payouts(JANUARY)
    with platform_scope(**PLATFORM):
        failed = Payout.objects.get()
    assert (failed.status, failed.error) == (
        "pending",
        "The payment provider refused the request with status 500.",
    )
    with platform_scope(**PLATFORM), pytest.raises(ValidationError, match="payment provider pays"):
        confirm_manual_payout(failed.pk)
    stripe.broken, stripe.refuses_transfers = False, True
    runtime.run_payouts(JANUARY)
    with platform_scope(**PLATFORM):
        assert Payout.objects.get().status == "failed"
    stripe.refuses_transfers = False
    runtime.run_payouts(JANUARY)
    with platform_scope(**PLATFORM):
        assert Payout.objects.get().status == "paid"
    # Stripe repeats a refusal for its key; other failures keep theirs.
    keys = [key for path, _, key, _ in stripe.asked if path == "/v1/transfers"]
    assert keys == [f"payout-{failed.pk}-{refusals}" for refusals in (0, 0, 1)]


def test_payout_is_not_paid_by_hand_during_an_attempt(sell, stripe, other_tenant, monkeypatch):
    sell()
    connect(other_tenant)
    stripe.refuses_transfers = True
    runtime.run_payouts(JANUARY)

    def send(_, payout):
        with platform_scope(**PLATFORM), pytest.raises(ValidationError, match="payment provider pays"):
            confirm_manual_payout(payout.pk)
        return "tr_1"

    monkeypatch.setattr(runtime.StripeConnectAdapter, "send", send)
    runtime.run_payouts(JANUARY)
    with platform_scope(**PLATFORM):
        payout = Payout.objects.get()
        assert (payout.status, payout.transaction_id) == ("paid", "tr_1")


def test_refused_lookup_leaves_the_payout_pending(sell, stripe, other_tenant):
    sell()
    connect(other_tenant)
    stripe.refuses_lookups = True
    runtime.run_payouts(JANUARY)
    with platform_scope(**PLATFORM):
        payout = Payout.objects.get()
        assert (payout.status, payout.error[-4:]) == ("pending", "401.")
        with pytest.raises(ValidationError, match="payment provider pays"):
            confirm_manual_payout(payout.pk)
