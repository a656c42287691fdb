"""Factories of tenants."""

import os

import factory
from django.db.models import Max

from config.db import keyring
from config.testing.factories import HouseFactory
from config.testing.hats import as_platform
from tenants.models import Engagement, IdempotencyKey, Tenant, TenantKey
from tenants.scoping import require_tenant_id


class TenantFactory(HouseFactory):
    """An active tenant; made by the platform, whatever scope is open."""

    name = factory.Sequence(lambda n: f"Tenant {n}")
    slug = factory.Sequence(lambda n: f"tenant-{n}")

    class Meta:
        model = Tenant

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        with as_platform():
            return super()._create(model_class, *args, **kwargs)


class EngagementFactory(HouseFactory):
    name = factory.Sequence(lambda n: f"Engagement {n}")

    class Meta:
        model = Engagement


class IdempotencyKeyFactory(HouseFactory):
    key = factory.Sequence(lambda n: f"request-{n}")
    credential = "key:test"
    fingerprint = "0" * 64
    status_code = 201
    body = b"{}"

    class Meta:
        model = IdempotencyKey


def _next_version():
    return (TenantKey._base_manager.aggregate(latest=Max("version"))["latest"] or 0) + 1


class TenantKeyFactory(HouseFactory):
    """The tenant's next data key, wrapped for real: what is encrypted afterwards uses it."""

    tenant_id = factory.LazyFunction(require_tenant_id)
    version = factory.LazyFunction(_next_version)

    class Meta:
        model = TenantKey

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        wrapped = keyring.wrap(os.urandom(32), kwargs["tenant_id"], kwargs["version"])
        kwargs["kek_id"], kwargs["wrapped"] = wrapped
        return super()._create(model_class, *args, **kwargs)
