"""Console pages fit into 1440 px and show names instead of ids."""

import pytest
from django.contrib.admin.utils import flatten_fieldsets
from django.db import models
from django.urls import reverse

from agents.tests.factories import AgentTemplateFactory, TemplatePurchaseFactory, TemplateRatingFactory
from config.tenancy.scope import tenant_scope
from config.tests.test_admin_pages import SCOPED, address, get_model_label, make

WRITABLE = [each for each in SCOPED if each.has_change_permission.__qualname__.startswith("Permitted")]


def rows_of(model_admin, request, obj):
    for _, options in model_admin.get_fieldsets(request, obj):
        yield from (row for row in options["fields"] if isinstance(row, (list, tuple)))


@pytest.mark.parametrize("model_admin", WRITABLE, ids=get_model_label)
def test_editable_time_has_its_own_form_row(model_admin, member, admin_client):
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


PHASES = ("discovery", "collection", "assessment", "planning", "execution")
# Ids without a name that the reader may see.
RAW_IDS = {
    # Conversations are private to their participants.
    "agents.agentrun": {"conversation_id", "meeting_id", "message_id"},
    "agents.llmusage": {"conversation_id", "message_id", "flow_id"},
    "conversations.conversation": {"forked_at_id"},
    "conversations.message": {"reply_to_id", "replaces_id"},
    "conversations.streamevent": {"answer_id"},
    "knowledge.ragquery": {"conversation_id"},
    # The event may have expired, and the tenant is deleted.
    "tenants.webhookdelivery": {"event_id"},
    "tenants.tenantdeletion": {"deleted_tenant_id"},
    # The purchase is deleted with its buyer.
    "agents.ledgerentry": {"purchase_id"},
    # Ids of external systems.
    "workflows.agenttask": {"flow_id"},
    "workflows.asset": {"import_session_id"},
    **{f"workflows.{phase}flow": {"flow_id"} for phase in PHASES},
    # Typed ids: the form shows the model, the list the object.
    "agents.budget": {"subject_id"},
}


def columns_of(model_admin, request):
    """Return the columns that the list and the form show unchanged."""
    declared = model_admin.fieldsets or ((None, {"fields": model_admin.get_fields(request)}),)
    shown = {*model_admin.get_list_display(request), *flatten_fieldsets(declared)}
    return shown - set(getattr(model_admin, "named_ids", ()))


def test_ids_of_other_rows_are_shown_by_their_names(member, admin_client):
    request = admin_client.get("/console/").wsgi_request
    raw = {}
    for model_admin in SCOPED:
        ids = {
            field.name
            for field in model_admin.model._meta.concrete_fields
            if isinstance(field, models.UUIDField) and not field.primary_key
        }
        with tenant_scope(member.tenant_id, user=member.user):
            if found := ids & columns_of(model_admin, request):
                raw[get_model_label(model_admin)] = found

    assert raw == RAW_IDS


def test_the_audit_log_names_things_and_people(member, admin_client):
    with tenant_scope(member.tenant_id, user=member.user):
        template = AgentTemplateFactory(name="Contract reader")
    shown = admin_client.get(reverse("admin:audit_auditlog_changelist")).content.decode()

    assert "agenttemplate: Contract reader" in shown
    assert member.user.email in shown
    assert f">{template.pk}<" not in shown


def test_the_audit_log_tells_no_titles_of_conversations(member, admin_client):
    from conversations.tests.factories import ConversationFactory

    with tenant_scope(member.tenant_id, user=member.user):
        ConversationFactory(title="My salary")

    assert "My salary" not in admin_client.get(reverse("admin:audit_auditlog_changelist")).content.decode()


def test_a_form_has_no_empty_part(member, admin_client):
    page = admin_client.get(reverse("admin:workflows_workflow_add"))

    assert [fieldset.name for fieldset in page.context["adminform"] if not list(fieldset)] == []
    assert "Runs" not in [fieldset.name for fieldset in page.context["adminform"]]
