"""Pages of the console fit on 1440 px, and name what they show."""

import pytest
from django.db import models
from django.urls import reverse

from agents.tests.factories import AgentTemplateFactory, TemplatePurchaseFactory, TemplateRatingFactory
from config.tests.test_admin_pages import SCOPED, address, make, named
from tenants.scoping import tenant_scope

WRITABLE = [each for each in SCOPED if each.has_change_permission.__qualname__.startswith("Permitted")]


def rows_of(model_admin, request, obj):
    for _, options in model_admin.get_fieldsets(request, obj):
        yield from (row for row in options["fields"] if isinstance(row, (list, tuple)))


@pytest.mark.parametrize("model_admin", WRITABLE, ids=named)
def test_a_moment_that_can_be_changed_stands_alone_in_its_row(model_admin, member, admin_client):
    (row,) = make(model_admin, member)
    request = admin_client.get(address(model_admin, "changelist")).wsgi_request
    with tenant_scope(member.tenant_id, user=member.user):
        fixed = model_admin.get_readonly_fields(request, row)
        moments = {
            field.name
            for field in model_admin.model._meta.fields
            if isinstance(field, models.DateTimeField) and field.name not in fixed
        }
        shown = [set(names) for names in rows_of(model_admin, request, row)]

    if model_admin.has_change_permission(request, row):
        assert [names & moments for names in shown if names & moments] == []


@pytest.mark.parametrize("factory", [TemplatePurchaseFactory, TemplateRatingFactory])
def test_purchases_and_ratings_name_their_template(factory, member, admin_client):
    with tenant_scope(member.tenant_id, user=member.user):
        template = AgentTemplateFactory(
            name="Contract reader", is_public=True, is_marketplace=True, price="1"
        )
        row = factory(template=template)
    name = f"admin:agents_{factory._meta.model._meta.model_name}"
    for page in (reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[row.pk])):
        shown = admin_client.get(page).content.decode()
        assert "Contract reader" in shown
        assert f">{template.pk}<" not in shown
