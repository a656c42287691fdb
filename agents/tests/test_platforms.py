"""Health checks of platform adapters, and expiry of credentials."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import PlatformAdapter, PlatformCredential
from agents.services.platforms import check_adapters, expire_credentials
from agents.testing import FakeOpenAI, fail, say
from agents.tests.factories import PlatformAdapterFactory, PlatformCredentialFactory
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform

pytestmark = pytest.mark.django_db


def test_healthy_adapters_get_the_time_of_the_check(settings):
    with FakeOpenAI(say("Well.")) as well, FakeOpenAI(fail(503)) as ill:
        healthy = f"{well.base_url}/models"
        urls = [healthy, f"{ill.base_url}/models", "http://127.0.0.1:9/", ""]
        with as_platform():
            adapters = [PlatformAdapterFactory(health_check_url=url) for url in urls]
            PlatformAdapterFactory(health_check_url=healthy, status="disabled")
        assert check_adapters() == 0
        settings.FETCH_NETWORKS = ["127.0.0.0/8"]
        assert check_adapters() == 1
    with as_platform():
        (checked,) = PlatformAdapter.objects.exclude(last_health_check_at=None)
    assert checked == adapters[0]
    assert checked.last_health_check_at > checked.created_at


def test_credentials_expire(tenant, member):
    now = timezone.now()
    times = {"past": now - timedelta(seconds=1), "later": now + timedelta(hours=1), "never": None}
    with tenant_scope(tenant, user=member.user):
        for name, expires_at in times.items():
            PlatformCredentialFactory(credential_name=name, expires_at=expires_at)
        PlatformCredentialFactory(credential_name="revoked", expires_at=times["past"], status="revoked")
    assert expire_credentials() == 1
    with tenant_scope(tenant, user=member.user):
        states = dict(PlatformCredential.objects.values_list("credential_name", "status"))
    assert states == {"past": "expired", "later": "active", "never": "active", "revoked": "revoked"}
