import pytest
from django.core.exceptions import ValidationError

from accounts.models import Membership, Role
from accounts.tests.factories import UserFactory
from audit.models import AuditLog
from config.tenancy.scope import tenant_scope
from tenants.models import Tenant
from tenants.services.lookup import TenantUnavailableError, get_tenant_by_slug
from tenants.services.tenants import create_tenant


def test_a_new_tenant_has_its_administrator_and_roles(db):
    admin = UserFactory()
    tenant = create_tenant(slug="acme", name="Acme", admin=admin)
    with tenant_scope(tenant):
        assert Membership.objects.get().role == "admin"
        assert set(Role.objects.values_list("slug", flat=True)) == {
            "agent-builder",
            "knowledge-editor",
            "auditor",
        }


def test_creation_of_a_tenant_is_audited_with_the_reason(db):
    tenant = create_tenant(slug="acme", name="Acme", admin=UserFactory(), actor="user:admin")
    with tenant_scope(tenant):
        row = AuditLog.objects.get(action="tenant.created")
        assert (row.actor, row.resource_id) == ("user:admin", str(tenant.pk))


@pytest.mark.parametrize("slug", ["", "Acme", "-acme", "a b", "ümlaut", "a" * 101])
def test_a_malformed_slug_is_refused(db, slug):
    with pytest.raises(ValidationError):
        create_tenant(slug=slug, name="Acme", admin=UserFactory())


def test_taken_slug_is_rejected_and_leaves_nothing(db):
    create_tenant(slug="acme", name="Acme", admin=UserFactory())
    with pytest.raises(ValidationError, match="already exists"):
        create_tenant(slug="acme", name="Other", admin=UserFactory())
    assert Tenant.objects.filter(slug="acme").count() == 1


def test_unknown_and_suspended_tenants_are_errors(tenant):
    from config.tenancy.scope import platform_scope

    with pytest.raises(TenantUnavailableError, match="does not exist"):
        get_tenant_by_slug("nobody")
    with platform_scope(reason="suspend for a test"):
        Tenant.objects.filter(pk=tenant.pk).update(status="suspended")
    with pytest.raises(TenantUnavailableError, match="suspended"):
        get_tenant_by_slug(tenant.slug)


def test_a_tenant_changes_its_profile_and_not_its_limits(tenant, member):
    from django.db import ProgrammingError, transaction

    with tenant_scope(tenant, user=member.user):
        Tenant.objects.filter(pk=tenant.pk).update(name="New name")
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            Tenant.objects.filter(pk=tenant.pk).update(plan_type="enterprise")
