"""Stripe payments: idempotent requests, full amount required, signed webhooks, single refunds."""

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from agents.models import TemplatePurchase
from agents.runtime.payments import (
    get_adapter,
    is_valid_stripe_signature,
    refund_payment,
    settle_purchase,
)
from agents.runtime.stripe import PaymentError
from agents.tests.test_templates import offer
from config.tenancy.scope import platform_scope
from tenants.models import Subscription
from tenants.tests.factories import SubscriptionFactory, SubscriptionPlanFactory

__all__ = ["offer"]


class Stripe(ThreadingHTTPServer):
    """Fake of Stripe's checkout sessions, refunds and transfers; honours idempotency keys."""

    daemon_threads = True
    refuses_transfers = refuses_lookups = hides_transfers = False


class StripeHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        fields = {
            k: v[0]
            for k, v in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
        }
        self.server.asked.append(
            (self.path, self.headers["Authorization"], self.headers["Idempotency-Key"], fields)
        )
        if self.server.refunded and self.path == "/v1/refunds":
            return self.answer(400, {"error": {"code": "charge_already_refunded"}})
        if self.server.broken:
            return self.answer(500, {"error": {"message": "sk_test_secret is broken"}})
        once = self.headers["Idempotency-Key"]
        if once not in self.server.kept:
            is_refused = self.path == "/v1/transfers" and self.server.refuses_transfers
            refusal = (400, {"error": {"code": "account_invalid"}})
            self.server.kept[once] = refusal if is_refused else (200, self.make(fields))
        return self.answer(*self.server.kept[once])

    def make(self, fields):
        if self.path == "/v1/refunds":
            return {"id": f"re_{len(self.server.kept)}", "object": "refund", "status": "succeeded", **fields}
        if self.path == "/v1/transfers":
            transfer = {"id": f"tr_{len(self.server.transfers)}", "object": "transfer", **fields}
            transfer["metadata"] = {"payout": fields["metadata[payout]"]}
            self.server.transfers.append(transfer)
            return transfer
        session = {
            "id": f"cs_test_{len(self.server.sessions)}",
            "object": "checkout.session",
            "url": "https://checkout.stripe.com/c/pay/cs_test",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": "pi_1",
            "currency": fields["line_items[0][price_data][currency]"],
            "amount_total": int(fields["line_items[0][price_data][unit_amount]"]),
            "metadata": {"purchase": fields["metadata[purchase]"]},
        }
        self.server.sessions[session["id"]] = session
        return session

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/v1/transfers":
            if self.server.refuses_lookups:
                return self.answer(401, {"error": {}})
            group = parse_qs(query)["transfer_group"][0]
            found = [each for each in self.server.transfers if each["transfer_group"] == group]
            return self.answer(200, {"data": [] if self.server.hides_transfers else found[:1]})
        if path.startswith("/v1/invoices/"):
            invoice = self.server.invoices.get(path.rpartition("/")[2])
            return self.answer(200 if invoice else 404, invoice or {"error": {}})
        session = self.server.sessions.get(self.path.rpartition("/")[2])
        return self.answer(200 if session else 404, session or {"error": {}})

    def answer(self, status, body):
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_):
        """Silent."""


@pytest.fixture
def stripe(settings):
    with Stripe(("127.0.0.1", 0), StripeHandler) as server:
        server.asked, server.kept, server.sessions, server.broken = [], {}, {}, False
        server.refunded, server.transfers = False, []
        server.invoices = {}
        settings.STRIPE_URL = f"http://127.0.0.1:{server.server_address[1]}"
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_secret", "whsec_secret"
        settings.PAYMENT_ADAPTER = "stripe"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def bought(stripe, offer, api_client):
    """Create a pending purchase; return the buyer's client and the purchase's JSON."""
    client = api_client()
    response = client.post(
        f"/api/v1/agent-templates/{offer('12.50').pk}/buy/", {}, content_type="application/json"
    )
    assert response.status_code == 201, response.content
    return client, response.json()


def row_of(purchase):
    with platform_scope(reason="test"):
        return TemplatePurchase.objects.get(pk=purchase["id"])


