"""The market of templates: agents made of them, sales and their ledger, Stripe at its wire, ratings in parallel."""

import hashlib
import hmac
import json
import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from django.core.exceptions import ValidationError
from django.db import ProgrammingError, connections

from agents.models import Agent, AgentTemplate, TemplatePurchase, TemplateRating
from agents.runtime.payments import PaymentFailed, adapter_for, give_back, is_from_stripe, settle
from agents.services.templates import (
    NotForSale,
    WrongState,
    balance_of_seller,
    buy_template,
    complete_purchase,
    create_agent,
    publish_template,
    refund_purchase,
    withdraw_template,
)
from agents.tests.factories import AgentTemplateFactory
from config.testing.fixtures import add_member
from tenants.scoping import platform_scope, tenant_scope


@pytest.fixture
def offer(other_tenant):
    """Makes a template of the other tenant, on offer at a price."""

    def make(price="20.00", **fields):
        seller = add_member(other_tenant)
        with tenant_scope(other_tenant, user=seller.user):
            template = AgentTemplateFactory(
                user=seller.user, functions=["search_knowledge", "calculator"], **fields
            )
            return publish_template(template, price=Decimal(price) if price else None)

    return make


def seen(tenant, member):
    return tenant_scope(tenant, user=member.user)


def paid(purchase):
    with platform_scope(reason="test"):
        return complete_purchase(purchase.pk)


def test_an_agent_is_made_of_a_free_template_and_counted(offer, tenant, member):
    template = offer(price=None, model_config={"temperature": 0.2}, cost_limit_per_request="0.50")
    with seen(tenant, member):
        agent = create_agent(template, slug="lawyer", actor=member.user_id)
        agent.refresh_from_db()
        assert (agent.name, agent.tools, agent.template_id) == (template.name, ["calculator"], template.pk)
        assert (agent.temperature, agent.config) == (Decimal("0.20"), {"cost_limit_per_request": "0.50"})
        assert agent.system_prompt == "You know contracts. Cite the clause.\n\nPersonality: tone: sober."
        assert AgentTemplate.objects.get(pk=template.pk).usage_count == 1


def test_what_is_sold_is_made_by_those_who_paid(offer, tenant, member):
    template = offer()
    with seen(tenant, member), pytest.raises(NotForSale):
        create_agent(template, slug="lawyer")
    with seen(tenant, member):
        purchase = buy_template(template, actor=member.user_id, method="manual")
        with pytest.raises(NotForSale):
            create_agent(template, slug="lawyer")
    paid(purchase)
    with seen(tenant, member):
        assert create_agent(template, slug="lawyer").tenant_id == tenant.pk
    with platform_scope(reason="test"):
        refund_purchase(purchase.pk)
    with seen(tenant, member), pytest.raises(NotForSale):
        create_agent(template, slug="another")


@pytest.mark.parametrize(
    "fields",
    [
        {"model_config": {"model_provider": "nobody"}},
        {"model_config": {"temperature": 9}},
        {"allowed_integrations": ["openai"]},
    ],
)
def test_a_template_that_makes_no_valid_agent_is_refused(offer, tenant, member, fields):
    template = offer(price=None, **fields)
    with seen(tenant, member), pytest.raises(ValidationError):
        create_agent(template, slug="lawyer")


def test_a_sale_goes_through_its_states_and_the_ledger_adds_up(offer, tenant, member, other_tenant):
    template = offer("19.99")
    with seen(tenant, member):
        purchase = buy_template(template, actor=member.user_id, method="manual")
        assert buy_template(template, actor=member.user_id, method="manual") == purchase
    with platform_scope(reason="test"), pytest.raises(WrongState):
        refund_purchase(purchase.pk)
    done = paid(purchase)
    assert (done.payment_status, done.paid_at is None) == ("completed", False)
    assert paid(purchase).paid_at == done.paid_at
    with seen(tenant, member), pytest.raises(NotForSale):
        buy_template(template, actor=member.user_id, method="manual")
    with tenant_scope(other_tenant, actor="system:test"):
        expected = {"sold": Decimal("19.99"), "fees": Decimal("6.00"), "payout": Decimal("13.99")}
        assert balance_of_seller() == expected
    with platform_scope(reason="test"):
        refund_purchase(purchase.pk)
        with pytest.raises(WrongState):
            complete_purchase(purchase.pk)
    with tenant_scope(other_tenant, actor="system:test"):
        assert balance_of_seller() == dict.fromkeys(expected, Decimal("0.00"))
    with seen(tenant, member):
        assert buy_template(template, actor=member.user_id, method="manual") != purchase


def test_nobody_marks_their_own_purchase_as_paid(offer, tenant, member):
    template = offer()
    with seen(tenant, member):
        purchase = buy_template(template, actor=member.user_id, method="manual")
        with pytest.raises(ProgrammingError, match="permission denied"):
            TemplatePurchase.objects.filter(pk=purchase.pk).update(payment_status="completed")


