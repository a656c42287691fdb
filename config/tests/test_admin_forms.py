"""Console forms: secrets, database errors, history, actions, keys and exports."""

import re

import pytest
from django.urls import reverse

from accounts.models import ApiKey
from agents.models import Agent, AgentVersion, Integration
from agents.tests.factories import AgentFactory, IntegrationFactory
from audit.models import AuditLog, SecurityAuditLog
from audit.tests.factories import SecurityAuditLogFactory
from config.tenancy.scope import tenant_scope
from knowledge.models import Collection
from knowledge.tests.factories import CollectionFactory

SECRET = "sk-test-of-the-house"


def inside(member):
    return tenant_scope(member.tenant_id, user=member.user)


def fields_of(response):
    """Return the data that a browser would submit with the form."""
    form = response.context["adminform"].form
    sent = {}
    for bound in [
        *form,
        *(
            box
            for formset in response.context["inline_admin_formsets"]
            for box in formset.formset.management_form
        ),
    ]:
        value = bound.value()
        widgets = getattr(bound.field.widget, "widgets", None)
        if widgets:
            for number, part in enumerate(bound.field.widget.decompress(value)):
                sent[f"{bound.html_name}_{number}"] = "" if part is None else str(part)
        elif value is True:
            sent[bound.html_name] = "on"
        elif value is not None and value is not False:
            sent[bound.html_name] = str(value)
    return sent


def resubmit(client, page, **changes):
    return client.post(page, fields_of(client.get(page)) | changes)


def collection_form(**fields):
    given = {"name": "Docs", "slug": "docs", "status": "active", "embedding_model": "lexical-hash-384"}
    return given | {"chunk_size": 256, "chunk_overlap": 32, "settings": "{}", "metadata": "{}"} | fields


def test_a_row_is_made_in_the_tenant_by_its_maker(member, admin_client):
    response = admin_client.post(reverse("admin:knowledge_collection_add"), collection_form())
    assert response.status_code == 302
    with inside(member):
        made = Collection.objects.get()
        entry = AuditLog.objects.get(resource_id=str(made.pk), action="collection.created")
    assert made.tenant_id == member.tenant_id
    assert entry.user_id == member.user_id


def test_a_taken_slug_is_a_form_error(member, admin_client):
    with inside(member):
        CollectionFactory(slug="docs")
    response = admin_client.post(reverse("admin:knowledge_collection_add"), collection_form())
    assert response.status_code == 200
    assert "A collection with this slug already exists." in response.content.decode()


def test_a_broken_rule_is_a_form_error(admin_client):
    page = reverse("admin:knowledge_collection_add")
    response = admin_client.post(page, collection_form(chunk_size=10, chunk_overlap=10))
    assert response.status_code == 200
    assert "The overlap must be smaller than the chunk size." in response.content.decode()


def test_what_only_the_database_refuses_is_a_form_error(member, admin_client):
    page = reverse("admin:knowledge_collection_add")
    response = admin_client.post(page, collection_form(metadata='{"text": "\\u0000"}'))
    assert response.status_code == 200
    assert "characters that the database cannot store" in response.content.decode()
    with inside(member):
        assert not Collection.objects.exists()


