"""Addresses and rows of all registered models."""

from django.contrib import admin
from django.urls import reverse

from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for
from config.testing.fixtures import add_member

admin.autodiscover()
ADMINS = sorted(admin.site._registry.values(), key=lambda each: each.model._meta.label_lower)
# The factory commits sealed rows, which only the platform sees (test_admin_platform).
SCOPED = [each for each in ADMINS if each.model._meta.label != "audit.AuditSeal"]


def get_model_label(model_admin):
    return model_admin.model._meta.label_lower


def address(model_admin, page, *args):
    opts = model_admin.opts
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)


def make(model_admin, member, count=1):
    """Create rows that `member` can see; the tenant and the user already exist."""
    label = get_model_label(model_admin)
    if label == "tenants.tenant":
        return [member.tenant]
    if label == "accounts.user":
        return [add_member(member.tenant).user for _ in range(count)] if count > 1 else [member.user]
    with tenant_scope(member.tenant_id, user=member.user):
        return [factory_for(model_admin.model)() for _ in range(count)]


def test_everything_is_registered():
    from config.testing.factories import project_models

    assert {each.model for each in ADMINS} == set(project_models())