def test_own_templates_and_those_not_on_offer_are_not_bought(offer, tenant, member, other_tenant):
    template = offer()
    with tenant_scope(other_tenant, actor="system:test"):
        with pytest.raises(NotForSale, match="own"):
            buy_template(template, actor=template.user_id, method="manual")
        template = withdraw_template(template)
    with seen(tenant, member):
        with pytest.raises(NotForSale, match="not for sale"):
            buy_template(template, actor=member.user_id, method="manual")
        with pytest.raises(ValidationError):
            publish_template(template, price=Decimal("1.00"))


def test_the_api_makes_publishes_buys_and_settles(api_client, other_tenant, tenant):
    seller, buyer = api_client(tenant=other_tenant), api_client()
    body = {"name": "Lawyer", "system_prompt": "Cite.", "functions": ["calculator"]}
    where = seller.post("/api/v1/agent-templates/", body, content_type="application/json").headers["Location"]
    published = seller.post(f"{where}publish/", {"price": "10.00"}, content_type="application/json")
    assert (published.status_code, published.json()["is_marketplace"]) == (200, True)
    refused = buyer.post(f"{where}create-agent/", {"slug": "lawyer"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_for_sale")
    bought = buyer.post(f"{where}buy/", {}, content_type="application/json").json()
    assert (bought["purchase"]["payment_status"], bought["purchase"]["seller_payout"]) == ("pending", "7.00")
    row = f"/api/v1/template-purchases/{bought['purchase']['id']}/"
    assert buyer.post(f"{row}settle/").json()["payment_status"] == "pending"
    paid(TemplatePurchase(pk=bought["purchase"]["id"]))
    made = buyer.post(f"{where}create-agent/", {"slug": "lawyer"}, content_type="application/json")
    assert (made.status_code, made.json()["tools"]) == (201, ["calculator"])
    assert seller.get("/api/v1/template-purchases/balance/").json()["payout"] == "7.00"
    for verb in ("publish", "withdraw"):
        assert buyer.post(f"{where}{verb}/", {}, content_type="application/json").status_code == 400
    analyst = api_client(role="analyst")
    assert analyst.post(f"{where}buy/", {}, content_type="application/json").status_code == 403


# --- Stripe --------------------------------------------------------------------------------------------


class Stripe(ThreadingHTTPServer):
    """Checkout sessions and refunds as Stripe's interface gives them; keys of repeated requests are honoured."""

    daemon_threads = True


class StripeHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        fields = {
            k: v[0]
            for k, v in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
        }
        self.server.asked.append(
            (self.path, self.headers["Authorization"], self.headers["Idempotency-Key"], fields)
        )
        if self.server.broken:
            return self.answer(500, {"error": {"message": "sk_test_secret is broken"}})
        once = self.headers["Idempotency-Key"]
        if once not in self.server.kept:
            self.server.kept[once] = self.make(fields)
        return self.answer(200, self.server.kept[once])

    def make(self, fields):
        if self.path == "/v1/refunds":
            return {"id": f"re_{len(self.server.kept)}", "object": "refund", "status": "succeeded", **fields}
        session = {
            "id": f"cs_test_{len(self.server.sessions)}",
            "object": "checkout.session",
            "url": "https://checkout.stripe.com/c/pay/cs_test",
            "payment_status": "unpaid",
            "payment_intent": "pi_1",
            "currency": fields["line_items[0][price_data][currency]"],
            "amount_total": int(fields["line_items[0][price_data][unit_amount]"]),
            "metadata": {"purchase": fields["metadata[purchase]"]},
        }
        self.server.sessions[session["id"]] = session
        return session

    def do_GET(self):
        session = self.server.sessions.get(self.path.rpartition("/")[2])
        self.answer(200 if session else 404, session or {"error": {}})

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
        settings.STRIPE_URL = f"http://127.0.0.1:{server.server_address[1]}"
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_secret", "whsec_secret"
        settings.PAYMENT_ADAPTER = "stripe"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def bought(stripe, offer, api_client):
    """A purchase under way: the buyer's client, and the purchase as it is shown."""
    client = api_client()
    response = client.post(
        f"/api/v1/agent-templates/{offer('12.50').pk}/buy/", {}, content_type="application/json"
    )
    assert response.status_code == 201, response.content
    return client, response.json()


def row_of(purchase):
    with platform_scope(reason="test"):
        return TemplatePurchase.objects.get(pk=purchase["id"])


def test_stripe_is_asked_for_the_price_once(bought, stripe):
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
    response = client.post(f"/api/v1/template-purchases/{shown['purchase']['id']}/settle/")
    assert response.json()["payment_status"] == status


def signed(body, secret="whsec_secret", at=None):
    stamp = str(int(at or time.time()))
    digest = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def notify(client, purchase, signature=None, kind="checkout.session.completed"):
    body = json.dumps({"type": kind, "data": {"object": {"metadata": {"purchase": purchase["id"]}}}})
    headers = {"stripe-signature": signature or signed(body)}
    return client.post("/webhooks/stripe", body, content_type="application/json", headers=headers)


def test_a_signed_hint_settles_what_was_paid_and_a_lie_does_not(bought, stripe, client):
    purchase = bought[1]["purchase"]
    assert notify(client, purchase).status_code == 204
    assert row_of(purchase).payment_status == "pending"
    stripe.sessions["cs_test_0"]["payment_status"] = "paid"
    assert notify(client, purchase, "t=1,v1=00").status_code == 400
    assert row_of(purchase).payment_status == "pending"
    assert [notify(client, purchase).status_code for _ in range(2)] == [204, 204]
    assert row_of(purchase).payment_status == "completed"


def test_signatures_are_right_and_fresh(settings):
    settings.STRIPE_WEBHOOK_SECRET = "whsec_secret"
    assert is_from_stripe(signed("{}"), b"{}")
    wrong = [signed("{}", "other"), signed("{}", at=time.time() - 900), signed("[]"), "", "t=x,v1=y", "v1=é"]
    assert [is_from_stripe(header, b"{}") for header in wrong] == [False] * 6
    settings.STRIPE_WEBHOOK_SECRET = ""
    assert not is_from_stripe(signed("{}", ""), b"{}")


def test_money_goes_back_once_and_the_ledger_with_it(bought, stripe):
    purchase = bought[1]["purchase"]
    stripe.sessions["cs_test_0"]["payment_status"] = "paid"
    settle(row_of(purchase))
    stripe.broken = True
    with pytest.raises(PaymentFailed):
        give_back(purchase["id"])
    assert row_of(purchase).payment_status == "completed"
    stripe.broken = False
    give_back(purchase["id"])
    give_back(purchase["id"])
    assert row_of(purchase).payment_status == "refunded"
    assert [asked[2] for asked in stripe.asked if asked[0] == "/v1/refunds"] == [
        f"refund-{purchase['id']}"
    ] * 2


def test_a_provider_that_fails_leaves_the_purchase_open(stripe, offer, api_client):
    stripe.broken = True
    response = api_client().post(
        f"/api/v1/agent-templates/{offer().pk}/buy/", {}, content_type="application/json"
    )
    assert (response.status_code, response.json()["code"]) == (502, "payment_failed")
    assert "sk_test" not in response.content.decode()
    with platform_scope(reason="test"):
        assert TemplatePurchase.objects.get().payment_status == "pending"


def test_real_money_needs_leave(settings):
    settings.STRIPE_SECRET_KEY = "sk_live_x"
    with pytest.raises(PaymentFailed):
        adapter_for("stripe")
    settings.STRIPE_LIVE = True
    assert adapter_for("stripe").name == "stripe"
    with pytest.raises(PaymentFailed):
        adapter_for("cash")


# --- ratings -------------------------------------------------------------------------------------------


def rate(tenant, people, template_id, ratings):
    """Each person gives, changes and takes back ratings; the last one stays."""
    try:
        for person in people:
            for rating in ratings:
                with tenant_scope(tenant, user=person):
                    known = TemplateRating.objects.filter(user=person, template_id=template_id)
                    if rating is None:
                        known.delete()
                    elif not known.update(rating=rating):
                        TemplateRating.objects.create(user=person, template_id=template_id, rating=rating)
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_the_mean_is_right_after_ratings_in_parallel(offer, tenant, other_tenant):
    template = offer(price=None)
    plans = [[1, None, 5], [4], [2, 3], [5, 1], [None, 2], [3, 4, 5]]
    groups = [(owner, [add_member(owner).user for _ in range(3)]) for owner in (tenant, other_tenant) * 3]
    threads = [
        threading.Thread(target=rate, args=(*group, template.pk, plan))
        for group, plan in zip(groups, plans, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = Decimal(3 * sum(plan[-1] for plan in plans)) / Decimal(3 * len(plans))
    with platform_scope(reason="test"):
        assert TemplateRating.objects.filter(template_id=template.pk).count() == 18
        assert AgentTemplate.objects.get(pk=template.pk).rating == round(expected, 2)


def test_the_mean_falls_back_to_none(offer, tenant, member):
    template = offer(price=None)
    rate_in(tenant, member, template, 5)
    with seen(tenant, member):
        assert AgentTemplate.objects.get(pk=template.pk).rating == Decimal("5.00")
        TemplateRating.objects.all().delete()
        assert AgentTemplate.objects.get(pk=template.pk).rating == Decimal("0.00")
        assert Agent.objects.count() == 0


def rate_in(tenant, member, template, rating):
    with seen(tenant, member):
        TemplateRating.objects.create(user=member.user, template_id=template.pk, rating=rating)