def test_stripe_session_is_created_once(bought, stripe):
    client, shown = bought
    again = client.post(
        f"/api/v1/agent-templates/{shown['purchase']['template_id']}/buy/",
        {},
        content_type="application/json",
    )
    assert again.json() == shown
    path, authorization, once, fields = stripe.asked[0]
    assert (path, authorization) == ("/v1/checkout/sessions", "Bearer sk_test_secret")
    assert (once, fields["line_items[0][price_data][unit_amount]"]) == (
        f"buy-{shown['purchase']['id']}",
        "1250",
    )
    assert (len(stripe.sessions), shown["purchase"]["transaction_id"]) == (1, "cs_test_0")
    assert shown["payment_url"].startswith("https://checkout.stripe.com/")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"payment_status": "paid"}, "completed"),
        ({}, "pending"),
        ({"payment_status": "paid", "amount_total": 1}, "pending"),
        ({"payment_status": "paid", "currency": "idr"}, "pending"),
        ({"payment_status": "paid", "metadata": {"purchase": "another"}}, "pending"),
    ],
)
def test_only_the_whole_price_completes_a_purchase(bought, stripe, changes, status):
    client, shown = bought
    stripe.sessions["cs_test_0"] |= changes
    response = client.post(
        f"/api/v1/template-purchases/{shown['purchase']['id']}/settle/", content_type="application/json"
    )
    assert response.json()["payment_status"] == status


def signed(body, secret="whsec_secret", at=None):
    stamp = str(int(at or time.time()))
    digest = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def notify(client, purchase, signature=None, kind="checkout.session.completed"):
    body = json.dumps({"type": kind, "data": {"object": {"metadata": {"purchase": purchase["id"]}}}})
    headers = {"stripe-signature": signature or signed(body)}
    return client.post("/webhooks/stripe", body, content_type="application/json", headers=headers)


def test_signed_webhook_settles_only_paid_purchases(bought, stripe, client):
    purchase = bought[1]["purchase"]
    assert notify(client, purchase).status_code == 204
    assert row_of(purchase).payment_status == "pending"
    stripe.sessions["cs_test_0"]["payment_status"] = "paid"
    assert notify(client, purchase, "t=1,v1=00").status_code == 400
    assert row_of(purchase).payment_status == "pending"
    assert [notify(client, purchase).status_code for _ in range(2)] == [204, 204]
    assert row_of(purchase).payment_status == "completed"


def test_signature_must_be_valid_and_recent(settings):
    settings.STRIPE_WEBHOOK_SECRET = "whsec_secret"
    assert is_valid_stripe_signature(signed("{}"), b"{}")
    wrong = [
        signed("{}", "other"),
        signed("{}", at=time.time() - 900),
        signed("[]"),
        "",
        "t=x,v1=y",
        "v1=é",
        f"t={'9' * 5000},v1=00",
    ]
    assert [is_valid_stripe_signature(header, b"{}") for header in wrong] == [False] * 7
    settings.STRIPE_WEBHOOK_SECRET = ""
    assert not is_valid_stripe_signature(signed("{}", ""), b"{}")


def test_refund_happens_once_and_updates_the_ledger(bought, stripe):
    purchase = bought[1]["purchase"]
    stripe.sessions["cs_test_0"]["payment_status"] = "paid"
    settle_purchase(row_of(purchase))
    stripe.broken = True
    with pytest.raises(PaymentError):
        refund_payment(purchase["id"])
    assert row_of(purchase).payment_status == "completed"
    stripe.broken = False
    refund_payment(purchase["id"])
    refund_payment(purchase["id"])
    assert row_of(purchase).payment_status == "refunded"
    assert [asked[2] for asked in stripe.asked if asked[0] == "/v1/refunds"] == [
        f"refund-{purchase['id']}"
    ] * 2


def test_webhook_after_a_refund_changes_nothing(bought, stripe, client):
    purchase = bought[1]["purchase"]
    stripe.sessions["cs_test_0"]["payment_status"] = "paid"
    settle_purchase(row_of(purchase))
    refund_payment(purchase["id"])
    assert notify(client, purchase).status_code == 204
    response = bought[0].post(
        f"/api/v1/template-purchases/{purchase['id']}/settle/", content_type="application/json"
    )
    assert (response.status_code, response.json()["payment_status"]) == (200, "refunded")


