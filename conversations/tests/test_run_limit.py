"""The limit on agent runs at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections, transaction

from agents.tests.factories import AgentFactory
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.roles import as_platform
from conversations.mcp import server
from conversations.models import AnswerLease, ToolExecution
from conversations.runtime.approval_expiry import expire_waiting_calls
from conversations.runtime.turns import Caller
from conversations.services.leases import Lease, release
from conversations.tests.factories import (
    AnswerLeaseFactory,
    ConversationFactory,
    MessageFactory,
    ToolExecutionFactory,
)
from tenants.models import Tenant
from tenants.tests.factories import SubscriptionFactory, SubscriptionPlanFactory, TenantQuotaFactory
from tenants.tests.test_limits import is_refused


def limit(tenant, runs):
    with as_platform():
        Tenant.objects.filter(pk=tenant.pk).update(max_concurrent_runs=runs)


def end(row):
    release(Lease(row.tenant_id, row.message_id, row.token))


def test_runs_beyond_the_limit_are_refused_until_one_ends(scope, tenant):
    limit(tenant, 2)
    first, _ = AnswerLeaseFactory(), AnswerLeaseFactory()
    assert is_refused(AnswerLeaseFactory)
    end(first)
    assert not is_refused(AnswerLeaseFactory)


def test_quota_and_own_limit_override_the_plan(scope, tenant):
    with as_platform():
        plan = SubscriptionPlanFactory(max_concurrent_runs=1)
        SubscriptionFactory(plan=plan, tenant=tenant, status="active", expires_at=None)
    AnswerLeaseFactory()
    assert is_refused(AnswerLeaseFactory)
    limit(tenant, 2)
    AnswerLeaseFactory()
    assert is_refused(AnswerLeaseFactory)
    with as_platform():
        TenantQuotaFactory(tenant=tenant, resource="concurrent_runs", period="total", limit_value=None)
    assert not is_refused(AnswerLeaseFactory)


def test_meeting_with_its_answers_is_one_run(scope, tenant):
    limit(tenant, 1)
    conversation = ConversationFactory()
    AnswerLeaseFactory(conversation=conversation, kind="meeting")
    assert not is_refused(lambda: AnswerLeaseFactory(conversation=conversation))
    assert is_refused(AnswerLeaseFactory)


def test_question_beyond_the_limit_is_told_to_retry(api_client, tenant):
    client = api_client()
    limit(tenant, 1)
    with tenant_scope(tenant, user=client.key.user):
        AgentFactory(slug="guide", model_provider="extractive", model_name="extractive-1")
        AnswerLeaseFactory()
    begun = client.post("/api/v1/conversations/", {"agent": "guide"}, content_type="application/json")
    where = f"/api/v1/conversations/{begun.json()['id']}/messages/"
    reply = client.post(where, {"content": "When is high water?"}, content_type="application/json")

    assert (reply.status_code, reply.headers.get("Retry-After")) == (429, "5"), reply.content
    named = {name: reply.json()[name] for name in ("code", "resource", "limit", "used")}
    assert named == {"code": "limit_exceeded", "resource": "concurrent_runs", "limit": 1, "used": 1}


def create_waiting_call(tenant, member):
    with tenant_scope(tenant, user=member.user):
        message = MessageFactory(role="assistant", status="awaiting_approval")
        return ToolExecutionFactory(message=message, status="awaiting_approval")


def test_expiry_of_approvals_goes_on_past_a_tenant_at_its_limit(tenant, member, other_tenant):
    other_member = add_member(other_tenant)
    older, newer = create_waiting_call(tenant, member), create_waiting_call(other_tenant, other_member)
    limit(tenant, 1)
    with tenant_scope(tenant, user=member.user):
        AnswerLeaseFactory()
    assert expire_waiting_calls(timedelta(0)) == 1
    for call, status in ((older, "awaiting_approval"), (newer, "denied")):
        with tenant_scope(call.tenant_id, actor="system:test"):
            assert ToolExecution.objects.get().status == status


def test_mcp_client_beyond_the_limit_is_told_the_reason(tenant, member, monkeypatch):
    limit(tenant, 1)
    with tenant_scope(tenant, user=member.user):
        AgentFactory(slug="guide", model_provider="extractive", model_name="extractive-1")
        AnswerLeaseFactory()
    caller = Caller(tenant.pk, member.user_id, "system:test")
    monkeypatch.setattr(server, "get_caller", lambda *_: caller)
    with pytest.raises(server.McpRequestError, match="The limit of the organisation is reached"):
        server.ask_agent("guide", "When is high water?")


@pytest.mark.django_db(transaction=True)
def test_parallel_writers_do_not_exceed_the_limit(tenant):
    limit(tenant, 5)

    def begin(_):
        try:
            with tenant_scope(tenant, actor="system:test"), transaction.atomic():
                return [is_refused(AnswerLeaseFactory) for _ in range(3)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        refused = [each for three in pool.map(begin, range(8)) for each in three]
    assert refused.count(False) == 5
    with tenant_scope(tenant, actor="system:test"):
        assert AnswerLease.objects.count() == 5
