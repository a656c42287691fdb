"""Project conventions of routes: API and console expose every model."""

import pytest
from django.contrib import admin

from config.testing.factories import project_models
from config.tests.resources import ROUTES, VIEWSETS

MODELS = project_models()
NO_ROUTE = {
    "accounts.PlatformKey": "the platform's: manage.py platform_key",
    "accounts.TwoFactorAuth": "security questions, which the API never returns",
    "accounts.User": "people are read through members, and oneself through /me/",
    "accounts.UserProfile": "one's own is the single resource /me/profile/",
    "accounts.UserSettings": "one's own is the single resource /me/settings/",
    "accounts.WorkProfile": "one's own is the single resource /me/work-profile/",
    "agents.AgentCollection": "part of the agent",
    "agents.BudgetReservation": "exists only during one model call",
    "agents.McpServerUser": "part of the server's configuration",
    "agents.TemplateDocument": "part of the template",
    "audit.AuditSeal": "the platform's: manage.py verify_audit",
    "conversations.AnswerLease": "who works on an answer now; the message's status says what a client needs",
    "conversations.MessageEmbedding": "derived from messages, of no use to clients",
    "conversations.TurnStep": "a journal for recovery; messages and tool executions show its contents",
    "knowledge.ChunkVector1024": "derived from chunks, of no use to clients",
    "knowledge.ChunkVector1536": "derived from chunks, of no use to clients",
    "knowledge.ChunkVector384": "derived from chunks, of no use to clients",
    "knowledge.ChunkVector768": "derived from chunks, of no use to clients",
    "knowledge.ChunkVectorDraft": "derived from chunks while a collection changes its model, of no use to clients",
    "knowledge.TermEmbedding": "derived from terms, of no use to clients",
    "knowledge.TermRelation": "part of the term",
    "tenants.IdempotencyKey": "what the API remembers of itself",
    "tenants.Tenant": "one's own is the single resource /tenant/",
    "tenants.TenantDeletion": "the platform's: /tenants/{id}/deletion/ for platform API keys",
    "tenants.TenantKey": "wrapped keys never leave the database",
    "workflows.AssetEmbedding": "derived from assets, of no use to clients",
    "workflows.GraphChannelValue": "serialised state, which LangGraph reads and deletes",
    "workflows.GraphCheckpoint": "serialised state, which LangGraph reads and deletes",
    "workflows.GraphWrite": "serialised state, which LangGraph reads and deletes",
    "workflows.MapItem": "read through the run",
    "workflows.MapRange": "progress of a step",
    "workflows.MapState": "progress of a step",
    "workflows.WorkflowAgent": "part of the workflow",
    "workflows.WorkflowEvent": "read through the run",
    "workflows.WorkflowGate": "a lock of the engine",
    "workflows.WorkflowLane": "a place of the engine; the steps show what runs",
}
NO_ADMIN: dict[str, str] = {}


def label(model):
    return model._meta.label


def test_every_model_has_a_route_or_a_reason():
    assert {label(model) for model in MODELS} - {label(model) for model in ROUTES.values()} == set(NO_ROUTE)


def test_every_model_is_in_the_console_or_has_a_reason():
    admin.autodiscover()
    assert {label(model) for model in MODELS} - {label(model) for model in admin.site._registry} == set(
        NO_ADMIN
    )


@pytest.mark.parametrize("prefix", VIEWSETS)
def test_api_and_console_ask_for_the_same_scope(prefix):
    admin.autodiscover()
    assert admin.site._registry[ROUTES[prefix]].resource == VIEWSETS[prefix].resource