def test_an_agent_of_another_tenant_cannot_be_referred_to(member, admin_client, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = IntegrationFactory()
    with inside(member):
        agent = AgentFactory()
    page = reverse("admin:agents_agent_change", args=[agent.pk])
    response = resubmit(admin_client, page, integration=str(foreign.pk))
    assert response.status_code == 200
    assert "integration" in response.context["adminform"].form.errors


def test_secrets_are_kept_when_left_empty_and_never_shown(member, admin_client):
    with inside(member):
        integration = IntegrationFactory()
    page = reverse("admin:agents_integration_change", args=[integration.pk])
    assert SECRET not in admin_client.get(page).content.decode()
    response = resubmit(admin_client, page, name="Renamed", credentials_new="")
    assert response.status_code == 302, response.context["adminform"].form.errors
    with inside(member):
        kept = Integration.objects.get()
        assert (kept.name, kept.credentials) == ("Renamed", {"api_key": SECRET})
    history = admin_client.get(reverse("admin:agents_integration_history", args=[integration.pk]))
    assert SECRET not in history.content.decode()


def test_a_new_secret_replaces_the_old_one_and_a_bad_one_is_not_repeated(member, admin_client):
    with inside(member):
        integration = IntegrationFactory()
    page = reverse("admin:agents_integration_change", args=[integration.pk])
    refused = resubmit(admin_client, page, credentials_new="sk-not-json")
    assert refused.status_code == 200
    assert "sk-not-json" not in refused.content.decode()
    assert resubmit(admin_client, page, credentials_new='{"api_key": "two"}').status_code == 302
    with inside(member):
        assert Integration.objects.get().credentials == {"api_key": "two"}


def test_history_tells_who_changed_what(member, admin_client):
    with inside(member):
        agent = AgentFactory(name="Before")
    page = reverse("admin:agents_agent_change", args=[agent.pk])
    response = resubmit(admin_client, page, name="After")
    assert response.status_code == 302, response.context["errors"]
    response = admin_client.get(reverse("admin:agents_agent_history", args=[agent.pk]))
    newest = response.context["rows"][0]
    assert ("name", "Before", "After") in newest["changes"]
    assert newest["who"] == str(member.user)


def test_a_deleted_agent_is_hidden_and_kept(member, admin_client):
    with inside(member):
        agent = AgentFactory()
    page = reverse("admin:agents_agent_delete", args=[agent.pk])
    assert admin_client.post(page, {"post": "yes"}).status_code == 302
    with inside(member):
        assert not Agent.objects.exists()
        assert Agent.unscoped.get(pk=agent.pk).deleted_at is not None


def test_agents_are_published_and_archived(member, admin_client):
    with inside(member):
        agent = AgentFactory()
    page = reverse("admin:agents_agent_changelist")
    admin_client.post(page, {"action": "publish", "_selected_action": [str(agent.pk)]})
    admin_client.post(page, {"action": "archive", "_selected_action": [str(agent.pk)]})
    with inside(member):
        assert AgentVersion.objects.get().created_by_id == member.user_id
        assert Agent.objects.get().status == "archived"


def test_a_new_key_is_shown_once_and_can_be_revoked(member, admin_client):
    form = {
        "name": "CI",
        "scopes": '["agents:read"]',
        "rate_limit": 60,
        "expires_at_0": "",
        "expires_at_1": "",
    }
    response = admin_client.post(reverse("admin:accounts_apikey_add"), form)
    (secret,) = set(re.findall(r"cvk_live_\w+", response.content.decode()))
    assert "no-store" in response["Cache-Control"]
    with inside(member):
        key = ApiKey.objects.get()
    page = reverse("admin:accounts_apikey_change", args=[key.pk])
    assert secret not in admin_client.get(page).content.decode()
    changelist = reverse("admin:accounts_apikey_changelist")
    admin_client.post(changelist, {"action": "revoke", "_selected_action": [str(key.pk)]})
    with inside(member):
        assert ApiKey.objects.get().status == "revoked"


def test_security_events_are_marked_as_reviewed(member, admin_client):
    with inside(member):
        event = SecurityAuditLogFactory(requires_review=True)
    page = reverse("admin:audit_securityauditlog_changelist")
    admin_client.post(page, {"action": "review", "_selected_action": [str(event.pk)]})
    with inside(member):
        assert SecurityAuditLog.objects.get(pk=event.pk).reviewed_by == member.user_id


def test_rows_are_exported_without_foreign_ones(member, admin_client, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        AgentFactory(name="Foreign")
    with inside(member):
        AgentFactory(name="=Own")
    page = reverse("admin:agents_agent_export")
    form = admin_client.get(page).context["form"]
    sent = {box.html_name: "on" for box in form if box.html_name.startswith("agentresource_")}
    response = admin_client.post(page, sent | {"format": "0", "resource": ""})
    text = response.content.decode()
    assert response.status_code == 200
    assert ",'=Own," in text
    assert "Foreign" not in text
    with inside(member):
        assert AuditLog.objects.get(action="rows.exported").metadata["table"] == "agents.agent"


def test_the_administrator_changes_the_profile_and_not_the_plan(member, admin_client):
    page = reverse("admin:tenants_tenant_change", args=[member.tenant_id])
    assert resubmit(admin_client, page, name="New name", plan_type="enterprise").status_code == 302
    with inside(member):
        member.tenant.refresh_from_db()
    assert (member.tenant.name, member.tenant.plan_type) == ("New name", "free")


def test_overview_counts_only_the_scope(member, admin_client, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        AgentFactory.create_batch(3)
    with inside(member):
        AgentFactory()
    response = admin_client.get("/console/")
    tiles = {tile["title"]: tile["value"] for tile in response.context["tiles"]}
    assert tiles["Agents"] == 1
    # An unknown filter would be a redirect to the unfiltered list.
    (link,) = (tile["link"] for tile in response.context["tiles"] if tile["title"] == "Security events")
    assert admin_client.get(link).status_code == 200
    assert response.context["recent"][0]["entry"].action == "agent.created"


def test_deleting_a_conversation_deletes_its_rows(member, admin_client):
    from conversations.models import Conversation, Message
    from conversations.tests.factories import MessageFactory, ParticipantFactory

    with inside(member):
        conversation = MessageFactory().conversation
        ParticipantFactory(conversation=conversation)
    page = reverse("admin:conversations_conversation_delete", args=[conversation.pk])
    assert admin_client.post(page, {"post": "yes"}).status_code == 302
    with inside(member):
        assert not Conversation.objects.exists()
        assert not Message.objects.exists()


def test_choices_offer_only_rows_of_the_scope(member, admin_client, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        IntegrationFactory(name="Foreign")
    with inside(member):
        IntegrationFactory(name="Own")
    query = {"app_label": "agents", "model_name": "agent", "field_name": "integration", "term": ""}
    found = admin_client.get(reverse("admin:autocomplete"), query).json()["results"]
    assert [each["text"] for each in found] == ["Own"]


def test_a_refusal_is_explained_without_the_values_of_other_rows(scope):
    from django.db import IntegrityError, transaction

    from config.admin.errors import to_validation_error

    CollectionFactory(slug="salaries")
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        CollectionFactory(slug="salaries")
    assert to_validation_error(caught.value, Collection).messages == [
        "A collection with this slug already exists."
    ]


def test_the_overview_takes_few_queries(member, admin_client, django_assert_max_num_queries):
    with inside(member):
        AgentFactory.create_batch(3)
    admin_client.get("/console/")
    with django_assert_max_num_queries(23):
        admin_client.get("/console/")