def test_unrecorded_refund_is_recorded_later(bought, stripe):
    purchase = bought[1]["purchase"]
    stripe.sessions["cs_test_0"]["payment_status"] = "paid"
    settle_purchase(row_of(purchase))
    stripe.refunded = True
    refund_payment(purchase["id"])
    assert row_of(purchase).payment_status == "refunded"


def test_expired_session_is_replaced(bought, stripe):
    client, shown = bought
    stripe.sessions["cs_test_0"]["status"] = "expired"
    where = f"/api/v1/agent-templates/{shown['purchase']['template_id']}/buy/"
    again = [client.post(where, {}, content_type="application/json").json() for _ in range(2)]
    assert [each["purchase"]["id"] for each in again] == [shown["purchase"]["id"]] * 2
    assert [each["purchase"]["transaction_id"] for each in again] == ["cs_test_1"] * 2
    assert len(stripe.sessions) == 2


def test_provider_error_leaves_the_purchase_open(stripe, offer, api_client):
    stripe.broken = True
    response = api_client().post(
        f"/api/v1/agent-templates/{offer().pk}/buy/", {}, content_type="application/json"
    )
    assert (response.status_code, response.json()["code"]) == (502, "payment_failed")
    assert "sk_test" not in response.content.decode()
    with platform_scope(reason="test"):
        assert TemplatePurchase.objects.get().payment_status == "pending"


def test_purchase_with_unknown_payment_method_is_a_conflict(bought):
    client, made = bought
    with platform_scope(reason="test"):
        TemplatePurchase.objects.filter(pk=made["purchase"]["id"]).update(payment_method="barter")
    where = f"/api/v1/template-purchases/{made['purchase']['id']}/settle/"
    response = client.post(where, {}, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (409, "unknown_payment_method")


def test_live_keys_require_permission(settings):
    settings.STRIPE_SECRET_KEY = "sk_live_x"
    with pytest.raises(PaymentError):
        get_adapter("stripe")
    settings.STRIPE_LIVE = True
    assert get_adapter("stripe").name == "stripe"
    with pytest.raises(PaymentError):
        get_adapter("cash")


def pay_invoice(client, invoice_id="in_1"):
    body = json.dumps({"type": "invoice.paid", "data": {"object": {"id": invoice_id, "status": "paid"}}})
    headers = {"stripe-signature": signed(body)}
    return client.post("/webhooks/stripe", body, content_type="application/json", headers=headers)


def test_paid_invoice_renews_the_subscription_once(stripe, tenant, client):
    with platform_scope(reason="test"):
        plan = SubscriptionPlanFactory(price_monthly="20.00", currency="EUR")
        ids = {"tenant": tenant, "plan": plan, "external_id": "sub_1"}
        SubscriptionFactory(status="active", expires_at="2099-01-15T00:00:00Z", **ids)

    def get_end():
        with platform_scope(reason="test"):
            return f"{Subscription.objects.get(tenant=tenant).expires_at:%Y-%m}"

    assert pay_invoice(client).status_code == 503
    invoice = {
        "id": "in_1",
        "status": "open",
        "amount_paid": 2000,
        "currency": "eur",
        "subscription": "sub_1",
    }
    for change in ({}, {"status": "paid", "amount_paid": 1}, {"status": "paid", "currency": "usd"}):
        stripe.invoices["in_1"] = invoice | change
        assert (pay_invoice(client).status_code, get_end()) == (204, "2099-01")
    stripe.invoices["in_1"] = invoice | {"status": "paid"}
    assert [pay_invoice(client).status_code for _ in range(2)] == [204, 204]
    assert get_end() == "2099-02"
    newer = {"parent": {"subscription_details": {"subscription": "sub_1"}}, "subscription": None}
    stripe.invoices["in_2"] = invoice | {"status": "paid"} | newer
    assert (pay_invoice(client, "in_2").status_code, get_end()) == (204, "2099-03")
    assert pay_invoice(client, "../customers").status_code == 204
