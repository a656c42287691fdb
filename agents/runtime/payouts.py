"""Payment of payouts: by hand, or by Stripe Connect."""

from datetime import date
from typing import Any, Protocol
from uuid import UUID

from agents.choices import PayoutMethod
from agents.models import Payout
from agents.services.payouts import (
    begin_attempt,
    confirm_payout,
    create_payouts,
    find_payable,
    record_failure,
)
from config.tenancy.scope import platform_scope

from .stripe import PaymentError, request_stripe, require_stripe, to_cents

ACTOR = "system:payouts"


class PayoutAdapter(Protocol):
    """Interface of the ways to pay a payout. An adapter stores nothing."""

    def send(self, payout: Payout) -> str:
        """Pay the payout and return the provider's ID, or '' if an operator confirms it. Idempotent."""


class ManualPayoutAdapter:
    """Payment outside the platform, confirmed by an operator in the console."""

    def send(self, payout: Payout) -> str:
        return ""


class StripeConnectAdapter:
    """A transfer to the seller's connected account.

    Stripe forgets idempotency keys after a day or more, so the transfers of the payout's group are looked up first.
    Until then it repeats refusals, so an attempt after a refusal has a new key.
    """

    def __init__(self) -> None:
        require_stripe()

    def send(self, payout: Payout) -> str:
        group = f"payout-{payout.pk}"
        found = request_stripe("GET", "/v1/transfers", fields={"transfer_group": group, "limit": "1"})
        transfers: list[dict[str, Any]] = found.get("data") or []
        transfer = transfers[0] if transfers else self._transfer(payout, group)
        return str(transfer["id"])

    @staticmethod
    def _transfer(payout: Payout, group: str) -> dict[str, Any]:
        fields = {
            "amount": str(to_cents(payout.amount)),
            "currency": payout.currency.lower(),
            "destination": payout.destination,
            "transfer_group": group,
            "metadata[payout]": str(payout.pk),
        }
        key = f"{group}-{payout.refusals}"
        return request_stripe("POST", "/v1/transfers", idempotency_key=key, fields=fields)


def get_payout_adapter(method: str) -> PayoutAdapter:
    """Return the adapter of a payout method.

    Raises:
        PaymentError: if it is not configured.
    """
    return StripeConnectAdapter() if method == PayoutMethod.STRIPE else ManualPayoutAdapter()


def send_payout(payout_id: UUID) -> None:
    """Pay a payout and record the result, unless it is paid or its seller is not active.

    Call it outside any scope.
    """
    with platform_scope(reason="pay a seller", actor=ACTOR):
        payout = begin_attempt(payout_id)
    if payout is None:
        return
    try:
        transaction_id = get_payout_adapter(payout.method).send(payout)
    except PaymentError as error:
        with platform_scope(reason="record the failed payment of a seller", actor=ACTOR):
            record_failure(payout_id, str(error), is_refused=error.is_refused)
        return
    if transaction_id:
        with platform_scope(reason="record the payment of a seller", actor=ACTOR):
            confirm_payout(payout_id, transaction_id=transaction_id)


def run_payouts(month: date) -> list[UUID]:
    """Create the payouts of a month, send those that are not paid, and return the new ones. Idempotent.

    Raises:
        ValidationError: if the month has not ended.
    """
    with platform_scope(reason="create the payouts of sellers", actor=ACTOR):
        created = create_payouts(month)
        waiting = list(
            find_payable().exclude(method=PayoutMethod.MANUAL).order_by("id").values_list("pk", flat=True)
        )
    for payout_id in waiting:
        send_payout(payout_id)
    return created
