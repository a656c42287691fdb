"""Tests of platform grants, platform settings and Omni-Bridge links."""

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from django.db.models import ProtectedError
from django.urls import reverse

from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.roles import as_platform
from tenants.models import BridgeSync, Subscription, SystemSetting, TenantRegion
from tenants.tests.factories import (
    BillingRecordFactory,
    BridgeSyncFactory,
    RegionFactory,
    SubscriptionFactory,
    SubscriptionPlanFactory,
    SystemSettingFactory,
    TenantQuotaFactory,
    TenantRegionFactory,
)

BRIDGES = "/api/v1/bridge-syncs/"


def test_tenants_see_public_settings_alone(scope):
    public, private = SystemSettingFactory(), SystemSettingFactory(is_public=False)

    assert list(SystemSetting.objects.all()) == [public]
    with as_platform():
        assert set(SystemSetting.objects.all()) == {public, private}


@pytest.mark.parametrize(
    "factory", [SubscriptionFactory, TenantQuotaFactory, BillingRecordFactory, TenantRegionFactory]
)
def test_tenants_change_nothing_that_the_platform_grants(scope, factory):
    row = factory()

    for change in (row.save, row.delete):
        with pytest.raises(ProgrammingError) as caught, transaction.atomic():
            change()
        assert caught.value.__cause__.sqlstate == "42501"


def test_tenant_has_one_running_subscription(scope):
    SubscriptionFactory(status="active")

    with pytest.raises(IntegrityError, match="tenants_subscription_one_live"):
        SubscriptionFactory(status="trial")


def test_tenant_has_one_primary_region(scope):
    TenantRegionFactory(role="primary")

    with pytest.raises(IntegrityError, match="tenants_tenantregion_one_primary"):
        TenantRegionFactory(role="primary")


def test_plan_in_use_is_not_deleted(scope):
    subscription = SubscriptionFactory()

    with pytest.raises(ProtectedError), as_platform():
        subscription.plan.delete()


def test_there_is_one_default_region(scope):
    RegionFactory(is_default=True)

    with pytest.raises(IntegrityError, match="tenants_region_one_default"):
        RegionFactory(is_default=True)


def test_staff_grant_a_subscription_in_the_console(tenant, staff_client):
    plan = SubscriptionPlanFactory()
    staff_client.post(reverse("admin:platform"), {"reason": "ticket 4711: a new contract"})
    form = {"organisation": tenant.pk, "plan": plan.pk, "status": "active", "billing_interval": "monthly"}
    started = {"started_at_0": "2026-01-01", "started_at_1": "00:00:00", "metadata": "{}"}
    response = staff_client.post(reverse("admin:tenants_subscription_add"), form | started)

    assert response.status_code == 302
    with tenant_scope(tenant, actor="system:test"):
        assert Subscription.objects.get().plan == plan


def test_key_does_not_follow_to_another_server(api_client):
    client = api_client()
    with tenant_scope(client.key.tenant_id, user=client.key.user):
        bridge = BridgeSyncFactory(user=client.key.user)
    moved = {"url": "https://elsewhere.example/"}

    refused = client.patch(f"{BRIDGES}{bridge.pk}/", moved, content_type="application/json")
    stopped = client.patch(
        f"{BRIDGES}{bridge.pk}/", moved | {"sync_enabled": False}, content_type="application/json"
    )

    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        "An API key is required to enable synchronisation.",
    )
    assert (stopped.status_code, stopped.json()["api_key"]) == (200, None)


def test_key_given_with_the_server_stays(scope, member):
    bridge = BridgeSync.objects.get(pk=BridgeSyncFactory().pk)
    bridge.url, bridge.api_key = "https://elsewhere.example/", "another-key"
    bridge.save()

    assert BridgeSync.objects.get(pk=bridge.pk).api_key == "another-key"


def test_platform_sees_the_regions_of_all(tenant, other_tenant):
    for each in (tenant, other_tenant):
        with tenant_scope(each, actor="system:test"):
            TenantRegionFactory()

    with platform_scope(reason="test"):
        assert TenantRegion.objects.count() == 2
