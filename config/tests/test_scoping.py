"""Scopes: visible rows, nesting and rejected operations."""

from uuid import uuid4

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction

from accounts.models import RoleAssignment, User
from accounts.tests.factories import RoleAssignmentFactory
from agents.models import Agent
from agents.tests.factories import AgentFactory
from audit.models import AuditLog
from config.db.session import RequestInfo, Scope, apply_scope, current_scope
from config.tenancy.scope import (
    ScopeRequiredError,
    platform_scope,
    require_scope,
    require_tenant_id,
    tenant_scope,
)
from config.testing.fixtures import add_member
from tenants.models import Engagement, Tenant
from tenants.tests.factories import EngagementFactory


def setting(name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s, true)", [name])
        return cursor.fetchone()[0]


def test_outside_every_scope_managers_raise(db):
    with pytest.raises(ScopeRequiredError):
        Agent.objects.all()
    with pytest.raises(ScopeRequiredError):
        require_scope()
    assert current_scope() is None


def test_scope_without_a_role_is_not_a_scope_of_tenant_data(db):
    with apply_scope(Scope(request=RequestInfo(request_id="r-1"))), pytest.raises(ScopeRequiredError):
        Agent.objects.all()


def test_scope_sets_role_tenant_user_and_actor(tenant, member):
    with tenant_scope(tenant, user=member.user) as scope:
        assert setting("role") == scope.role == "conclave_app"
        assert setting("app.current_tenant_id") == str(tenant.pk) == str(require_tenant_id())
        assert setting("app.current_user_id") == str(member.user.pk)
        assert setting("app.actor") == f"user:{member.user.pk}"


def test_scope_ends_with_its_block(tenant):
    with tenant_scope(tenant, actor="system:test"):
        pass
    assert current_scope() is None
    assert setting("role") == "none"
    assert setting("app.current_tenant_id") == ""


def test_scope_ends_with_an_error_too(tenant):
    with pytest.raises(ZeroDivisionError), tenant_scope(tenant, actor="system:test"):
        AgentFactory(max_tokens=AgentFactory().max_tokens / 0)
    assert current_scope() is None
    with tenant_scope(tenant):
        assert Agent.objects.count() == 0


def test_nested_scope_of_the_same_tenant_is_one_transaction(scope, tenant):
    AgentFactory()
    with tenant_scope(tenant, user=scope.user_id):
        AgentFactory()
    assert Agent.objects.count() == 2


def test_scopes_may_follow_one_another(tenant, other_tenant):
    for owner in (tenant, other_tenant, tenant):
        with tenant_scope(owner, actor="system:test"):
            AgentFactory()
    with tenant_scope(tenant):
        assert Agent.objects.count() == 2


def test_read_only_scope_reads_and_cannot_write(tenant):
    with tenant_scope(tenant, actor="system:test"):
        AgentFactory()
    with tenant_scope(tenant, actor="system:test", read_only=True):
        assert Agent.objects.count() == 1
        with pytest.raises(ProgrammingError), transaction.atomic():
            AgentFactory()


def test_write_without_an_actor_is_refused(tenant):
    with tenant_scope(tenant), pytest.raises(ProgrammingError, match="unattributed"), transaction.atomic():
        AgentFactory()


def test_engagement_narrows_models_that_have_one(scope, tenant):
    engagement = EngagementFactory()
    bound = RoleAssignmentFactory(scope="engagement", engagement=engagement)
    general = RoleAssignmentFactory()
    RoleAssignmentFactory(scope="engagement", engagement=EngagementFactory())
    with tenant_scope(tenant, user=scope.user_id, engagement=engagement):
        assert set(RoleAssignment.objects.all()) == {bound, general}
        assert Engagement.objects.count() == 1


def test_platform_scope_sees_all_and_needs_a_reason(tenant, other_tenant):
    for owner in (tenant, other_tenant):
        with tenant_scope(owner, actor="system:test"):
            AgentFactory()
    with platform_scope(reason="counting"):
        assert Agent.objects.count() == 2
        with pytest.raises(ScopeRequiredError):
            require_tenant_id()
    with pytest.raises(ValueError, match="reason"), platform_scope(reason=" "):
        pass


def test_opening_the_platform_scope_is_audited(db):
    with platform_scope(reason="looking into ticket 7"):
        row = AuditLog.objects.get(action="platform.scope_opened")
    assert row.metadata == {"reason": "looking into ticket 7"}
    assert row.actor == "system:platform"


def test_public_login_cannot_open_the_platform_scope(second_connection):
    public = second_connection("conclave_public")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        public.execute("SET ROLE conclave_operator")


def test_people_of_other_tenants_are_out_of_sight(tenant, member, other_tenant):
    add_member(other_tenant)
    with tenant_scope(tenant):
        assert list(User.objects.values_list("pk", flat=True)) == [member.user.pk]


def test_tenant_of_the_scope_is_set_on_save(scope):
    agent = AgentFactory()

    assert agent.tenant_id == scope.tenant_id


def test_unknown_tenant_has_no_rows(db):
    with tenant_scope(uuid4()):
        assert Agent.objects.count() == 0
        assert Tenant.objects.count() == 0
