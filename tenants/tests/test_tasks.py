from datetime import timedelta

from django.utils import timezone

from config.tenancy.scope import tenant_scope
from tenants.models import IdempotencyKey
from tenants.tasks import forget_idempotency_keys
from tenants.tests.factories import IdempotencyKeyFactory


def made(status_code, **ago):
    row = IdempotencyKeyFactory(status_code=status_code)
    IdempotencyKey.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(**ago))
    return row.pk


def test_old_answers_and_dead_claims_are_forgotten(tenant, member):
    with tenant_scope(tenant, user=member.user):
        made(201, hours=30)
        made(None, hours=1)
        kept = {made(201, hours=1), made(None, minutes=1)}
    forget_idempotency_keys.func.__wrapped__(0)
    with tenant_scope(tenant):
        assert set(IdempotencyKey.objects.values_list("id", flat=True)) == kept
