"""Visibility of templates, prompts and MCP servers between organisations and people."""

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from django.urls import reverse

from agents.models import AgentTemplate, McpServer, SystemPrompt, TemplatePurchase, TemplateRating
from agents.tests.factories import (
    AgentTemplateFactory,
    McpServerConfigFactory,
    McpServerFactory,
    SystemPromptFactory,
    TemplatePurchaseFactory,
    TemplateRatingFactory,
)
from config.db.session import APP, Scope
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.roles import as_platform, as_role

TEMPLATES = "/api/v1/agent-templates/"


@pytest.fixture
def seller(other_tenant):
    """A member of the other tenant who creates templates."""
    return add_member(other_tenant)


def offered(seller, **fields):
    with tenant_scope(seller.tenant_id, user=seller.user):
        return AgentTemplateFactory(**fields)


def for_sale(seller):
    return offered(seller, is_public=True, is_marketplace=True, price="19.90")


def refused(act):
    with pytest.raises(ProgrammingError) as caught, transaction.atomic():
        act()
    return caught.value.__cause__.sqlstate == "42501"


def test_others_see_public_templates_alone_and_change_none(seller, scope):
    with as_platform():
        private = AgentTemplateFactory(user=None, tenant=seller.tenant)
        public = AgentTemplateFactory(user=None, tenant=seller.tenant, is_public=True)

    assert set(AgentTemplate.objects.values_list("pk", flat=True)) == {public.pk}
    assert not AgentTemplate.objects.filter(pk=private.pk).exists()
    assert AgentTemplate.objects.filter(pk=public.pk).update(name="mine") == 0
    assert AgentTemplate.objects.filter(pk=public.pk).delete()[0] == 0


def test_public_templates_are_for_tenants_alone(seller):
    offered(seller, is_public=True)

    with as_role(Scope(role=APP, actor="system:test")):
        assert AgentTemplate.unscoped.count() == 0


def test_paid_template_is_shown_to_its_buyers(seller, api_client):
    client, template = api_client(), for_sale(seller)
    address = f"/api/v1/agent-templates/{template.pk}/"

    assert client.get(address).json()["system_prompt"] is None
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        bought = TemplatePurchaseFactory(template=template)
    assert client.get(address).json()["system_prompt"] is None
    with as_platform():
        TemplatePurchase.unscoped.filter(pk=bought.pk).update(payment_status="completed")
    assert client.get(address).json()["system_prompt"] == template.system_prompt


def test_free_templates_are_shown_whole(seller, api_client):
    template = offered(seller, is_public=True)
    shown = api_client().get(f"/api/v1/agent-templates/{template.pk}/").json()

    assert shown["system_prompt"] == template.system_prompt
    assert shown["functions"] == ["search_knowledge"]


@pytest.mark.parametrize(
    "wrong",
    [{"price": "0.01"}, {"payment_status": "completed"}, {"commission_rate": "0"}, {"seller_id": None}],
    ids=str,
)
def test_templates_are_bought_as_they_are_offered(seller, tenant, member, wrong):
    template = for_sale(seller)
    with tenant_scope(tenant, user=member.user):
        assert refused(lambda: TemplatePurchaseFactory(template=template, **wrong))


def test_seller_sees_the_sale_and_its_share(seller, tenant, member):
    template = for_sale(seller)
    with tenant_scope(tenant, user=member.user):
        TemplatePurchaseFactory(template=template)
    with tenant_scope(seller.tenant_id, user=seller.user):
        (sale,) = TemplatePurchase.objects.all()

    assert sale.buyer_id == member.user_id
    assert (str(sale.platform_fee), str(sale.seller_payout)) == ("5.97", "13.93")


def test_nobody_rates_what_they_do_not_see_nor_for_another(seller, tenant, member):
    hidden, colleague = offered(seller), add_member(tenant)
    with tenant_scope(tenant, user=member.user):
        assert refused(lambda: TemplateRatingFactory(template=hidden))
        assert refused(lambda: TemplateRatingFactory(user=colleague.user))


@pytest.mark.parametrize("buyer", ["colleague", "nobody"])
def test_nobody_buys_in_the_name_of_another(seller, tenant, member, buyer):
    template = for_sale(seller)
    person = add_member(tenant).user if buyer == "colleague" else None
    with tenant_scope(tenant, user=member.user):
        assert refused(lambda: TemplatePurchaseFactory(template=template, buyer=person))
        assert TemplatePurchaseFactory(template=template).buyer_id == member.user_id


