"""Agent templates: creating agents, sales, the ledger and concurrent ratings."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, ProgrammingError, connections

from agents.models import Agent, AgentTemplate, TemplatePurchase, TemplateRating
from agents.services.payouts import get_seller_balance
from agents.services.templates import (
    NotForSaleError,
    PurchaseStateError,
    buy_template,
    complete_purchase,
    create_agent,
    publish_template,
    refund_purchase,
    withdraw_template,
)
from agents.tests.factories import AgentTemplateFactory
from config.db.ids import uuid7
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.fixtures import add_member


@pytest.fixture
def offer(other_tenant):
    """Create templates of the other tenant, offered at a price."""

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


def test_agent_from_free_template_is_counted(offer, tenant, member):
    template = offer(price=None, model_config={"temperature": 0.2}, cost_limit_per_request="0.50")
    with seen(tenant, member):
        agent = create_agent(template, slug="lawyer", actor=member.user_id)
        agent.refresh_from_db()
        assert (agent.name, agent.tools, agent.template_id) == (template.name, ["calculator"], template.pk)
        assert (agent.temperature, agent.config) == (Decimal("0.20"), {"cost_limit_per_request": "0.50"})
        assert agent.system_prompt == "You know contracts. Cite the clause.\n\nPersonality: tone: sober."
        assert AgentTemplate.objects.get(pk=template.pk).usage_count == 1


def test_paid_template_requires_a_purchase(offer, tenant, member):
    template = offer()
    with seen(tenant, member), pytest.raises(NotForSaleError):
        create_agent(template, slug="lawyer")
    with seen(tenant, member):
        purchase = buy_template(template, actor=member.user_id, method="manual")
        with pytest.raises(NotForSaleError):
            create_agent(template, slug="lawyer")
    paid(purchase)
    with seen(tenant, member):
        assert create_agent(template, slug="lawyer").tenant_id == tenant.pk
    with platform_scope(reason="test"):
        refund_purchase(purchase.pk)
    with seen(tenant, member), pytest.raises(NotForSaleError):
        create_agent(template, slug="another")


@pytest.mark.parametrize(
    "fields",
    [
        {"model_config": {"model_provider": "nobody"}},
        {"model_config": {"temperature": 9}},
        {"allowed_integrations": ["openai"]},
    ],
)
def test_template_with_invalid_settings_is_rejected(offer, tenant, member, fields):
    template = offer(price=None, **fields)
    with seen(tenant, member), pytest.raises(ValidationError):
        create_agent(template, slug="lawyer")


def test_sale_moves_through_its_states_and_ledger_balances(offer, tenant, member, other_tenant):
    template = offer("19.99")
    with seen(tenant, member):
        purchase = buy_template(template, actor=member.user_id, method="manual")
        assert buy_template(template, actor=member.user_id, method="manual") == purchase
    with platform_scope(reason="test"), pytest.raises(PurchaseStateError):
        refund_purchase(purchase.pk)
    done = paid(purchase)
    assert (done.payment_status, done.paid_at is None) == ("completed", False)
    assert paid(purchase).paid_at == done.paid_at
    with seen(tenant, member), pytest.raises(NotForSaleError):
        buy_template(template, actor=member.user_id, method="manual")
    with tenant_scope(other_tenant, actor="system:test"):
        expected = {"sold": Decimal("19.99"), "fees": Decimal("6.00"), "payout": Decimal("13.99")}
        expected |= {"paid_out": Decimal("0.00"), "pending": Decimal("0.00"), "open": Decimal("13.99")}
        assert get_seller_balance() == expected
    with platform_scope(reason="test"):
        refund_purchase(purchase.pk)
        with pytest.raises(PurchaseStateError):
            complete_purchase(purchase.pk)
    with tenant_scope(other_tenant, actor="system:test"):
        assert get_seller_balance() == dict.fromkeys(expected, Decimal("0.00"))
    with seen(tenant, member):
        assert buy_template(template, actor=member.user_id, method="manual") != purchase


def buy_at_once(tenant, people, template, gate):
    """Buy the template concurrently, one connection per person, and return the results."""

    def buy(person):
        try:
            gate.wait()
            with tenant_scope(tenant, user=person):
                return buy_template(template, actor=person.pk, method="manual").pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(buy, people))


@pytest.mark.django_db(transaction=True)
def test_concurrent_purchases_create_one_purchase(offer, tenant):
    template = offer()
    people = [add_member(tenant).user for _ in range(8)]
    bought = buy_at_once(tenant, people, template, threading.Barrier(8))
    assert len(set(bought)) == 1
    with platform_scope(reason="test"):
        assert TemplatePurchase.objects.count() == 1


def settle_at_once(purchase, steps, gate):
    def go(step):
        try:
            gate.wait()
            with platform_scope(reason="test"):
                return step(purchase.pk).payment_status
        except PurchaseStateError:
            return "refused"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(go, steps))


@pytest.mark.django_db(transaction=True)
def test_concurrent_payment_and_refund_end_in_one_state(offer, tenant, member, other_tenant):
    template = offer()
    with seen(tenant, member):
        purchase = buy_template(template, actor=member.user_id, method="manual")
    ends = settle_at_once(purchase, [complete_purchase, refund_purchase] * 4, threading.Barrier(8))
    with platform_scope(reason="test"):
        row = TemplatePurchase.objects.get(pk=purchase.pk)
    # In either order: no refund without a payment, and no payment after a refund.
    assert row.payment_status == ("refunded" if "refunded" in ends else "completed")
    assert (row.paid_at is None, row.refunded_at is None) == (False, "refunded" not in ends)
    with tenant_scope(other_tenant, actor="system:test"):
        assert bool(get_seller_balance()["sold"]) == (row.payment_status == "completed")


LEDGER = [
    {"price": "1.00"},
    {"commission_rate": "0.100"},
    {"payment_status": "pending"},
    {"transaction_id": "another"},
    {"seller_tenant_id": uuid7()},
]


@pytest.mark.parametrize("change", LEDGER, ids=lambda change: next(iter(change)))
def test_ledger_terms_are_immutable_for_every_role(offer, tenant, member, change):
    template = offer()
    with seen(tenant, member):
        purchase = buy_template(template, actor=member.user_id, method="manual")
    paid(purchase)
    with platform_scope(reason="test"), pytest.raises(IntegrityError, match="final status cannot be changed"):
        TemplatePurchase.objects.filter(pk=purchase.pk).update(**change)


def test_nobody_marks_their_own_purchase_as_paid(offer, tenant, member):
    template = offer()
    with seen(tenant, member):
        purchase = buy_template(template, actor=member.user_id, method="manual")
        with pytest.raises(ProgrammingError, match="permission denied"):
            TemplatePurchase.objects.filter(pk=purchase.pk).update(payment_status="completed")


def test_own_and_unoffered_templates_cannot_be_bought(offer, tenant, member, other_tenant):
    template = offer()
    with tenant_scope(other_tenant, actor="system:test"):
        with pytest.raises(NotForSaleError, match="belongs to your organisation"):
            buy_template(template, actor=template.user_id, method="manual")
        template = withdraw_template(template)
    with seen(tenant, member):
        with pytest.raises(NotForSaleError, match="not for sale"):
            buy_template(template, actor=member.user_id, method="manual")
        with pytest.raises(ValidationError):
            publish_template(template, price=Decimal("1.00"))


def test_api_creates_publishes_buys_and_settles(api_client, other_tenant, tenant):
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
    assert buyer.post(f"{row}settle/", content_type="application/json").json()["payment_status"] == "pending"
    paid(TemplatePurchase(pk=bought["purchase"]["id"]))
    made = buyer.post(f"{where}create-agent/", {"slug": "lawyer"}, content_type="application/json")
    assert (made.status_code, made.json()["tools"]) == (201, ["calculator"])
    assert seller.get("/api/v1/template-purchases/balance/").json()["payout"] == "7.00"
    for verb in ("publish", "withdraw"):
        assert buyer.post(f"{where}{verb}/", {}, content_type="application/json").status_code == 400
    analyst = api_client(role="analyst")
    assert analyst.post(f"{where}buy/", {}, content_type="application/json").status_code == 403


# --- ratings -------------------------------------------------------------------------------------------


def rate(tenant, people, template_id, ratings):
    """Create, update and delete ratings per person; the last rating is kept."""
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
def test_mean_is_correct_after_concurrent_ratings(offer, tenant, other_tenant):
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


def test_mean_resets_without_ratings(offer, tenant, member):
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