def test_rating_of_a_hidden_template_can_be_deleted_but_not_changed(seller, tenant, member):
    template = offered(seller, is_public=True)
    with tenant_scope(tenant, user=member.user):
        rated = TemplateRatingFactory(template=template)
    with tenant_scope(seller.tenant_id, user=seller.user):
        AgentTemplate.objects.filter(pk=template.pk).update(is_public=False)
    with tenant_scope(tenant, user=member.user):
        assert refused(lambda: TemplateRating.objects.filter(pk=rated.pk).update(rating=1))
        assert TemplateRating.objects.filter(pk=rated.pk).delete()[0] == 1


@pytest.mark.parametrize(("role", "status"), [("analyst", 403), ("admin", 201)])
@pytest.mark.parametrize(
    "shown", [{"is_public": True}, {"is_public": True, "is_marketplace": True, "price": "1"}]
)
def test_administrators_alone_show_templates_to_others(role, status, shown, api_client):
    client = api_client(role)
    body = {"name": "Lawyer", "system_prompt": "You read contracts."}

    assert client.post(TEMPLATES, body | shown, content_type="application/json").status_code == status
    own = client.post(TEMPLATES, body, content_type="application/json")
    assert own.status_code == 201
    changed = client.patch(f"{TEMPLATES}{own.json()['id']}/", shown, content_type="application/json")
    assert changed.status_code == (200 if status == 201 else 403)


@pytest.mark.parametrize(("role", "offers"), [("analyst", False), ("admin", True)])
def test_the_console_offers_publishing_to_administrators_alone(role, offers, tenant, client):
    client.force_login(add_member(tenant, role).user)
    page = client.get(reverse("admin:agents_agenttemplate_add"))

    assert page.status_code == 200
    assert ("is_public" in page.context["adminform"].form.fields) is offers


def test_each_person_rates_a_template_once(scope):
    rated = TemplateRatingFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        TemplateRating.objects.create(user_id=rated.user_id, template_id=rated.template_id, rating=2)


def test_factory_prompts_are_read_by_all_and_changed_by_nobody(scope):
    with as_platform():
        row = SystemPrompt(prompt_key="plan", prompt_category="plans", prompt_name="Plan", prompt_text="…")
        SystemPrompt.unscoped.bulk_create([row])

    found = SystemPrompt.objects.get(prompt_key="plan")

    assert found.is_factory_default
    assert SystemPrompt.objects.filter(pk=found.pk).update(prompt_text="mine") == 0


def test_own_prompts_are_hidden_from_colleagues(tenant, member):
    with tenant_scope(tenant, user=member.user):
        own = SystemPromptFactory()
    with tenant_scope(tenant, user=add_member(tenant).user):
        assert not SystemPrompt.objects.filter(pk=own.pk).exists()
        SystemPromptFactory(prompt_key=own.prompt_key)


def test_servers_of_others_are_neither_seen_nor_used(seller, scope):
    foreign = McpServerFactory(owner_id=seller.tenant_id)
    public = McpServerFactory(owner=None, owner_id=None, is_public=True)

    assert set(McpServer.objects.values_list("pk", flat=True)) == {public.pk}
    assert refused(lambda: McpServerConfigFactory(mcp_server=foreign))
    assert McpServerConfigFactory(mcp_server=public).mcp_server_id == public.pk


def test_configuration_of_an_invisible_server_can_be_deleted(tenant, api_client):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        public = McpServerFactory(owner=None, owner_id=None, is_public=True)
        held = McpServerConfigFactory(mcp_server=public)
    with as_platform():
        McpServer.objects.filter(pk=public.pk).update(is_public=False)
    address = f"/api/v1/mcp-server-configs/{held.pk}/"

    assert client.patch(address, {"enabled": True}, content_type="application/json").status_code == 403
    assert client.delete(address).status_code == 204


def test_console_hides_the_start_command_from_tenants(tenant, member, admin_client):
    with tenant_scope(tenant, user=member.user):
        server = McpServerFactory(owner=None, owner_id=None, is_public=True, command="/opt/mcp --token=abc")
    page = admin_client.get(reverse("admin:agents_mcpserver_change", args=[server.pk]))

    assert page.status_code == 200
    assert server.name in page.content.decode()
    assert "/opt/mcp" not in page.content.decode()
